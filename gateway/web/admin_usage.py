"""`/admin/usage`: what has been used, as `dynagate usage` reports it."""

import asyncio
import io
import re
from collections.abc import Mapping

import orjson
from aiohttp import hdrs, web

from gateway.config.validation import suggestion
from gateway.dialects.accept import prefers_csv
from gateway.schema.failure import CallError
from gateway.state.key_fields import FieldError
from gateway.state.usage import Group, Report, Wanted, moment_of
from gateway.state.usage_csv import write_report
from gateway.web.others import OTHERS
from gateway.web.received import services_of, shared_headers
from gateway.web.serving import SERVING, json_response

PATH = "/admin/usage"
_PARAMETERS = ("by", "since", "until", "key", "format")
_FORMATS = ("json", "csv")
_KEY = re.compile(r"-|[A-Za-z0-9_-]{1,100}")
_CSV = "text/csv; charset=utf-8"


def add_routes(router: web.UrlDispatcher) -> None:
    """Add the path."""
    router.add_get(PATH, usage)


async def usage(request: web.Request) -> web.Response:
    """`GET /admin/usage`: a report, as JSON or CSV; the dearest lines if there are too many."""
    state = request.app[SERVING].state
    now = services_of(request).clock.now().timestamp()
    given = _given(request)
    wanted, key = _wanted(request, given, now), _key(given)
    is_csv = _is_csv(request, given)
    if state.key_book is None and OTHERS in request.app:
        message = (
            "each process remembers its own calls, since state.url is memory://: name a database, "
            "or look at /metrics"
        )
        raise CallError("no_database", message, param="state.url")
    try:
        report = await state.reports.report(wanted, key)
    except FieldError as error:
        raise _invalid(error.field, error.message) from None
    except TimeoutError:
        message = "the report takes too long: ask for less at once, by since, until or key"
        raise CallError("deadline_exceeded", message) from None
    # In a thread: ten thousand lines take a tenth of a second.
    body = await asyncio.to_thread(_csv if is_csv else _json, report)
    headers = {"Cache-Control": "no-store"}
    if not is_csv:
        return json_response(request, body, headers)
    if report.is_cut:
        headers["X-Rows-Cut"] = "true"
    own = {**shared_headers(request), **headers, "Content-Type": _CSV}
    return web.Response(body=body, headers=own)


def _json(report: Report) -> bytes:
    return orjson.dumps(report.document())


def _csv(report: Report) -> bytes:
    file = io.StringIO()
    write_report(report, file)
    return file.getvalue().encode()


def _given(request: web.Request) -> Mapping[str, str]:
    """Return the parameters; of `by`, which may be given again, the last."""
    given: dict[str, str] = {}
    for name, value in request.query.items():
        if name not in _PARAMETERS:
            raise _invalid(name[:80], f"unknown parameter; {suggestion(name[:80], _PARAMETERS)}")
        if name != "by" and given.setdefault(name, value) != value:
            raise _invalid(name, "is given twice")
    return given


def _wanted(request: web.Request, given: Mapping[str, str], now: float) -> Wanted:
    groups = []
    for name in dict.fromkeys(request.query.getall("by", [])):
        if name not in {*Group}:
            raise _invalid("by", f"write {', '.join(Group)}; for several, by= again")
        groups.append(Group(name))
    since, until = (_moment(name, given.get(name), now) for name in ("since", "until"))
    if since is not None and until is not None and since >= until:
        raise _invalid("since", "is not before until")
    return Wanted(tuple(groups), since, until)


def _moment(name: str, text: str | None, now: float) -> float | None:
    try:
        return None if text is None else moment_of(text, now)
    except ValueError:
        advice = "write 30d, 12h, 90m, or a date such as 2030-01-31 or 2030-01-31T12:00:00Z"
        raise _invalid(name, advice) from None


def _key(given: Mapping[str, str]) -> str | None:
    key = given.get("key")
    if key is not None and _KEY.fullmatch(key) is None:
        raise _invalid("key", "write its id, its shown prefix, or - for anonymous callers")
    return key


def _is_csv(request: web.Request, given: Mapping[str, str]) -> bool:
    if "format" not in given:
        return prefers_csv(",".join(request.headers.getall(hdrs.ACCEPT, [])))
    if given["format"] not in _FORMATS:
        raise _invalid("format", "write json or csv")
    return given["format"] == "csv"


def _invalid(param: str, message: str) -> CallError:
    return CallError("invalid_parameter", f"{param}: {message}", param=param)

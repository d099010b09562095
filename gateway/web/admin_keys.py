"""`/admin/keys`: the keys over HTTP, as `dynagate keys` has them."""

import logging
import re
import struct
from collections.abc import Collection, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import orjson
from aiohttp import hdrs, web

from gateway.background import Background
from gateway.pipeline.limits.standing import standing_of
from gateway.schema.failure import CallError
from gateway.schema.json import JsonObject
from gateway.state.key_fields import DEFAULT_PLAN, FieldError, check_plan
from gateway.state.keys import Key, KeyBook, KeyBookError, shown
from gateway.telemetry.logs import ADMIN
from gateway.web.admin_bodies import read_fields, read_nothing, read_query
from gateway.web.received import request_id_of, services_of
from gateway.web.serving import SERVING, json_response

KEY_BOOK: web.AppKey[KeyBook | None] = web.AppKey("key_book")
BACKGROUND = web.AppKey("background", Background)
PATH = "/admin/keys"
_T = TypeVar("_T")
_Text = TypeVar("_Text", str, None)
_log = logging.getLogger(ADMIN)
_ID = re.compile(r"key_[0-9a-f]{12}")
_ETAG = re.compile(r'"([0-9a-f]{16})"')


def add_routes(router: web.UrlDispatcher) -> None:
    """Add the paths."""
    one = PATH + "/{id}"
    router.add_get(PATH, list_keys)
    router.add_post(PATH, create)
    router.add_get(one, get)
    router.add_patch(one, change)
    router.add_delete(one, revoke)
    router.add_post(f"{one}/rotate", rotate)
    router.add_get(f"{one}/limits", limits)


async def list_keys(request: web.Request) -> web.Response:
    """`GET /admin/keys`: the oldest first; `next` is what `after` takes, null at the end."""
    query = read_query(request)
    book = _book(request)
    # One more than is shown says whether there is a next page.
    most = query.limit or 0
    try:
        found = await _read(request, book.list(query._replace(limit=most + 1)))
    except KeyBookError:
        message = "after: there is no such key; take what `next` said"
        raise CallError("invalid_parameter", message, param="after") from None
    data, now = found[:most], _now(request)
    after = data[-1].id if len(found) > most else None
    return _answer(request, {"data": [shown(key, now) for key in data], "next": after})


async def create(request: web.Request) -> web.Response:
    """`POST /admin/keys`: make a key; this answer alone has its text, under `key`."""
    book = _book(request)
    with _refusals_told():
        fields = await read_fields(request)
        check_plan(fields.get("plan", DEFAULT_PLAN), services_of(request).document.plans)
        key, text = await _do(request, "made", book.create(fields))
    return _one(request, key, text, status=201)


async def get(request: web.Request) -> web.Response:
    """`GET /admin/keys/{id}`."""
    return _one(request, await _found(request))


async def change(request: web.Request) -> web.Response:
    """`PATCH /admin/keys/{id}`: JSON merge patch, of the version that `If-Match` names."""
    book = _book(request)
    seen = _seen(request)
    if seen is None:
        message = "send If-Match with the ETag of the key as you have read it"
        raise CallError("version_required", message)
    with _refusals_told():
        id_ = _id(request)
        fields = await read_fields(request)
        if "plan" in fields:
            check_plan(fields["plan"], services_of(request).document.plans)
        what = f"changed ({', '.join(fields) or 'nothing'})"
        key, _ = await _do(request, what, _alone(book.change(id_, fields, seen=seen)))
    return _one(request, key)


async def rotate(request: web.Request) -> web.Response:
    """`POST /admin/keys/{id}/rotate`: another text, shown this once; the old one ends now."""
    book = _book(request)
    with _refusals_told():
        id_ = _id(request)
        await read_nothing(request)
        key, text = await _do(request, "rotated", book.rotate(id_, seen=_seen(request)))
    return _one(request, key, text)


async def revoke(request: web.Request) -> web.Response:
    """`DELETE /admin/keys/{id}`: end it for good; what is kept of it can still be read."""
    book = _book(request)
    with _refusals_told():
        work = _alone(book.revoke(_id(request), seen=_seen(request)))
        key, _ = await _do(request, "revoked", work)
    return _one(request, key)


async def limits(request: web.Request) -> web.Response:
    """`GET /admin/keys/{id}/limits`: what its plan allows, and how its windows stand."""
    key = await _found(request)
    document, clock = services_of(request).document, services_of(request).clock
    counters = request.app[SERVING].shared.counters
    return _answer(request, await standing_of(key, document, counters, clock))


def _book(request: web.Request) -> KeyBook:
    book = request.app[KEY_BOOK]
    if book is None:
        message = (
            "keys are kept in a database, and state.url is memory://: write "
            "sqlite:///$XDG_STATE_HOME/dynagate/state.sqlite"
        )
        raise CallError("no_database", message, param="state.url")
    return book


async def _found(request: web.Request) -> Key:
    return await key_of_id(request, _id(request))


async def key_of_id(request: web.Request, id_: str) -> Key:
    """Return the key of that id, revoked ones too. Raises 404 `not_found`, 501 `no_database`."""
    book = _book(request)
    key = None if _ID.fullmatch(id_) is None else await _read(request, book.get(id_))
    if key is None:
        raise _unknown()
    return key


def _id(request: web.Request) -> str:
    id_ = request.match_info["id"]
    if _ID.fullmatch(id_) is None:
        raise _unknown()
    return id_


def _unknown() -> CallError:
    return CallError("not_found", f"there is no key of this id; GET {PATH} lists them")


@contextmanager
def _refusals_told() -> Iterator[None]:
    """Turn what the key book refuses into the error that says so."""
    try:
        yield
    except FieldError as error:
        message = f"{error.field}: {error.message}"
        raise CallError("invalid_parameter", message, param=error.field) from None
    except KeyBookError as error:
        match error.reason:
            case "unknown":
                raise _unknown() from None
            case "revoked":
                message = "this key is revoked, for good: make another"
                raise CallError("conflict", message) from None
            case "stale":
                message = "the key has changed since it had the ETag in If-Match: read it again"
                raise CallError("version_stale", message) from None


def _seen(request: web.Request) -> Collection[float] | None:
    """Return the versions that `If-Match` names, None without the header.

    `*` would be any version, which is what a condition is to prevent; it names none.
    """
    if hdrs.IF_MATCH not in request.headers:
        return None
    given = ",".join(request.headers.getall(hdrs.IF_MATCH)).split(",")
    found = (_ETAG.fullmatch(tag.strip()) for tag in given)
    return {struct.unpack(">d", bytes.fromhex(tag[1]))[0] for tag in found if tag is not None}


def _etag(key: Key) -> str:
    return f'"{struct.pack(">d", key.updated_at).hex()}"'


def _one(
    request: web.Request, key: Key, text: str | None = None, *, status: int = 200
) -> web.Response:
    document = shown(key, _now(request))
    headers: dict[str, str] = {hdrs.ETAG: _etag(key)}
    if status == 201:  # noqa: PLR2004 - Created.
        headers[hdrs.LOCATION] = f"{PATH}/{key.id}"
    if text is not None:
        document["key"] = text
    return _answer(request, document, headers, status)


def _answer(
    request: web.Request,
    document: JsonObject,
    headers: dict[str, str] | None = None,
    status: int = 200,
) -> web.Response:
    body = orjson.dumps(document)
    answer = json_response(request, body, {"Cache-Control": "no-store", **(headers or {})})
    answer.set_status(status)
    return answer


def _now(request: web.Request) -> float:
    return services_of(request).clock.now().timestamp()


async def _read(request: web.Request, work: Coroutine[Any, Any, _T]) -> _T:
    # To its end, as in `_do`: one connection is all there is.
    return await request.app[BACKGROUND].finish("admin", work)


async def _alone(work: Coroutine[Any, Any, Key]) -> tuple[Key, None]:  # Any: as in `Background`.
    return await work, None


async def _do(
    request: web.Request, what: str, work: Coroutine[Any, Any, tuple[Key, _Text]]
) -> tuple[Key, _Text]:
    """Do `work` and log one line: who, what, which key, and nothing that opens anything.

    To its end, whether or not the operator waits: a transaction that is cut keeps a database
    locked, and what was changed has to be said.
    """
    who = request.remote

    async def done() -> tuple[Key, _Text]:
        key, text = await work
        _log.info("%s: key %s %s by %s", request_id_of(request), key.id, what, who)
        return key, text

    return await request.app[BACKGROUND].finish("admin", done())

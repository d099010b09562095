"""What every handler works with, and the headers that answers share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import getrandbits
from time import time_ns
from types import MappingProxyType
from urllib.parse import quote

from aiohttp import hdrs, web
from multidict import istr

from gateway.config.listeners import Bounds
from gateway.config.reload import Standing
from gateway.dialects.errors import error_body, error_headers
from gateway.pipeline.call import Call, Recall, Services, Visited
from gateway.pipeline.watch import Watches, precise_now
from gateway.schema.failure import CallError
from gateway.sdk.providers import ModelCard, Price
from gateway.state.opening import State
from gateway.state.shared import Shared
from gateway.web.album import Album
from gateway.web.feeds import Feeds
from gateway.web.once import Once
from gateway.web.received import SERVER_TIMING, shared_headers
from gateway.web.snapshot import Snapshot
from gateway.web.stream import Pinger

# Names of headers that every answer has: a plain string would be made an `istr` for each of them,
# and a stream keeps those for as long as it lasts.
X_REQUEST_ID, X_CLIENT_REQUEST_ID = istr("X-Request-Id"), istr("X-Client-Request-Id")
_LIMIT, _REMAINING = istr("X-RateLimit-Limit"), istr("X-RateLimit-Remaining")
_RESET = istr("X-RateLimit-Reset")
_OPENAI_LIMIT = istr("x-ratelimit-limit-requests")
_OPENAI_REMAINING = istr("x-ratelimit-remaining-requests")
_OPENAI_RESET = istr("x-ratelimit-reset-requests")
_X_MODEL, _X_PROVIDER = istr("X-Model"), istr("X-Provider")

PLAIN: Mapping[str, str] = MappingProxyType(
    {istr("X-Content-Type-Options"): "nosniff", hdrs.SERVER: "dynagate"}
)
"""Headers that are the same on every answer."""
MAX_CLIENT_ID_CHARS = 128


@dataclass(slots=True)
class Serving:
    """One running gateway as its handlers see it.

    `snapshot` is what the next request gets; the one that a request has is its own.
    """

    snapshot: Snapshot
    standing: Standing
    pinger: Pinger
    bounds: Bounds
    watches: Watches
    album: Album
    feeds: Feeds | None
    """None where they are off."""
    state: State
    shared: Shared
    once: Once
    is_draining: bool = False
    notices: list[str] = field(default_factory=list)

    @property
    def services(self) -> Services:
        """What the next request works with; one that is under way asks `services_of`."""
        return self.snapshot.services

    @services.setter
    def services(self, services: Services) -> None:
        self.snapshot.services = services

    async def told(self, standing: Standing) -> None:
        """See `stands`."""
        self.stands(standing)

    def stands(self, standing: Standing) -> None:
        """Note which configuration is in force, and what came of the last reload."""
        self.standing = standing
        metrics = self.services.metrics
        metrics.config_generation = standing.generation
        metrics.has_reload_failed = standing.failed is not None

    @property
    def unready(self) -> Mapping[str, str]:
        """Providers that cannot answer yet, and why."""
        return self.snapshot.unready


SERVING = web.AppKey("serving", Serving)


def new_request_id() -> str:
    """Return a request id of ours: the time in ms, then 48 random bits, no secret.

    Ids that grow with time, as UUIDs of version 7 do (RFC 9562), go to the end of the ledger's
    index: random ones change a page of it each, which costs as much again as the row.
    """
    return f"req_{time_ns() // 1_000_000 << 48 | getrandbits(48):024x}"


def client_request_id(request: web.Request) -> str | None:
    """Return the id that the caller gave, if it can be repeated in a header and a log."""
    said = request.headers.get(X_REQUEST_ID)
    if not said or len(said) > MAX_CLIENT_ID_CHARS or not (said.isascii() and said.isprintable()):
        return None
    return said


def json_response(
    request: web.Request, body: bytes, headers: Mapping[str, str] | None = None
) -> web.Response:
    """Return 200 with a JSON body and the shared headers."""
    own = {
        "Content-Type": "application/json",
        "Cache-Control": "private, no-store",
        **shared_headers(request),
    }
    return web.Response(body=body, headers={**own, **headers} if headers else own)


def error_response(
    request: web.Request, error: CallError, call: Call | None = None
) -> web.Response:
    """Return the error as this request's dialect says it."""
    headers = {**shared_headers(request), **error_headers(error)}
    if call is not None:
        note_call(headers, call, is_openai=is_openai_path(request.path))
    body = b"" if request.method == "HEAD" else error_body(error)
    return web.Response(status=error.status, body=body, headers=headers)


def is_openai_path(path: str) -> bool:
    """Say whether callers of `path` expect OpenAI's own headers, too."""
    return path.startswith(("/v1", "/openai", "/api/openai"))


def note_call(headers: dict[str, str], call: Call, *, is_openai: bool) -> None:
    """Add what headers tell of the call: limits, who answered, what was dropped."""
    headers[SERVER_TIMING] = server_timing(call)
    if call.lease is not None:
        window = call.lease.windows[0]
        limit, remaining = str(window.limit), str(window.remaining)
        headers[_LIMIT] = limit
        headers[_REMAINING] = remaining
        headers[_RESET] = str(window.resets_at)
        if is_openai:
            headers[_OPENAI_LIMIT] = limit
            headers[_OPENAI_REMAINING] = remaining
            headers[_OPENAI_RESET] = window.resets_in
        headers.update(call.limit_fields)
    if call.recall is not None:
        headers |= _recall_headers(call.recall)
    if call.target is not None or (call.recall is not None and call.recall.provider):
        headers[_X_MODEL] = _one_line(
            call.route_name if "*" not in call.route_name else call.ask.model[:256]
        )
    if call.target is not None:
        headers[_X_PROVIDER] = call.target.connected.name
    _note_changes(call, headers)


def _note_changes(call: Call, headers: dict[str, str]) -> None:
    """Name what was changed of the request or the answer."""
    if call.ask.ignored_params:
        headers["X-Ignored-Params"] = ", ".join(call.ask.ignored_params)
    if call.dropped_params or call.removed_fields:
        lacking = call.dropped_fields if call.dropped_params else ()
        headers["X-Dropped-Params"] = ", ".join((*call.removed_fields, *lacking))
    if call.set_params:
        headers["X-Set-Params"] = ", ".join(call.set_params)
    if call.visits is not None:
        headers["X-Explain-Way"] = f"{call.path or '-'}; route={_one_line(call.route_name)}"
        headers["X-Explain-Attempts"] = _attempts(call.visits)
    if call.guards:
        headers["X-Guards"] = ", ".join(call.guards)


def server_timing(call: Call) -> str:
    """Return what took how long so far, in milliseconds (W3C Server Timing).

    `total` ends with the first byte of the answer, and what is missing in it is the gateway's own.
    """
    upstream_ms = call.upstream_s * 1000
    total_ms = (precise_now() - call.watch.began) * 1000
    queue = "0" if not call.queue_s else f"{call.queue_s * 1000:.1f}"
    return f"queue;dur={queue}, upstream;dur={upstream_ms:.1f}, total;dur={total_ms:.1f}"


def _recall_headers(recall: Recall) -> dict[str, str]:
    headers: dict[str, str] = {"X-Cache": recall.status}
    if recall.age_s is not None:
        headers["Age"] = str(recall.age_s)
    if recall.provider:
        headers["X-Provider"] = recall.provider
    return headers


def _attempts(visits: Sequence[Visited]) -> str:
    """Return the attempts in order, those that failed with the class of their failure."""
    told = []
    for visit in visits[:_MOST_TOLD]:
        failure = "" if visit.failure is None else f";failure={visit.failure}"
        name = _one_line(visit.target[:_NAME_CHARS])
        told.append(f"{name}{failure};dur={visit.took_s * 1000:.1f}")
    return ", ".join(told)


_MOST_TOLD, _NAME_CHARS = 8, 256
"""Names can be three times as long when they are percent-encoded; all are below 8 KB."""


def _one_line(name: str) -> str:
    """Return a model's name as a header can say it; what cannot stand there is percent-encoded."""
    return name if name.isascii() and name.isprintable() else quote(name, safe=_PLAIN_IN_NAMES)


_PLAIN_IN_NAMES = "/:+@,;=()[]<>!*'$& "


def card_json(name: str, card: ModelCard, provider: str) -> dict[str, object]:
    """Return what listings say of a model."""
    heard, said = card.input_modalities or ("text",), card.output_modalities or ("text",)
    is_writing = "text" in said
    return {
        "name": name,
        "description": card.description or "",
        "provider": provider,
        "input_modalities": list(heard),
        "output_modalities": list(said),
        "tools": is_writing and "text" in heard and card.tools is not False,
        "vision": is_writing and "image" in heard,
        "audio": "audio" in said,
        "voices": list(card.voices or ()),
        "context": card.context,
        "licence": card.licence,
        "price": None if card.price is None else _price_json(card.price),
    }


def _price_json(price: Price) -> dict[str, object]:
    """Return what is paid for tokens in and out, and what else has a price."""
    said = price.model_dump(exclude_defaults=True)
    return {"input": price.input, "output": price.output, **said}

"""What the public paths do: read the request, let a dialect parse it, answer."""

from dataclasses import dataclass
from secrets import randbits
from typing import Any

from aiohttp import hdrs, web
from multidict import istr

from gateway.dialects.dynaspark import TextQuery, merge, parse_text
from gateway.dialects.dynaspark_audio import parse_audio
from gateway.dialects.dynaspark_feed import MAX_RESPONSE_BYTES, text_event
from gateway.dialects.dynaspark_render import TextStream, render_text
from gateway.dialects.json_gate import parse_object
from gateway.dialects.openai_chat import parse_chat
from gateway.dialects.openai_completions import (
    CompletionStream,
    parse_completion,
    render_completion,
)
from gateway.dialects.openai_render import ChatStream, render_chat
from gateway.dialects.query import decode_path, parse_form, parse_query
from gateway.pipeline.call import Services
from gateway.pipeline.identify import Caller, Presented
from gateway.pipeline.limits import plan
from gateway.pipeline.routing import conditions
from gateway.pipeline.routing.candidates import candidates
from gateway.pipeline.routing.target import Target
from gateway.schema.ask import Ask, Feature
from gateway.schema.events import Collected
from gateway.schema.failure import CallError
from gateway.schema.json import JsonObject
from gateway.web.access import check_prefetch
from gateway.web.body import read_body
from gateway.web.feeds import Feeds, may_appear
from gateway.web.received import services_of, shared_headers
from gateway.web.rendering import StreamRendering
from gateway.web.reply import answer
from gateway.web.serving import SERVING

DEFAULT_TEXT_MODEL = "openai"
_KEY_HEADERS = tuple(map(istr, ("x-api-key", "api-key", "x-goog-api-key")))
_DAY = "public, max-age=86400"


@dataclass(frozen=True, slots=True)
class ChatRendering:
    """Answers in OpenAI's chat format."""

    ask: Ask

    def whole(self, collected: Collected, *, request_id: str, created: int) -> tuple[str, bytes]:
        """Return a `chat.completion`."""
        body = render_chat(collected, request_id=request_id, model=self.ask.model, created=created)
        return "application/json", body

    def stream(self, *, request_id: str, created: int) -> StreamRendering:
        """Return what writes `chat.completion.chunk` frames."""
        return ChatStream(
            request_id=request_id,
            model=self.ask.model,
            created=created,
            is_usage_wanted=self.ask.is_usage_wanted,
        )

    def headers(self) -> dict[str, str]:
        """Return nothing of its own."""
        return {}


@dataclass(frozen=True, slots=True)
class CompletionRendering(ChatRendering):
    """Answers in OpenAI's completions format."""

    def whole(self, collected: Collected, *, request_id: str, created: int) -> tuple[str, bytes]:
        """Return a `text_completion`."""
        model = self.ask.model
        body = render_completion(collected, request_id=request_id, model=model, created=created)
        return "application/json", body

    def stream(self, *, request_id: str, created: int) -> StreamRendering:
        """Return what writes `text_completion` frames."""
        return CompletionStream(
            request_id=request_id,
            model=self.ask.model,
            created=created,
            is_usage_wanted=self.ask.is_usage_wanted,
        )


@dataclass(slots=True)
class WordsRendering:
    """Answers in DynaSpark's formats; with `may_be_kept` the same URL means the same words."""

    ask: Ask
    query: TextQuery
    may_be_kept: bool
    is_public: bool = False
    _body: bytes = b""
    _stream: TextStream | None = None

    def whole(self, collected: Collected, *, request_id: str, created: int) -> tuple[str, bytes]:
        """Return the model's words, or one JSON object."""
        media_type, body = render_text(collected, self.query)
        if self.is_public:
            self._body = body[:MAX_RESPONSE_BYTES]
        return media_type, body

    def stream(self, *, request_id: str, created: int) -> StreamRendering:
        """Return what writes chunks, the last with the id that ends an `EventSource`."""
        model = self.query.model
        stream = TextStream(
            self.query,
            request_id=request_id,
            model=model,
            created=created,
            kept_chars=MAX_RESPONSE_BYTES if self.is_public else 0,
        )
        if self.is_public:
            self._stream = stream
        return stream

    def publish(self, feeds: Feeds) -> None:
        """Publish the words as the caller has them."""
        said = self._body if self._stream is None else self._stream.said.encode()
        query = self.query
        wanted = {"json": query.is_json, "stream": query.is_stream}
        event = text_event(
            response=said[:MAX_RESPONSE_BYTES].decode(errors="ignore"),
            model=query.model,
            user_input=query.user_input,
            parameters={**self.ask.knobs, **{name: True for name, on in wanted.items() if on}},
        )
        feeds.publish_text(event)

    def headers(self) -> dict[str, str]:
        """Return the seed that was used, and for how long the answer holds."""
        set_seed = self.ask.set_seed
        headers = {"X-Seed": str(self.query.seed if set_seed is None else set_seed)}
        # A seed that the configuration takes out means nothing to the answer.
        if self.may_be_kept and self.ask.has_seed:
            headers["Cache-Control"] = _DAY
        return headers


@dataclass(frozen=True, slots=True)
class AudioRendering:
    """Answers with the sound itself."""

    ask: Ask

    def headers(self) -> dict[str, str]:
        """Return nothing of its own."""
        return {}


async def chat_completions(request: web.Request) -> web.StreamResponse:
    """`POST …/chat/completions`."""
    ask = parse_chat(await _written(request))
    return await answer(request, ChatRendering(ask), presented_by(request))


async def completions(request: web.Request) -> web.StreamResponse:
    """`POST …/completions`."""
    ask = parse_completion(await _written(request))
    return await answer(request, CompletionRendering(ask), presented_by(request))


async def generate_response(request: web.Request) -> web.StreamResponse:
    """`GET` and `POST /api/generate_response`."""
    return await _text(request, {})


async def text_of_path(request: web.Request) -> web.StreamResponse:
    """`GET /api/text/{prompt}`: the prompt is the rest of the path, slashes included."""
    return await _text(request, {"user_input": prompt_of_path(request)})


def prompt_of_path(request: web.Request) -> str:
    """Return what stands in the path after its fixed root, decoded."""
    resource = request.match_info.route.resource
    root = "" if resource is None else resource.canonical.partition("{")[0]
    # By slashes and not by name: routes are matched decoded, so `/%74ext/` is our root, too.
    return decode_path(request.rel_url.raw_path.split("/", root.count("/"))[-1])


def presented_by(request: web.Request, api_key: object = None) -> Presented:
    """Return what the request says of its sender; the parameter `api_key` counts last."""
    headers = request.headers
    secrets = []
    authorization = headers.get(hdrs.AUTHORIZATION)
    if authorization is not None and authorization[:7].lower() == "bearer ":
        secrets.append(authorization[7:].strip())
    secrets += [headers[name] for name in _KEY_HEADERS if name in headers]
    if isinstance(api_key, str):
        secrets.append(api_key)
    forwarded = ""
    if hdrs.X_FORWARDED_FOR in headers:
        forwarded = ",".join(headers.getall(hdrs.X_FORWARDED_FOR))
    return Presented(request.remote or "", forwarded, tuple(secrets))


def expected_target(ask: Ask, caller: Caller, services: Services) -> Target:
    """Return the target that would be asked first; raises what a call would, and counts nothing."""
    plan.hold_model(caller, ask, services)
    may_cost = services.may_cost or not caller.is_anonymous
    able = candidates(services.router.find(ask.model), ask, may_cost=may_cost)
    return conditions.admitted(able, ask, caller, services)[0]


async def _written(request: web.Request) -> JsonObject:
    """Return what the writing paths are sent: no form, and not what a browser guesses."""
    if request.headers.get(hdrs.CONTENT_TYPE, "")[:10].lower() == "multipart/":
        raise CallError("unsupported_media_type", "send the request as application/json")
    check_prefetch(request.headers)
    return await document_of(request)


async def document_of(request: web.Request) -> JsonObject:
    """Return the JSON object that is the body.

    Its bytes are not kept: a stream may last for minutes, with somebody's pictures in them.
    """
    bounds = request.app[SERVING].bounds
    return parse_object(await read_body(request, bounds.body_bytes, bounds.body_s))


async def _text(request: web.Request, of_path: dict[str, str]) -> web.StreamResponse:
    check_prefetch(request.headers)
    if request.method == "GET" and request.headers.get("Last-Event-ID", "").endswith("-end"):
        return web.Response(status=204, headers=shared_headers(request))
    given: JsonObject = {**parse_query(request.rel_url.raw_query_string), **of_path}
    if request.method == "POST":
        given = merge(given, await parameters_of(request))
    api_key = given.get("api_key")
    speaking = _speaking(request, given)
    if speaking is not None:
        return await answer(request, speaking, presented_by(request, api_key))
    ask, query = parse_text(given, default_model=DEFAULT_TEXT_MODEL, random_seed=randbits(31))
    presented = presented_by(request, api_key)
    is_shared = not ask.is_private and presented.key is None
    may_be_kept = request.method == "GET" and ask.has_seed and is_shared
    is_public = may_appear(ask, request.app[SERVING].feeds)
    rendering = WordsRendering(ask, query, may_be_kept, is_public)
    if request.method == "HEAD":
        return _head(request, rendering, presented)
    return await answer(request, rendering, presented)


def _speaking(request: web.Request, given: JsonObject) -> AudioRendering | None:
    """Return what answers in sound, when that is all that the model asked for can do."""
    model = given.get("model")
    if request.method == "HEAD" or not isinstance(model, str):
        return None
    found = services_of(request).router.names.get(model)
    if found is None or not all(_only_speaks(target) for target in found.targets):
        return None
    voices = [voice for target in found.targets for voice in target.card.voices or ()]
    return AudioRendering(parse_audio(given, model=model, voices=voices))


def _only_speaks(target: Target) -> bool:
    return Feature.SPEECH in target.features and Feature.TEXT not in target.features


async def parameters_of(request: web.Request) -> dict[str, Any]:  # Any: text, or JSON values.
    """Return what the body of a POST gives, as a form or as JSON."""
    bounds = request.app[SERVING].bounds
    body = await read_body(request, bounds.body_bytes, bounds.body_s)
    kind = request.content_type
    if kind == "application/x-www-form-urlencoded" and not body.lstrip().startswith(b"{"):
        return dict(parse_form(body))
    if kind.startswith("multipart/"):
        raise CallError(
            "unsupported_media_type",
            "send the parameters as application/json or application/x-www-form-urlencoded",
        )
    # curl says that what it posts is a form unless told otherwise; a brace says that it is not.
    return parse_object(body) if body.strip() else {}


def _head(request: web.Request, rendering: WordsRendering, presented: Presented) -> web.Response:
    """Answer the headers that are known without generating anything; nothing is counted."""
    services = services_of(request)
    target = expected_target(rendering.ask, services.identifier.identify(presented), services)
    if rendering.ask.is_stream:
        media_type = "text/event-stream; charset=utf-8"
    else:
        media_type = "application/json" if rendering.query.is_json else "text/plain; charset=utf-8"
    headers = {
        **shared_headers(request),
        "Content-Type": media_type,
        "Cache-Control": "private, no-store",
        "X-Provider": target.connected.name,
        **rendering.headers(),
    }
    return web.Response(headers=headers)

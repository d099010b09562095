"""An OpenAI-compatible API: documents go through as they are, canonical requests are translated."""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import dataclass
from types import TracebackType

import orjson

from gateway.schema.chat import ChatRequest, CompletionRequest
from gateway.schema.events import StreamEvent
from gateway.schema.failure import Failure
from gateway.schema.json import JsonObject, Wire, read_object
from gateway.schema.sse import FrameTooLargeError, Splitter, data_of, frames_of
from gateway.schema.wires import is_error
from gateway.sdk import (
    Attempt,
    Deps,
    Forwarded,
    HttpClient,
    HttpError,
    ListedModel,
    ModelCard,
    UpstreamError,
)
from gateway.sdk.openai_wire import (
    ChunkReader,
    completion_document_of,
    document_of,
    events_of_reply,
)
from gateway_openai.failures import error_in_stream, refusal, unreachable
from gateway_openai.settings import OpenAISettings

_PATHS = {Wire.OPENAI_CHAT: "/chat/completions", Wire.OPENAI_COMPLETIONS: "/completions"}
_OK = 200
_ERROR_BYTES = 64 * 1024
_REPLY_BYTES = 16 * 1024 * 1024


class OpenAI:
    """One account at one OpenAI-compatible host."""

    wires = frozenset(_PATHS)

    def __init__(self, settings: OpenAISettings, deps: Deps) -> None:
        row = settings.row()
        headers = {"content-type": "application/json", "user-agent": "dynagate"}
        if settings.api_key is not None:
            headers["authorization"] = f"Bearer {settings.api_key.get_secret_value()}"
        headers |= {name: text.get_secret_value() for name, text in settings.headers.items()}
        self._row = row
        self._host = _Reached(deps.http, row.base_url, headers)

    def forward(
        self, wire: Wire, document: JsonObject, attempt: Attempt
    ) -> AbstractAsyncContextManager[Forwarded]:
        """Send `document`, asking for the usage of a stream where the host must be asked."""
        if self._row.usage == "stream_options" and document.get("stream") is True:
            options = document.get("stream_options")
            asked = {"include_usage": True}
            document["stream_options"] = (
                {**options, **asked} if isinstance(options, dict) else asked
            )
        return _Exchange(self._host, _PATHS[wire], document)

    async def chat(self, request: ChatRequest, attempt: Attempt) -> AsyncGenerator[StreamEvent]:
        """Yield the reply's events."""
        document = document_of(
            request,
            is_stream=attempt.is_stream,
            is_usage_asked=self._row.usage == "stream_options",
            max_tokens_field=self._row.max_tokens_field,
        )
        async with aclosing(self._events(_PATHS[Wire.OPENAI_CHAT], document, attempt)) as events:
            async for event in events:
                yield event

    async def complete(
        self, request: CompletionRequest, attempt: Attempt
    ) -> AsyncGenerator[StreamEvent]:
        """Yield the continuation's events."""
        document = completion_document_of(
            request,
            is_stream=attempt.is_stream,
            is_usage_asked=self._row.usage == "stream_options",
        )
        path = _PATHS[Wire.OPENAI_COMPLETIONS]
        async with aclosing(self._events(path, document, attempt)) as events:
            async for event in events:
                yield event

    def card(self, model: str) -> ModelCard:
        """Say what holds for any chat model behind this API."""
        return ModelCard(output_modalities=("text",), json_object=True)

    async def models(self) -> Sequence[ListedModel]:
        """Ask the host which models there are."""
        try:
            host = self._host
            url = f"{host.base_url}/models"
            async with host.http.request("GET", url, headers=host.headers) as answer:
                body = await answer.read(_REPLY_BYTES)
        except HttpError as error:
            raise unreachable(error) from error
        if answer.status != _OK:
            raise refusal(answer.status, answer.headers, body)
        listed = (read_object(body) or {}).get("data")
        rows = listed if isinstance(listed, list) else []
        return [
            ListedModel(str(row["id"])) for row in rows if isinstance(row, dict) and "id" in row
        ]

    async def _events(
        self, path: str, document: JsonObject, attempt: Attempt
    ) -> AsyncGenerator[StreamEvent]:
        async with _Exchange(self._host, path, document) as answer:
            if not attempt.is_stream:
                reply = read_object(await _whole(answer))
                if reply is None:
                    raise UpstreamError(Failure.TRANSIENT, "the answer is not a JSON object")
                if is_error(reply):
                    raise error_in_stream(reply)
                for event in events_of_reply(reply):
                    yield event
                return
            reader = ChunkReader()
            async with aclosing(_chunks(answer.chunks)) as chunks:
                async for chunk in chunks:
                    for event in reader.read(chunk):
                        yield event


@dataclass(frozen=True, slots=True)
class _Reached:
    """Where the API is, and what every request to it says."""

    http: HttpClient
    base_url: str
    headers: Mapping[str, str]


class _Exchange:
    """One request and its answer; entered when the host has accepted."""

    __slots__ = ("_body", "_host", "_path", "_request")

    def __init__(self, host: _Reached, path: str, document: JsonObject) -> None:
        self._host = host
        self._path = path
        self._body = orjson.dumps(document)

    async def __aenter__(self) -> Forwarded:
        host = self._host
        self._request = host.http.request(
            "POST",
            host.base_url + self._path,
            headers=host.headers,
            body=self._body,
        )
        try:
            answer = await self._request.__aenter__()
        except HttpError as error:
            raise unreachable(error) from error
        if answer.status != _OK:
            try:
                body = await answer.read(_ERROR_BYTES)
            except HttpError:
                body = b""
            finally:
                await self._request.__aexit__(None, None, None)
            raise refusal(answer.status, answer.headers, body)
        self._body = b""  # Sent; a stream may last for minutes.
        return Forwarded({}, aiter(answer), answer.read)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._request.__aexit__(kind, error, trace)


async def _whole(answer: Forwarded) -> bytes:
    try:
        return await answer.read(_REPLY_BYTES)
    except HttpError as error:
        raise unreachable(error) from error


async def _chunks(pieces: AsyncIterator[bytes]) -> AsyncGenerator[JsonObject]:
    """Yield the objects of a stream; raise for an error, for garbage, for an early end."""
    splitter = Splitter()
    is_finished = False
    try:
        async for piece in pieces:
            for frame in frames_of(splitter.feed(piece)):
                data = data_of(frame)
                if data == b"[DONE]":
                    return
                if not data:
                    continue
                chunk = read_object(data)
                if chunk is None:
                    raise UpstreamError(Failure.TRANSIENT, "an event is not a JSON object")
                if is_error(chunk):
                    raise error_in_stream(chunk)
                is_finished = (
                    is_finished or b'"finish_reason":"' in data or b'"finish_reason": "' in data
                )
                yield chunk
    except FrameTooLargeError as error:
        raise UpstreamError(Failure.TRANSIENT, str(error)) from error
    except HttpError as error:
        raise unreachable(error) from error
    if not is_finished and data_of(splitter.rest()) != b"[DONE]":
        raise UpstreamError(Failure.TRANSIENT, "the stream ended before the answer did")

"""An OpenAI-compatible API: documents go through as they are, canonical requests are translated."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, aclosing

from gateway.schema.audio import SpeechRequest, Transcript, TranscriptionRequest
from gateway.schema.chat import ChatRequest, CompletionRequest
from gateway.schema.embeddings import EmbeddingRequest, Embeddings
from gateway.schema.events import StreamEvent
from gateway.schema.failure import Failure
from gateway.schema.images import ImageAnswer, ImageEditRequest, ImageRequest
from gateway.schema.json import JsonObject, Wire, read_object
from gateway.schema.moderation import Moderation, ModerationRequest
from gateway.schema.sse import FrameTooLargeError, Splitter, data_of, frames_of
from gateway.schema.wires import is_error
from gateway.sdk import (
    Attempt,
    Deps,
    Forwarded,
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
from gateway_openai import media, pictures
from gateway_openai.cards import card_of
from gateway_openai.exchange import REPLY_BYTES, Exchange, Reached, reply_of
from gateway_openai.failures import error_in_stream, refusal, unreachable
from gateway_openai.settings import OpenAISettings

_PATHS = {
    Wire.OPENAI_CHAT: "/chat/completions",
    Wire.OPENAI_COMPLETIONS: "/completions",
    Wire.OPENAI_EMBEDDINGS: "/embeddings",
}
_OK = 200
_REFUSING = frozenset({401, 408, 429})
"""With these a call would be refused as well."""
_SERVER_ERROR = 500
_ERROR_BYTES = 64 * 1024
_AT_ONCE = 4


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
        self._fetch = deps.fetch
        self._fetches_links = settings.fetches_links()
        self._prices_of = settings.prices_of()
        self._routes_itself = settings.routes_itself()
        self._host = Reached(deps.http, row.base_url, headers)

    def forward(
        self, wire: Wire, document: JsonObject, attempt: Attempt
    ) -> AbstractAsyncContextManager[Forwarded]:
        """Send `document`, asking for the usage of a stream where the host must be asked.

        A ceiling goes out under the host's name for it: OpenAI's newer models refuse the other.
        """
        ceiling = self._row.max_tokens_field
        if wire is Wire.OPENAI_CHAT and "max_tokens" in document and ceiling not in document:
            document[ceiling] = document.pop("max_tokens")
        if self._row.usage == "stream_options" and document.get("stream") is True:
            options = document.get("stream_options")
            asked = {"include_usage": True}
            document["stream_options"] = (
                {**options, **asked} if isinstance(options, dict) else asked
            )
        return Exchange(self._host, _PATHS[wire], document)

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

    async def embed(self, request: EmbeddingRequest, attempt: Attempt) -> Embeddings:
        """Return one vector a text."""
        document = media.embedding_document(request)
        return media.embeddings_of(await reply_of(Exchange(self._host, "/embeddings", document)))

    async def draw(self, request: ImageRequest, attempt: Attempt) -> ImageAnswer:
        """Return the pictures; of several calls at once where the model draws fewer in one."""
        gate = asyncio.Semaphore(_AT_ONCE)

        async def one(part: ImageRequest) -> ImageAnswer:
            async with gate:
                document = pictures.image_document(part)
                reply = await reply_of(Exchange(self._host, "/images/generations", document))
            return await pictures.images_of(reply, self._fetch, attempt.deadline)

        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(one(part)) for part in pictures.parts_of(request)]
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None
        answers = [task.result() for task in tasks]
        return ImageAnswer(tuple(image for answer in answers for image in answer.images))

    async def edit(self, request: ImageEditRequest, attempt: Attempt) -> ImageAnswer:
        """Return the changed pictures."""
        path, body, headers = await asyncio.to_thread(pictures.edit_form, request)
        reply = await reply_of(Exchange(self._host, path, body, headers))
        return await pictures.images_of(reply, self._fetch, attempt.deadline)

    async def moderate(self, request: ModerationRequest, attempt: Attempt) -> Moderation:
        """Return one judgement a text."""
        document = media.moderation_document(request)
        return media.moderation_of(await reply_of(Exchange(self._host, "/moderations", document)))

    async def speak(self, request: SpeechRequest, attempt: Attempt) -> AsyncGenerator[bytes]:
        """Yield the sound as it comes."""
        document = media.speech_document(request)
        try:
            async with Exchange(self._host, "/audio/speech", document) as answer:
                async for piece in answer.chunks:
                    yield piece
        except HttpError as error:
            raise unreachable(error) from error

    async def transcribe(self, request: TranscriptionRequest, attempt: Attempt) -> Transcript:
        """Return what was said."""
        body, headers = await asyncio.to_thread(media.transcription_form, request)
        task = "translations" if request.is_translation else "transcriptions"
        exchange = Exchange(self._host, f"/audio/{task}", body, headers)
        return media.transcript_of(await reply_of(exchange))

    def card(self, model: str) -> ModelCard:
        """Say what the name of a model tells of it, and its host of links, prices and routing."""
        return card_of(
            model,
            fetches_links=self._fetches_links,
            prices_of=self._prices_of,
            routes_itself=self._routes_itself,
        )

    async def probe(self, model: str) -> None:
        """Ask for the list of models, which costs nothing anywhere; it is not read.

        Hosts without one, and keys that may not see it, are no failures: the host has answered.
        """
        host = self._host
        try:
            url = f"{host.base_url}/models"
            async with host.http.request("GET", url, headers=host.headers) as answer:
                if answer.status in _REFUSING or answer.status >= _SERVER_ERROR:
                    body = await answer.read(_ERROR_BYTES)
                    raise refusal(answer.status, answer.headers, body)
        except HttpError as error:
            raise unreachable(error) from error

    async def models(self) -> Sequence[ListedModel]:
        """Ask the host which models there are."""
        try:
            host = self._host
            url = f"{host.base_url}/models"
            async with host.http.request("GET", url, headers=host.headers) as answer:
                body = await answer.read(REPLY_BYTES)
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
        exchange = Exchange(self._host, path, document)
        if not attempt.is_stream:
            for event in events_of_reply(await reply_of(exchange)):
                yield event
            return
        async with exchange as answer:
            reader = ChunkReader()
            async with aclosing(_chunks(answer.chunks)) as chunks:
                async for chunk in chunks:
                    for event in reader.read(chunk):
                        yield event


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

"""The provider: canonical requests in, events out, one model on this machine behind them."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace

from gateway.schema.audio import SpeechRequest, Transcript, TranscriptionRequest
from gateway.schema.chat import ChatRequest, CompletionRequest
from gateway.schema.embeddings import EmbeddingRequest, Embeddings
from gateway.schema.events import Finish, Started, StreamEvent, TextDelta, ToolCallStarted
from gateway.schema.failure import Failure
from gateway.schema.images import ImageAnswer, ImageEditRequest, ImageRequest
from gateway.schema.json import JsonObject
from gateway.schema.moderation import Moderation, ModerationRequest
from gateway.schema.usage import Usage
from gateway.sdk import Attempt, HttpClient, ListedModel, ModelCard, UpstreamError
from gateway.sdk.openai_wire import ChunkReader
from gateway_local.document import are_tools_free, chat_document, completion_document, forced_tools
from gateway_local.engine import Endpoint, Engine
from gateway_local.llama import chunks
from gateway_local.making import CARDS, EMBED, MODERATE, PAINTER, SPEECH, TRANSCRIBE, Maker
from gateway_local.pictures import Seer
from gateway_local.settings import LocalSettings
from gateway_local.shelf import Shelf
from gateway_local.tool_text import ToolText, call_id

CHAT = "chat"
_SIGHT = "Of pictures it is told the text, size and colours: it does not recognise objects."
_KNOBS = (
    "temperature",
    "top_p",
    "presence_penalty",
    "frequency_penalty",
    "seed",
    "max_output_tokens",
    "stop",
    "n",
    "top_logprobs",
)


class Local:
    """One model in a worker process, under the upstream name `chat`."""

    def __init__(
        self,
        settings: LocalSettings,
        shelf: Shelf,
        engine: Engine,
        http: HttpClient,
        *,
        maker: Maker,
        seer: Seer,
    ) -> None:
        self._settings = settings
        self._shelf = shelf
        self._engine = engine
        self._http = http
        self._maker = maker
        self._seer = seer

    async def chat(self, request: ChatRequest, attempt: Attempt) -> AsyncGenerator[StreamEvent]:
        """Yield the reply's events; `n` answers come one after the other."""
        _check(request.model)
        forced_tools(request)
        request = await self._seer.told(request)
        endpoint = await self._engine.ready(attempt.deadline)
        usage = Usage()
        has_started = False
        for index in range(request.sampling.n):
            async with aclosing(self._answer(request, index, endpoint, attempt)) as events:
                async for event in events:
                    match event:
                        case Usage():
                            usage += event
                        case Started() if has_started:
                            continue
                        case _:
                            has_started = True
                            yield event
        yield usage

    async def complete(
        self, request: CompletionRequest, attempt: Attempt
    ) -> AsyncGenerator[StreamEvent]:
        """Yield the continuations' events, prompt by prompt, each after its prompt if echoed."""
        _check(request.model)
        endpoint = await self._engine.ready(attempt.deadline)
        usage = Usage()
        wanted = [prompt for prompt in request.prompts for _ in range(request.sampling.n)]
        for index, prompt in enumerate(wanted):
            number = index % request.sampling.n
            document = completion_document(request, prompt, attempt_of_n=number)
            async with aclosing(
                self._events("/v1/completions", document, index, endpoint, attempt)
            ) as events:
                async for event in events:
                    match event:
                        case Usage():
                            usage += event
                        case Started():
                            if index == 0:
                                yield event
                            if request.is_echoed and prompt:
                                yield TextDelta(index, prompt)
                        case _:
                            yield event
        yield usage

    async def embed(self, request: EmbeddingRequest, attempt: Attempt) -> Embeddings:
        """Return one vector a text."""
        _check(request.model, EMBED)
        return await self._maker.embed(request)

    async def moderate(self, request: ModerationRequest, attempt: Attempt) -> Moderation:
        """Return one judgement a text."""
        _check(request.model, MODERATE)
        return await self._maker.moderate(request)

    async def draw(self, request: ImageRequest, attempt: Attempt) -> ImageAnswer:
        """Return the pictures."""
        _check(request.model, PAINTER)
        return await self._maker.draw(request)

    async def edit(self, request: ImageEditRequest, attempt: Attempt) -> ImageAnswer:
        """Return the changed pictures."""
        _check(request.model, PAINTER)
        return await self._maker.edit(request)

    async def speak(self, request: SpeechRequest, attempt: Attempt) -> AsyncGenerator[bytes]:
        """Yield the sound as it is made."""
        _check(request.model, SPEECH)
        async with aclosing(self._maker.speak(request)) as pieces:
            async for piece in pieces:
                yield piece

    async def transcribe(self, request: TranscriptionRequest, attempt: Attempt) -> Transcript:
        """Return what was said."""
        _check(request.model, TRANSCRIBE)
        return await self._maker.transcribe(request)

    def card(self, model: str) -> ModelCard:
        """Say what really answers: the loaded file, or before that the one that would be."""
        if model != CHAT:
            return CARDS.get(model, ModelCard())
        endpoint = self._engine.endpoint
        chosen = endpoint.chosen if endpoint is not None else self._shelf.wanted()
        card = ModelCard(
            description=f"{chosen.name}, run on this machine. {_SIGHT}",
            context=self._settings.slot_context,
            max_output_tokens=self._settings.slot_context,
            input_modalities=("text", "image"),
            output_modalities=("text",),
            json_object=True,
            json_schema=True,
            reasoning=False,
            parameters=_KNOBS,
        )
        if chosen.entry is None:
            return card
        stands_in = f" (in place of {self._settings.model})" if chosen.is_substitute else ""
        entry = chosen.entry
        facts = {
            "description": f"{entry.name}, run on this machine{stands_in}. {entry.about} {_SIGHT}",
            "context": min(self._settings.slot_context, entry.context),
            "tools": entry.has_tools,
            "licence": entry.licence,
        }
        return card.model_copy(update=facts)

    async def models(self) -> Sequence[ListedModel]:
        """Return what there is: a model that chats, and the engines."""
        return [ListedModel(name, self.card(name)) for name in (CHAT, *CARDS)]

    async def _answer(
        self, request: ChatRequest, index: int, endpoint: Endpoint, attempt: Attempt
    ) -> AsyncGenerator[StreamEvent]:
        """Yield one whole answer.

        Tools and a response format at once: a schema that allows both made the model call a tool
        for 8 of 8 prompts, 3 of them chit-chat (0.5B, 2026-11). So it is asked with the tools
        first, and once more under the format when it called none.
        """
        if are_tools_free(request) and request.response_format is not None:
            free = replace(request, response_format=None)
            tried = [event async for event in self._once(free, index, endpoint, attempt)]
            has_called = any(isinstance(event, ToolCallStarted) for event in tried)
            for event in tried:
                if has_called or isinstance(event, Usage):
                    yield event
            if has_called:
                return
            request = replace(request, tools=())
        async with aclosing(self._once(request, index, endpoint, attempt)) as events:
            async for event in events:
                yield event

    async def _once(
        self, request: ChatRequest, index: int, endpoint: Endpoint, attempt: Attempt
    ) -> AsyncGenerator[StreamEvent]:
        """Yield one generation, calls told from text."""
        document = chat_document(request, attempt_of_n=index)
        forced = forced_tools(request)
        tools = forced or (request.tools if are_tools_free(request) else ())
        is_single = bool(forced) or request.parallel_tool_calls is False
        reader = ToolText({tool.name for tool in tools}, index=index, is_single=is_single)
        async with aclosing(
            self._events("/v1/chat/completions", document, index, endpoint, attempt)
        ) as events:
            async for event in events:
                match event:
                    case TextDelta() if tools:
                        for found in reader.feed(event):
                            yield found
                    case Finish() if tools:
                        for found in reader.finish(event.reason):
                            yield found
                    case ToolCallStarted():  # The model's own format, which the server understood.
                        yield replace(event, id=call_id())
                    case _:
                        yield event

    async def _events(
        self, path: str, document: JsonObject, index: int, endpoint: Endpoint, attempt: Attempt
    ) -> AsyncGenerator[StreamEvent]:
        """Yield what the worker says, as choice `index`."""
        reader = ChunkReader()
        stream = chunks(self._http, endpoint, path, document, attempt.deadline)
        try:
            async with aclosing(stream):
                async for chunk in stream:
                    for event in reader.read(chunk):
                        match event:
                            case Started():
                                yield Started(model=endpoint.chosen.name, created=event.created)
                            case Usage():
                                yield event
                            case _:
                                yield replace(event, index=index)
        except UpstreamError as error:
            if error.failure is Failure.TRANSIENT and error.status is None:
                self._engine.doubt(endpoint)
            raise


def _check(model: str, wanted: str = CHAT) -> None:
    if model != wanted:
        raise UpstreamError(
            Failure.MODEL_GONE, f"local: there is no model {model!r} for this, only {wanted!r}"
        )

"""The worker's side of a provider that runs in the host: the same methods, and no others."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any, Final

from gateway.crew.link import Link, LinkError, connect
from gateway.crew.words import About, End, Failed, Item, Told, Use, broken
from gateway.schema.audio import SpeechRequest, Transcript, TranscriptionRequest
from gateway.schema.chat import ChatRequest, CompletionRequest
from gateway.schema.embeddings import EmbeddingRequest, Embeddings
from gateway.schema.events import StreamEvent
from gateway.schema.images import ImageAnswer, ImageEditRequest, ImageRequest
from gateway.schema.json import JsonObject, Wire
from gateway.schema.moderation import Moderation, ModerationRequest
from gateway.sdk.http import TooLargeError
from gateway.sdk.providers import Attempt, Forwarded, ListedModel, ModelCard


class Far:
    """A provider of the host as a worker reaches it, one link a call.

    Readings of `Clock.monotonic` mean the same in all processes of a machine, so deadlines do.
    """

    def __init__(self, socket: Path, name: str, generation: int = 1) -> None:
        self._socket = socket
        self._name = name
        self._generation = generation

    async def told(self) -> Told:
        """Return what the provider can do. Raises `LinkError`."""
        link = await connect(self._socket)
        try:
            await link.send(About(self._name, self._generation))
            told: Told | Failed = await link.receive()
        finally:
            link.close()
        if isinstance(told, Failed):
            raise LinkError(f"it has no provider {self._name}")
        return told

    async def items(self, method: str, *arguments: object) -> AsyncGenerator[Any]:
        """Yield what `method` returns or yields, and raise what it raises.

        Closing ends the call in the host: nothing is awaited for that. The host sends no more than
        the socket holds of what is not read.
        """
        link: Link | None = None
        try:
            link = await connect(self._socket)
            await link.send(Use(self._name, self._generation, method, arguments))
            while not isinstance(word := await link.receive(), End):
                match word:
                    case Item():
                        yield word.value
                    case Failed():
                        raise word.raised()
        except LinkError as error:
            raise broken(self._name) from error
        finally:
            if link is not None:
                link.close()

    async def only(self, method: str, *arguments: object) -> Any:  # Any: what the method returns.
        """Return what `method` returns, or raise what it raises."""
        async with aclosing(self.items(method, *arguments)) as items:
            async for item in items:
                return item
        raise broken(self._name)


class _Proxy:
    def __init__(self, far: Far, told: Told) -> None:
        self._far = far
        self._told = told


class _Chat(_Proxy):
    def chat(self, request: ChatRequest, attempt: Attempt) -> AsyncGenerator[StreamEvent]:
        return self._far.items("chat", request, attempt)


class _Complete(_Proxy):
    def complete(self, request: CompletionRequest, attempt: Attempt) -> AsyncGenerator[StreamEvent]:
        return self._far.items("complete", request, attempt)


class _Draw(_Proxy):
    async def draw(self, request: ImageRequest, attempt: Attempt) -> ImageAnswer:
        answer: ImageAnswer = await self._far.only("draw", request, attempt)
        return answer


class _Edit(_Proxy):
    async def edit(self, request: ImageEditRequest, attempt: Attempt) -> ImageAnswer:
        answer: ImageAnswer = await self._far.only("edit", request, attempt)
        return answer


class _Speak(_Proxy):
    def speak(self, request: SpeechRequest, attempt: Attempt) -> AsyncGenerator[bytes]:
        return self._far.items("speak", request, attempt)


class _Transcribe(_Proxy):
    async def transcribe(self, request: TranscriptionRequest, attempt: Attempt) -> Transcript:
        answer: Transcript = await self._far.only("transcribe", request, attempt)
        return answer


class _Embed(_Proxy):
    async def embed(self, request: EmbeddingRequest, attempt: Attempt) -> Embeddings:
        answer: Embeddings = await self._far.only("embed", request, attempt)
        return answer


class _Moderate(_Proxy):
    async def moderate(self, request: ModerationRequest, attempt: Attempt) -> Moderation:
        answer: Moderation = await self._far.only("moderate", request, attempt)
        return answer


class _List(_Proxy):
    async def models(self) -> Sequence[ListedModel]:
        answer: Sequence[ListedModel] = await self._far.only("models")
        return answer


class _Probe(_Proxy):
    async def probe(self, model: str) -> None:
        await self._far.only("probe", model)


class _Forward(_Proxy):
    @property
    def wires(self) -> frozenset[Wire]:
        return self._told.wires

    @asynccontextmanager
    async def forward(
        self, wire: Wire, document: JsonObject, attempt: Attempt
    ) -> AsyncGenerator[Forwarded]:
        async with aclosing(self._far.items("forward", wire, document, attempt)) as items:
            headers: Mapping[str, str] = await anext(items)

            async def read(limit: int) -> bytes:
                body = bytearray()
                async for piece in items:
                    body += piece
                    if len(body) > limit:
                        raise TooLargeError(limit)
                return bytes(body)

            yield Forwarded(headers, items, read)


class _Cards(_Proxy):
    def card(self, model: str) -> ModelCard:
        return (self._told.cards or {}).get(model) or ModelCard()


METHODS: Final[Mapping[str, type[_Proxy]]] = {
    "chat": _Chat,
    "complete": _Complete,
    "draw": _Draw,
    "edit": _Edit,
    "speak": _Speak,
    "transcribe": _Transcribe,
    "embed": _Embed,
    "moderate": _Moderate,
    "models": _List,
    "probe": _Probe,
    "forward": _Forward,
}
"""Every method that a worker may call in the host, and the proxy that has it."""
STREAMED: Final = frozenset({"chat", "complete", "speak"})


def proxy_of(far: Far, told: Told) -> object:
    """Return an object with just the methods that the provider has.

    What a target can do is found in its provider's methods, so the class is made for it.
    """
    kinds = [kind for name, kind in METHODS.items() if name in told.methods]
    if told.cards is not None:
        kinds.append(_Cards)
    return type("Proxy", tuple(kinds), {})(far, told) if kinds else object()

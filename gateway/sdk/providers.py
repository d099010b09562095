"""What a provider is: the protocols it may implement and what it is given.

A provider is an object; what it can do is which of these protocols it satisfies. It holds no
policy: no retries, limits or caches, and no timeout around a `yield`. Blocking work goes to a
process of its own.
"""

from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Mapping,
    Sequence,
)
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from logging import Logger
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict, Field

from gateway.schema.chat import ChatRequest, CompletionRequest
from gateway.schema.events import StreamEvent
from gateway.schema.json import JsonObject, Wire
from gateway.sdk.http import HttpClient
from gateway.sdk.weights import Weights

API = 1
"""The plugin API this gateway speaks."""

Modality = Literal["text", "image", "audio", "embedding", "moderation"]


_MOST_USD = 1_000_000
_Usd = Annotated[float, Field(ge=0, le=_MOST_USD, allow_inf_nan=False)]


class Price(BaseModel):
    """US dollars for a million tokens, a picture, a second of sound or a call.

    The buckets are those of `Usage`, which are disjoint: `cached_input` is not part of what
    `input` is paid for. None is as `input`, or as `output`. A target with any price above 0 is
    priced.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    input: _Usd = 0.0
    cached_input: _Usd | None = None
    cache_write: _Usd | None = None
    output: _Usd = 0.0
    reasoning: _Usd | None = None
    audio_in: _Usd | None = None
    audio_out: _Usd | None = None
    image: _Usd = 0.0
    """For a picture made."""
    audio_second: _Usd = 0.0
    """For a second of sound, heard or spoken."""
    request: _Usd = 0.0
    """For a call that was answered."""

    @property
    def is_free(self) -> bool:
        """Whether nothing costs anything."""
        return not any(getattr(self, name) for name in type(self).model_fields)


class ModelCard(BaseModel):
    """What is known of one upstream model; None is "nobody said".

    Merged field by field: configuration, then the lister, the host's row, the kind's default.
    `parameters` lists the knobs of `Sampling` that the model takes (None: all), `ranges` narrower
    limits of those knobs, both ends included. `deterministic`: the same request and seed give the
    same picture. `fetches_links`: its host is out on the internet and gets the URLs of callers'
    pictures itself; for every other the gateway fetches them and sends what is there.
    `routes_itself`: its host chooses models and providers by `models`, `provider` and `route` of a
    request, and gets these as they are. `prices_of`: the provider of `genai-prices` whose prices
    hold where `price` says nothing.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    description: str | None = None
    context: int | None = None
    max_output_tokens: int | None = None
    input_modalities: tuple[Modality, ...] | None = None
    output_modalities: tuple[Modality, ...] | None = None
    tools: bool | None = None
    json_object: bool | None = None
    json_schema: bool | None = None
    reasoning: bool | None = None
    voices: tuple[str, ...] | None = None
    licence: str | None = None
    parameters: tuple[str, ...] | None = None
    ranges: Mapping[str, tuple[float, float]] | None = None
    deterministic: bool | None = None
    fetches_links: bool | None = None
    routes_itself: bool | None = None
    price: Price | None = None
    prices_of: str | None = None

    def over(self, other: "ModelCard") -> "ModelCard":
        """Return this card with what it leaves open taken from `other`."""
        said = {name: getattr(self, name) for name in self.model_fields_set}
        said = {name: value for name, value in said.items() if value is not None}
        return other.model_copy(update=said)


class Attempt(NamedTuple):
    """One try at one target; `deadline` is a reading of `Clock.monotonic`."""

    request_id: str
    number: int
    """Counts from 1."""
    deadline: float
    is_stream: bool = True


class Clock(Protocol):
    """Time, as a value that tests can set."""

    def monotonic(self) -> float:
        """Seconds that never go back."""

    def now(self) -> datetime:
        """The wall clock, in UTC."""


class Background(Protocol):
    """Starts work that outlives a request: bounded, watched, awaited when the gateway stops."""

    def start(
        self,
        name: str,
        work: Coroutine[
            Any, Any, None
        ],  # Any: what a coroutine is sent and sends is its own business.
        *,
        on_error: Callable[[BaseException], None] | None = None,
    ) -> Callable[[], None]:
        """Run `work`; an exception goes to `on_error` and the log. Returns what cancels it."""


@dataclass(frozen=True, slots=True)
class Deps:
    """What a provider is given when it is connected. `name` is its name in the configuration."""

    name: str
    http: HttpClient
    fetch: HttpClient
    clock: Clock
    log: Logger
    state_dir: Path
    cache_dir: Path
    """For what can be brought again: weights above all. Shared by all providers of the user."""
    background: Background


def _nothing_missing(settings: object) -> None:
    """Say that any settings work."""


def _no_secrets(settings: object) -> Sequence[str]:
    """Say that settings hold no secret."""
    return ()


@dataclass(frozen=True, slots=True)
class ProviderKind:
    """A sort of provider that `config.yaml` can name.

    `settings` validates the provider's `settings:`. `connect` is entered once for each provider
    that is configured and left when nothing uses it any more. `missing` says why these settings
    cannot work yet (a key that is not set), else None: such a provider's targets are skipped.
    """

    name: str
    settings: type[BaseModel]
    connect: Callable[[Any, Deps], AbstractAsyncContextManager[object]]  # Any: its own settings.
    missing: Callable[[Any], str | None] = _nothing_missing
    secrets: Callable[[Any], Sequence[str]] = _no_secrets
    """The values that must never reach a log, an error or a metric."""
    weights: Weights | None = None
    api: int = API
    once: bool = False
    """Whether one process runs such a provider for all of them, since a machine has room for one.

    What it takes and gives is pickled then, and its cards are read when the gateway starts: those
    of the models that the configuration names, or that `models` lists where it names a family.
    """


@dataclass(slots=True)
class Forwarded:
    """The body of an upstream that accepted a document in its own wire format, not yet read.

    `headers` are those that the caller may see, in lower case. `chunks` and `read(limit)` are the
    two ways to the body; both raise `UpstreamError` or `HttpError`.
    """

    headers: Mapping[str, str]
    chunks: AsyncIterator[bytes]
    read: Callable[[int], Awaitable[bytes]]


@dataclass(frozen=True, slots=True)
class ListedModel:
    """A model that an upstream says it has."""

    id: str
    card: ModelCard = field(default_factory=ModelCard)


@runtime_checkable
class ChatProvider(Protocol):
    """Continues conversations."""

    def chat(self, request: ChatRequest, attempt: Attempt) -> AsyncGenerator[StreamEvent]:
        """Yield the reply's events; raise `UpstreamError`.

        Closing the generator must free the upstream at once.
        """


@runtime_checkable
class CompletionProvider(Protocol):
    """Continues plain text."""

    def complete(self, request: CompletionRequest, attempt: Attempt) -> AsyncGenerator[StreamEvent]:
        """Yield the continuation's events; raise `UpstreamError`.

        Closing the generator must free the upstream at once.
        """


@runtime_checkable
class ForwardingProvider(Protocol):
    """Takes a caller's document as it is, when it is in one of `wires`."""

    wires: frozenset[Wire]

    def forward(
        self, wire: Wire, document: JsonObject, attempt: Attempt
    ) -> AbstractAsyncContextManager[Forwarded]:
        """Send `document` and enter once the upstream accepts it.

        Its `model` is the upstream's, its `stream` the caller's; the provider may change it. Raises
        `UpstreamError`.
        """


@runtime_checkable
class CardSource(Protocol):
    """Knows its models from data it ships."""

    def card(self, model: str) -> ModelCard:
        """Return what is known of `model`, without I/O."""


@runtime_checkable
class HealthProbe(Protocol):
    """Can find out whether its upstream answers, at no cost and without a caller's call."""

    async def probe(self, model: str) -> None:
        """Return if calls to `model` may be tried; raise `UpstreamError` if they would fail.

        An upstream that answers, and does not say, passes. Cancelled after a few seconds.
        """


@runtime_checkable
class ModelLister(Protocol):
    """Can ask its upstream which models there are."""

    async def models(self) -> Sequence[ListedModel]:
        """Return them; raise `UpstreamError`."""

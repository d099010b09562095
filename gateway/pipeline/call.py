"""What one call knows and what all calls share."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple

from gateway.config.callers import Budget
from gateway.config.document import Document
from gateway.config.guarding import Action
from gateway.pictures.pictures import Pictures
from gateway.pipeline.accounting.prices import Cost, Prices
from gateway.pipeline.attempts.retries import RetryBudget
from gateway.pipeline.attempts.visit import Visit
from gateway.pipeline.health.book import HealthBook
from gateway.pipeline.identify import Caller, Identifier, Presented
from gateway.pipeline.limits.waiting import WaitingRoom
from gateway.pipeline.routing.route import Route, Router
from gateway.pipeline.routing.target import Target
from gateway.pipeline.users import Users
from gateway.pipeline.watch import Watch
from gateway.schema.ask import Ask
from gateway.schema.audio import Transcript
from gateway.schema.chat import AudioOutput, ChatRequest
from gateway.schema.failure import CallError, Failure
from gateway.schema.images import Picture
from gateway.schema.meter import Written
from gateway.schema.usage import Usage
from gateway.schema.wishes import Wishes
from gateway.sdk.http import HttpClient
from gateway.sdk.providers import Background, Clock
from gateway.sdk.stages import StageKind
from gateway.state.counters import Demand, Lease
from gateway.state.ledger import Ledger
from gateway.telemetry.logs import CallLog
from gateway.telemetry.metrics import Metrics

if TYPE_CHECKING:
    from gateway.pipeline.caching.coalesce import Generation
    from gateway.pipeline.caching.recall import Memory


@dataclass(frozen=True, slots=True)
class Services:
    """What the steps work with; one for each loaded configuration."""

    document: Document
    router: Router
    identifier: Identifier
    waiting: WaitingRoom
    ledger: Ledger
    clock: Clock
    metrics: Metrics
    log: CallLog
    pictures: Pictures
    redact: Callable[[str], str]
    fetch: HttpClient
    """For callers' URLs: guarded."""
    prices: Prices
    health: HealthBook
    retries: RetryBudget
    background: Background
    memory: "Memory"
    may_cost: bool
    """Anonymous callers may reach targets that cost the operator money."""
    users: Users = field(default_factory=Users)
    """Who works with this configuration."""


class Recall(NamedTuple):
    """What the cache did for one call. `age_s` is of a kept answer, `provider` who made that.

    `shared_with` is the request id of the call whose generation this one shares.
    """

    status: Literal["HIT", "MISS", "BYPASS", "SHARED"]
    age_s: int | None = None
    provider: str = ""
    shared_with: str = ""

    @property
    def result(self) -> str:
        """The status as the ledger, the log and metrics write it."""
        return self.status.lower()

    @property
    def is_free(self) -> bool:
        """Whether nothing was made for this call itself."""
        return self.status in {"HIT", "SHARED"}


@dataclass(frozen=True, slots=True)
class Tried:
    """An attempt that failed."""

    target: Target
    failure: Failure


class Lost(NamedTuple):
    """What an attempt has used that was given up for another's answer."""

    usage: Usage | None
    cost: Cost


class Visited(NamedTuple):
    """How an attempt went at its target: the failure, None if it answered, and how long it took."""

    target: str
    failure: Failure | None
    took_s: float


class Held(NamedTuple):
    """What a streamed reply holds until its call ends: the upstream, and a place at the gate."""

    close: Callable[[], Awaitable[object]]
    visit: Visit

    async def release(self) -> None:
        """Free both, the place in any case."""
        try:
            await self.close()
        finally:
            self.visit.leave()


Place = tuple[int, int]
"""The number of a turn, and the position of a part in it."""


@dataclass(slots=True)
class Call:
    """One request on its way; what steps learn is kept for the answer's headers and the account."""

    request_id: str
    ask: Ask
    presented: Presented
    watch: Watch
    started: float
    deadline: float
    client_request_id: str | None = None
    headers: Mapping[str, str] | None = None
    """What the request says besides, by names in any case; None if nobody knows."""
    caller: Caller | None = None
    is_hurried: bool = False
    """The caller wants it sooner than the configuration: being late says nothing of a target."""
    priority: int = 0
    """Among those who wait at a provider's gate: the higher goes first."""
    may_cost: bool = False
    """Targets that cost the operator money are open to it."""
    demand: Demand | None = None
    """What is taken of the caller's limits, and `lease` that it was."""
    budget: Budget | None = None
    """What its caller may spend; None is no limit."""
    lease: Lease | None = None
    limit_fields: Mapping[str, str] = field(default_factory=dict)
    """Headers that tell of limits besides `X-RateLimit-*`."""
    route_name: str = ""
    wishes: Wishes | None = None
    """What its caller wants of the choice who answers; None: nothing."""
    further: tuple[tuple[str, Route], ...] = ()
    """More names to ask after the ask's model, and their routes."""
    target: Target | None = None
    tried: list[Tried] = field(default_factory=list)
    attempts: int = 0
    """How often a provider was asked."""
    queue_s: float | None = None
    """How long it waited at gates; None if it came to none."""
    upstream_s: float = 0.0
    """How long targets worked on it before there was something to send, all attempts together."""
    visits: list[Visited] | None = None
    """Every attempt, where the operator asked to be told; else None."""
    images: int = 0
    """Pictures made."""
    audio_s: float = 0.0
    """Seconds of sound heard or spoken, where they are known."""
    dropped_params: tuple[str, ...] = ()
    """Knobs that the target lacks, by canonical name; `dropped_fields` is what the caller wrote."""
    dropped_fields: tuple[str, ...] = ()
    set_params: tuple[str, ...] = ()
    """What the configuration and the caller's plan set on the request."""
    removed_fields: tuple[str, ...] = ()
    """What the configuration took out of the request."""
    stages: Sequence[StageKind] = ()
    """What each attempt's request and answer go through."""
    added_turns: int = 0
    """How many turns the configuration put before the caller's: places are told as theirs."""
    guards: dict[str, Action] = field(default_factory=dict)
    """The guards that found something."""
    is_opened: bool = False
    """The answer has to come as events: somebody looks through it."""
    usage: Usage | None = None
    """What the upstream said; after the call what was counted in its place, too."""
    input_tokens: int | None = None
    """An estimate, made before the request is dropped; None while that is there."""
    output_ceiling: int | None = None
    """The most tokens that the target may write, where the request says so."""
    written: Written = field(default_factory=Written)
    model: str | None = None
    """What the upstream called itself."""
    path: str = ""
    """`forward`, `events`, `media`, `transcript` (see `pipeline.attempts.attempt`) or `cache`."""
    request: ChatRequest | None = None
    """What the target is asked instead of the ask's own: sound written down, no voice asked for."""
    voice: AudioOutput | None = None
    """How the gateway speaks what the target writes."""
    transcripts: dict[Place, Transcript] = field(default_factory=dict)
    """What has been heard in this call."""
    first_at: float | None = None
    error: CallError | None = None
    is_aborted: bool = False
    is_explained: bool = False
    """It is only said what would be done: nothing is counted, and nobody asked."""
    fetched: Mapping[str, Picture] = field(default_factory=dict)
    """What the request's links lead to, once it has been fetched."""
    cost: Cost | None = None
    """What it cost, once it is over; None before that."""
    kept: Awaitable[None] | None = None
    """The ledger has its entry; awaiting it waits until that is safe."""
    recall: Recall | None = None
    """What the cache did; None where the model has none."""
    generation: "Generation | None" = None
    """What several calls share, of which this is one."""
    held: Held | None = None
    """What a streamed reply holds; closed when the call ends."""
    hedged: Literal["", "won", "lost"] = ""
    """Whether a second attempt was made beside one that was late, and which of the two answered."""
    lost: Lost | None = None
    """What the other of the two has used: the call pays for both."""
    twin_of: "Call | None" = None
    """The call for which this is one attempt's own record: see `pipeline.attempts.twins`."""

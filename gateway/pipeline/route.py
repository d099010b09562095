"""Step 3: which targets can answer, in the order to try them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from enum import StrEnum
from functools import partial
from typing import Literal, NamedTuple

from gateway.config.caching import ModelCache
from gateway.config.conditions import When
from gateway.config.transforms import Transforms
from gateway.config.upstreams import Strategy
from gateway.pipeline.gate import Places
from gateway.pipeline.guarded_text import GuardSet
from gateway.pipeline.health import HealthBook, TargetHealth
from gateway.pipeline.hedge import Hedging, Shadowing
from gateway.pipeline.key_health import KeyHealth
from gateway.schema.ask import Ask, Feature
from gateway.schema.failure import CallError
from gateway.schema.json import Wire
from gateway.sdk.media import (
    EmbeddingProvider,
    ImageEditProvider,
    ImageProvider,
    ModerationProvider,
    SpeechProvider,
    TranscriptionProvider,
)
from gateway.sdk.providers import (
    CardSource,
    ChatProvider,
    CompletionProvider,
    ForwardingProvider,
    HealthProbe,
    Modality,
    ModelCard,
)
from gateway.sdk.stages import StageKind


@dataclass(frozen=True, slots=True)
class Connected:
    """A provider of this configuration; `missing` says why it cannot be used yet.

    `is_paid` says that calls go out with somebody's credential: unless a card says that they cost
    nothing, they are taken to cost.
    """

    name: str
    kind: str
    provider: object
    gate: Places
    missing: str | None = None
    is_paid: bool = False
    has_failed: bool = False
    """It could not be connected, which `missing` says too: another try may help."""
    key: int | None = None
    """Which of its provider's keys it uses, by the place in the file; None: there is but one."""
    others: tuple["Connected", ...] = ()
    """The same provider with each of its further keys: behind one gate."""

    def behind(self, gate: Places) -> "Connected":
        """Return the same behind another gate."""
        others = tuple(replace(one, gate=gate) for one in self.others)
        return replace(self, gate=gate, others=others)

    @property
    def label(self) -> str:
        """What it is called where its operator reads: `openai#2` is with the second key."""
        return self.name if self.key is None else f"{self.name}#{self.key}"

    @property
    def wires(self) -> frozenset[Wire]:
        """The callers' formats it takes as they are."""
        return self.provider.wires if isinstance(self.provider, ForwardingProvider) else frozenset()


@dataclass(frozen=True, slots=True)
class Target:
    """One provider and one of its models, with what they can do together."""

    connected: Connected
    model: str
    configured: ModelCard
    """What the configuration says of the model; `card` is that and what the provider knows."""
    card: ModelCard
    features: frozenset[Feature]
    chat: ChatProvider | None
    completion: CompletionProvider | None
    forwarding: ForwardingProvider | None
    wires: frozenset[Wire]
    health: TargetHealth
    weight: float = 1.0
    tier: int = 1
    when: When | None = None
    """Which calls it is for; None is all."""
    key: KeyHealth | None = None
    """How its key is, where its provider has several; `health` is that of all of them."""
    others: tuple["Target", ...] = ()
    """The same with each further key."""

    @property
    def name(self) -> str:
        """`provider/model`: one name with whatever key."""
        return name_of(self.connected, self.model)

    @property
    def label(self) -> str:
        """The same with the number of its key, `openai#2/gpt`, as the log and the ledger say it."""
        return f"{self.connected.label}/{self.model}"

    @property
    def rest_s(self) -> float:
        """Seconds until it may be asked, 0 if it may now."""
        rest_s, key = self.health.rest_s, self.key
        return rest_s if key is None else max(rest_s, key.rest_s, key.lack_s(self.model))

    def admits(self) -> bool:
        """Say whether a call may go there now."""
        return self.health.admits() and (self.key is None or self.has_key(self.key))

    def enter(self) -> bool:
        """Count a call in, if one is admitted; a `Visit` must follow then."""
        if self.key is None:
            return self.health.enter()
        # Nothing is awaited in between: what one admits it still admits a line later.
        return self.has_key(self.key) and self.health.enter() and self.key.enter()

    def has_key(self, key: KeyHealth) -> bool:
        """Say whether `key`, its own, does not rest for this model."""
        return key.admits() and not key.lack_s(self.model)

    @property
    def is_priced(self) -> bool:
        """Whether a call costs the operator money, as far as anybody said."""
        price = self.card.price
        return self.connected.is_paid if price is None else not price.is_free


@dataclass(frozen=True, slots=True)
class Route:
    """A name that callers use; `name` ends in `*` for a family of them. Targets stand by tier."""

    name: str
    targets: tuple[Target, ...]
    aliases: tuple[str, ...] = ()
    description: str | None = None
    strategy: Strategy = "ordered"
    sticky_by: Literal["prompt", "caller"] = "prompt"
    transforms: Transforms | None = None
    hedge: Hedging | None = None
    cache: ModelCache | None = None
    guards: GuardSet | None = None
    shadow: Shadowing | None = None
    stages: tuple[StageKind, ...] = ()

    def holds_like(self, other: "Route") -> bool:
        """Say whether requests of both are changed and looked through alike."""
        guards = [None if one.guards is None else one.guards.section for one in (self, other)]
        changes = [(one.transforms, one.stages) for one in (self, other)]
        return changes[0] == changes[1] and guards[0] == guards[1]


def name_of(connected: Connected, model: str) -> str:
    """Return what a target of the two is called."""
    return f"{connected.name}/{model}"


def target_of(
    connected: Connected, model: str, configured: ModelCard, health: TargetHealth | None = None
) -> Target:
    """Return the target, its features found once from the provider's methods and its card."""
    provider = connected.provider
    card = configured
    if isinstance(provider, CardSource):
        card = configured.over(provider.card(model))
    chat = provider if isinstance(provider, ChatProvider) else None
    completion = provider if isinstance(provider, CompletionProvider) else None
    forwarding = provider if isinstance(provider, ForwardingProvider) else None
    wires = connected.wires
    speaks = chat is not None or Wire.OPENAI_CHAT in wires
    features = set()
    if speaks:
        # Nobody said that it can is not a no: hosts know models that no table does.
        spoken = card.output_modalities
        claims = {
            Feature.TEXT: (spoken is None or "text" in spoken) and _hears(card, "text"),
            Feature.TOOLS: card.tools is not False,
            Feature.JSON_OBJECT: card.json_object is not False,
            Feature.JSON_SCHEMA: card.json_schema is not False,
            Feature.VISION: _hears(card, "image"),
            Feature.AUDIO_INPUT: _hears(card, "audio"),
            Feature.AUDIO_OUTPUT: spoken is None or "audio" in spoken,
        }
        features = {feature for feature, is_there in claims.items() if is_there}
    features |= _media(provider, card)
    continues = completion is not None or Wire.OPENAI_COMPLETIONS in wires
    if continues or Feature.TEXT in features:
        features.add(Feature.COMPLETION)
    if card.parameters is None or "max_output_tokens" in card.parameters:
        features.add(Feature.OUTPUT_CEILING)
    health = health or HealthBook().of(name_of(connected, model))
    # Of several keys each look has one, and its refusal would say nothing of the others.
    is_looked_at = connected.key is None and "*" not in model
    if is_looked_at and isinstance(provider, HealthProbe):
        health.probe = partial(provider.probe, model)
    return Target(
        connected,
        model,
        configured,
        card,
        frozenset(features),
        chat,
        completion,
        forwarding,
        wires,
        health,
    )


def _media(provider: object, card: ModelCard) -> set[Feature]:
    spoken = card.output_modalities
    claims = {
        Feature.EMBEDDING: (EmbeddingProvider, spoken is None or "embedding" in spoken),
        Feature.IMAGE: (ImageProvider, spoken is None or "image" in spoken),
        Feature.IMAGE_EDIT: (
            ImageEditProvider,
            (spoken is None or "image" in spoken) and _hears(card, "image"),
        ),
        Feature.MODERATION: (ModerationProvider, spoken is None or "moderation" in spoken),
        Feature.SPEECH: (SpeechProvider, spoken is None or "audio" in spoken),
        Feature.TRANSCRIPTION: (TranscriptionProvider, _hears(card, "audio")),
    }
    return {
        feature
        for feature, (protocol, is_there) in claims.items()
        if is_there and isinstance(provider, protocol)
    }


def _hears(card: ModelCard, modality: Modality) -> bool:
    return card.input_modalities is None or modality in card.input_modalities


_MAX_NAMED = 1024


class Router:
    """Finds the route of a name: exact ones first, then the wildcard with the longest stem."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self.routes = tuple(routes)
        self.has_transforms = any(route.transforms is not None for route in self.routes)
        """Spares all calls a look-up where no model has any."""
        self._exact: dict[str, Route] = {}
        self._families: list[tuple[str, Route]] = []
        for route in self.routes:
            for name in (route.name, *route.aliases):
                if name.endswith("*"):
                    self._families.append((name[:-1], route))
                else:
                    self._exact[name] = route
        self._families.sort(key=lambda family: -len(family[0]))
        self._named: dict[str, Route] = {}

    def has(self, model: str) -> bool:
        """Say whether `model` has a route."""
        try:
            self.find(model)
        except CallError:
            return False
        return True

    def find(self, model: str) -> Route:
        """Return the route of `model`; raise 404 `model_not_found` with the nearest names."""
        route = self._exact.get(model)
        if route is not None:
            return route
        route = self._named.get(model)
        if route is not None:
            return route
        for stem, family in self._families:
            if model.startswith(stem) and len(model) > len(stem):
                rest = model[len(stem) :]
                targets = tuple(_named(target, model, rest) for target in family.targets)
                if len(self._named) >= _MAX_NAMED:
                    self._named.clear()
                route = self._named[model] = replace(family, targets=targets)
                return route
        near = get_close_matches(model[:80], list(self._exact), n=3, cutoff=0.5)
        known = near or sorted(self._exact)[:8]
        hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(known)}"
        raise CallError(
            "model_not_found",
            f"there is no model {model[:80]!r}; {hint}",
            param="model",
            details={"nearest": known},
        )

    @property
    def names(self) -> Mapping[str, Route]:
        """Every name and alias that is no wildcard."""
        return self._exact


class Reason(StrEnum):
    """Why a target cannot answer a request, in the order in which that is looked at."""

    NOT_CONFIGURED = "not_configured"
    PRICED = "priced"
    LACKS = "lacks"
    OUT_OF_RANGE = "out_of_range"


class Unfit(NamedTuple):
    """Why a target is not asked: `said` for people, and what of it errors name."""

    reason: Reason
    said: str
    features: tuple[Feature, ...] = ()
    knob: str = ""
    takes: tuple[float, float] = (0.0, 0.0)


def unfit(
    target: Target, ask: Ask, *, may_cost: bool = True, lent: frozenset[Feature] = frozenset()
) -> Unfit | None:
    """Return why `target` cannot answer `ask`; None if it can.

    What is `lent` the gateway does itself for targets that hold a conversation without it. Without
    `may_cost` priced targets cannot: anonymous callers of a public gateway must not spend the
    operator's money.
    """
    missing = target.connected.missing
    if missing is not None:
        return Unfit(Reason.NOT_CONFIGURED, f"{target.connected.name}: {missing}")
    if not may_cost and target.is_priced:
        return Unfit(Reason.PRICED, "it costs money, and the caller is anonymous")
    if not _is_able(target, ask.needs, lent):
        lacking = tuple(sorted(ask.needs - target.features))
        return Unfit(Reason.LACKS, f"it cannot do this: {', '.join(lacking)}", lacking)
    if ask.knobs and (found := _out_of_range(target, ask)) is not None:
        name, low, high = found
        said = f"{name} is {ask.knobs[name]}: it takes {low:g} to {high:g}"
        return Unfit(Reason.OUT_OF_RANGE, said, knob=name, takes=(low, high))
    return None


def candidates(
    route: Route, ask: Ask, *, may_cost: bool = True, lent: frozenset[Feature] = frozenset()
) -> list[Target]:
    """Return the targets of `route` that can answer `ask`, in order; see `unfit`.

    Raises 403 `model_not_allowed` where all that can cost money and must not, and for a plan's
    ceiling that no target can be held to, 400 `unsupported_feature` naming what none has, 400
    `invalid_parameter` for a value outside the range of all that are left, 503 `unavailable` when
    none is configured.
    """
    fitting = [t for t in route.targets if unfit(t, ask, may_cost=may_cost, lent=lent) is None]
    if fitting:
        return fitting
    verdicts = (unfit(target, ask, may_cost=may_cost, lent=lent) for target in route.targets)
    raise _none_fits(route, ask, [verdict for verdict in verdicts if verdict is not None])


def _none_fits(route: Route, ask: Ask, verdicts: list[Unfit]) -> CallError:
    """Return the error that says what the targets lack which came nearest to an answer."""
    last = max((verdict.reason for verdict in verdicts), key=list(Reason).index)
    nearest = [verdict for verdict in verdicts if verdict.reason is last]
    model = ask.model[:80]
    match last:
        case Reason.NOT_CONFIGURED:
            reasons = "; ".join(verdict.said for verdict in nearest)
            message = f"no provider of {route.name} is configured ({reasons})"
            return CallError("unavailable", message, param="model")
        case Reason.PRICED:
            message = f"{model} costs its operator money and is not open to anonymous callers"
            return CallError("model_not_allowed", message, param="model")
        case Reason.LACKS:
            lacking = list(min(nearest, key=lambda verdict: len(verdict.features)).features)
            if lacking == [Feature.OUTPUT_CEILING]:
                message = f"your key's plan limits the length of answers, which {model} cannot do"
                return CallError("model_not_allowed", message, param="model")
            return CallError(
                "unsupported_feature",
                f"{model} cannot do this: {', '.join(lacking)}",
                param=_FEATURE_PARAMS[lacking[0]],
                details={"features": lacking},
            )
        case Reason.OUT_OF_RANGE:
            name, (low, high) = nearest[0].knob, nearest[0].takes
            message = f"{name} is {ask.knobs[name]}: {model} takes {low:g} to {high:g}"
            return CallError("invalid_parameter", message, param=name)


def _is_able(target: Target, needs: frozenset[Feature], lent: frozenset[Feature]) -> bool:
    return needs <= target.features or (
        target.chat is not None and bool(lent) and needs - lent <= target.features
    )


def dropped_knobs(target: Target, ask: Ask) -> tuple[str, ...]:
    """Return the knobs that were given and that `target` does not have."""
    known = target.card.parameters
    return () if known is None else tuple(name for name in ask.knobs if name not in known)


_FEATURE_PARAMS = {
    Feature.TOOLS: "tools",
    Feature.VISION: "messages",
    Feature.AUDIO_INPUT: "messages",
    Feature.AUDIO_OUTPUT: "modalities",
    Feature.JSON_OBJECT: "response_format",
    Feature.JSON_SCHEMA: "response_format",
    Feature.TEXT: "model",
    Feature.EMBEDDING: "model",
    Feature.IMAGE: "model",
    Feature.IMAGE_EDIT: "model",
    Feature.MODERATION: "model",
    Feature.SPEECH: "model",
    Feature.TRANSCRIPTION: "model",
    Feature.COMPLETION: "model",
    Feature.OUTPUT_CEILING: "model",
}


def _out_of_range(target: Target, ask: Ask) -> tuple[str, float, float] | None:
    for name, (low, high) in (target.card.ranges or {}).items():
        value = ask.knobs.get(name)
        if isinstance(value, int | float) and not low <= value <= high:
            return name, low, high
    return None


def _named(target: Target, name: str, rest: str) -> Target:
    """Return the target for one name of a family.

    `*` alone is the whole name; within a longer text it is what the family's `*` stands for.
    """
    if "*" not in target.model:
        return target
    model = name if target.model == "*" else target.model.replace("*", rest)
    health = target.health.sibling(name_of(target.connected, model))
    named = target_of(target.connected, model, target.configured, health)
    return like(named, target, others=tuple(_named(one, name, rest) for one in target.others))


def like(target: Target, other: Target, *, others: tuple[Target, ...] = ()) -> Target:
    """Return `target` with what the configuration says of `other`, and `others` for its keys."""
    return replace(
        target,
        weight=other.weight,
        tier=other.tier,
        when=other.when,
        key=other.key,
        others=others,
    )

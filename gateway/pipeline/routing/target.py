"""Targets: one provider and one of its models, with what they can do together."""

from dataclasses import dataclass, field, replace
from functools import partial

from gateway.config.conditions import When
from gateway.pipeline.attempts.gate import Places
from gateway.pipeline.health.book import HealthBook
from gateway.pipeline.health.breaker import TargetHealth
from gateway.pipeline.health.of_keys import KeyHealth
from gateway.schema.ask import Feature
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
    label: str = field(init=False)
    """What it is called where its operator reads: `openai#2` is with the second key."""

    def __post_init__(self) -> None:
        """Say the label once, not with each call."""
        label = self.name if self.key is None else f"{self.name}#{self.key}"
        object.__setattr__(self, "label", label)

    def behind(self, gate: Places) -> "Connected":
        """Return the same behind another gate."""
        others = tuple(replace(one, gate=gate) for one in self.others)
        return replace(self, gate=gate, others=others)

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
    name: str = field(init=False)
    """`provider/model`: one name with whatever key."""
    label: str = field(init=False)
    """The same with the number of its key, `openai#2/gpt`, as the log and the ledger say it."""

    def __post_init__(self) -> None:
        """Say the names once, not with each call."""
        object.__setattr__(self, "name", name_of(self.connected, self.model))
        object.__setattr__(self, "label", f"{self.connected.label}/{self.model}")

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


def look_by(target: Target) -> None:
    """Let its provider look whether it is back, where that costs nothing; see `HealthProbe`.

    Of several keys each look would have one, and its refusal says nothing of the others.
    """
    provider, model = target.connected.provider, target.model
    is_looked_at = target.connected.key is None and "*" not in model
    if is_looked_at and isinstance(provider, HealthProbe):
        target.health.probe = partial(provider.probe, model)
    else:
        target.health.probe = None


def named(target: Target, name: str, rest: str) -> Target:
    """Return the target for one name of a family.

    `*` alone is the whole name; within a longer text it is what the family's `*` stands for.
    """
    if "*" not in target.model:
        return target
    model = name if target.model == "*" else target.model.replace("*", rest)
    health = target.health.sibling(name_of(target.connected, model))
    one = target_of(target.connected, model, target.configured, health)
    look_by(one)
    others = tuple(named(other, name, rest) for other in target.others)
    return like(one, target, others=others)


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

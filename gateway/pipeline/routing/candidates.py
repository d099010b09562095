"""Step 3: which targets can answer."""

from enum import StrEnum
from typing import NamedTuple

from gateway.pipeline.routing.route import Route
from gateway.pipeline.routing.target import Target
from gateway.schema.ask import Ask, Feature
from gateway.schema.failure import CallError


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

"""Which of a route's targets are there for a call: `when`, and room for what is said.

By who calls, when, and what is asked for; what a target can do at all is `candidates`.
"""

from collections.abc import Iterator, Sequence
from enum import IntEnum

from gateway.config.conditions import DAY_S, When
from gateway.pipeline.call import Services
from gateway.pipeline.identify import Caller
from gateway.pipeline.limits.lengths import TOKENED, WRITES, ceilings_of, said_in
from gateway.pipeline.limits.plan import plan_name
from gateway.pipeline.routing.target import Target
from gateway.schema.ask import Ask
from gateway.schema.estimate import input_tokens
from gateway.schema.failure import CallError


class Unmet(IntEnum):
    """What keeps a call from a target; the later is nearer to being let in."""

    PLAN = 1
    TAG = 2
    HOURS = 3
    STREAM = 4
    TOO_SHORT = 5
    TOO_LONG = 6


class Facts:
    """What conditions read of a call; its tokens are counted when one asks for them, once."""

    __slots__ = ("_tokens", "ask", "caller", "services")

    def __init__(self, ask: Ask, caller: Caller, services: Services) -> None:
        self.ask = ask
        self.caller = caller
        self.services = services
        self._tokens: int | None = None

    @property
    def tokens(self) -> int:
        """About how many tokens are read; 0 of what is not counted in tokens."""
        if self._tokens is None:
            is_counted = not self.ask.needs.isdisjoint(TOKENED)
            self._tokens = input_tokens(self.ask) if is_counted else 0
        return self._tokens

    @property
    def tokens_asked(self) -> int:
        """The most tokens that one answer is allowed to have, 0 if the caller names no number."""
        if self.ask.needs.isdisjoint(WRITES):
            return 0
        named = self.ask.knobs.get("max_output_tokens")
        known = named if isinstance(named, int) else 0
        return max(ceilings_of(self.ask).values(), default=known)

    @property
    def second_of_day(self) -> float:
        """Seconds since midnight, UTC."""
        return self.services.clock.now().timestamp() % DAY_S


def admitted(
    targets: Sequence[Target], ask: Ask, caller: Caller | None, services: Services
) -> Sequence[Target]:
    """Return those of `targets` whose conditions the call meets, and whose context has room for it.

    If none has room all stay: lengths are estimates, and the upstream knows. Raises for conditions
    that none meets: 403 `model_not_allowed` (plans, tags), 503 `unavailable` with `Retry-After`
    (hours), 400 `unsupported_feature` (streams), `context_length_exceeded`, `invalid_parameter`.
    """
    if caller is None or (len(targets) == 1 and targets[0].when is None):
        return targets
    facts = Facts(ask, caller, services)
    if any(target.when is not None for target in targets):
        met = [target for target in targets if unmet(target.when, facts) is None]
        if not met:
            raise _refusal(targets, facts)
        targets = met
    return _with_room(targets, facts)


def unmet(when: When | None, facts: Facts) -> Unmet | None:  # noqa: PLR0911 - one case a condition.
    """Return the first condition of `when` that the call does not meet; None: it meets all."""
    if when is None:
        return None
    held = facts.caller.held
    plan = plan_name(facts.caller, facts.services.document)
    if when.plans is not None and plan not in when.plans:
        return Unmet.PLAN
    if when.tags is not None and (held is None or set(when.tags).isdisjoint(held.tags)):
        return Unmet.TAG
    if when.hours is not None and not when.hours.has(facts.second_of_day):
        return Unmet.HOURS
    if when.streams is not None and when.streams != facts.ask.is_stream:
        return Unmet.STREAM
    if when.min_input_tokens is not None and facts.tokens < when.min_input_tokens:
        return Unmet.TOO_SHORT
    if when.max_input_tokens is not None and facts.tokens > when.max_input_tokens:
        return Unmet.TOO_LONG
    return None


def _with_room(targets: Sequence[Target], facts: Facts) -> Sequence[Target]:
    known = [target.card.context for target in targets if target.card.context is not None]
    if len(targets) == 1 or not known or facts.ask.needs.isdisjoint(TOKENED):
        return targets
    needed = facts.tokens + facts.tokens_asked
    if needed <= min(known):
        return targets
    fitting = [
        target for target in targets if target.card.context is None or target.card.context >= needed
    ]
    return fitting or targets


def _refusal(targets: Sequence[Target], facts: Facts) -> CallError:
    """Return what to tell of the condition that came nearest to letting the call in.

    What others' plans and tags are is nobody's business.
    """
    ask, name = facts.ask, facts.ask.model[:80]
    nearest = max(reason for _, reason in _unmet(targets, facts))
    whens = [when for when, reason in _unmet(targets, facts) if reason is nearest]
    match nearest:
        case Unmet.PLAN:
            whose = "callers without a key"
            if facts.caller.held is not None:
                whose = f"your key's plan, {plan_name(facts.caller, facts.services.document)}"
            message = f"{name} is not open to {whose}"
            return CallError("model_not_allowed", message, param="model")
        case Unmet.TAG:
            message = f"{name} is open to keys with a tag only, and yours has none of those"
            if facts.caller.held is None:
                message = f"{name} is open to keys with a tag only: send a key"
            return CallError("model_not_allowed", message, param="model")
        case Unmet.HOURS:
            hours = [when.hours for when in whens if when.hours is not None]
            second = facts.second_of_day
            wait_s = min((one.start_s - second) % DAY_S for one in hours)
            spans = ", ".join(dict.fromkeys(map(str, hours)))
            message = f"{name} answers calls like this one at {spans} UTC only"
            return CallError("unavailable", message, param="model", retry_after_s=max(1.0, wait_s))
        case Unmet.STREAM:
            kind, way = (
                ("whole", "stream: true") if not ask.is_stream else ("streamed", "no stream")
            )
            message = f"{name} gives no {kind} answers here: ask with {way}"
            return CallError("unsupported_feature", message, param="stream")
        case Unmet.TOO_SHORT:
            least = min(when.min_input_tokens or 0 for when in whens)
            message = (
                f"this is about {facts.tokens} tokens: {name} takes {least} at least here; ask "
                "another model"
            )
            return CallError("invalid_parameter", message, param=said_in(ask))
        case Unmet.TOO_LONG:
            most = max(when.max_input_tokens or 0 for when in whens)
            message = (
                f"this is about {facts.tokens} tokens: {name} takes {most} at most here; send less"
            )
            return CallError("context_length_exceeded", message, param=said_in(ask))


def _unmet(targets: Sequence[Target], facts: Facts) -> Iterator[tuple[When, Unmet]]:
    for target in targets:
        reason = unmet(target.when, facts)
        if target.when is not None and reason is not None:
            yield target.when, reason

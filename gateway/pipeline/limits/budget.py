"""What a call may cost its caller's budget at most, as far as that is known before it is made."""

from collections.abc import Sequence

from gateway.pipeline.call import Call, Services
from gateway.pipeline.limits.lengths import TOKENED, WRITES, output_ceiling
from gateway.pipeline.routing.conditions import Facts, unmet
from gateway.pipeline.routing.target import Target
from gateway.pipeline.routing.wishes import joined, wanted
from gateway.schema.ask import Ask, Feature
from gateway.schema.audio import SpeechRequest, TranscriptionRequest
from gateway.schema.estimate import input_tokens
from gateway.schema.failure import CallError
from gateway.schema.images import ImageEditRequest, ImageRequest
from gateway.schema.usage import Usage
from gateway.state.counters import Share

_DRAWS = frozenset({Feature.IMAGE, Feature.IMAGE_EDIT})
_SOUNDS = frozenset({Feature.SPEECH, Feature.TRANSCRIPTION})
_CHARS_A_SECOND = 10
"""Slower than anybody reads aloud: what is reserved is rather too much."""
_BYTES_A_SECOND = 2000
"""Speech at 16 kbit/s, as few recordings are small."""


def share_of(call: Call, window: Share, services: Services) -> Share | None:
    """Return what the dearest of the targets may cost, or None if none costs anything.

    Those that are not there for the call, or not wanted, don't count. Raises 403
    `model_not_allowed` where no price is known of any target.
    """
    route = joined(services.router.find(call.ask.model), call)
    ready: Sequence[Target] = [t for t in route.targets if t.connected.missing is None]
    if call.caller is not None and any(target.when is not None for target in ready):
        facts = Facts(call.ask, call.caller, services)
        ready = [target for target in ready if unmet(target.when, facts) is None]
    ready = wanted(ready, call, services)
    most = [most_of(target, call, services) for target in ready]
    known = [micros for micros in most if micros is not None]
    if ready and not known:
        raise _unpriced(call)
    amount = max(known, default=0)
    return window._replace(amount=amount) if amount else None


def payable(call: Call, targets: Sequence[Target], services: Services) -> Sequence[Target]:
    """Return those of `targets` that a caller with a budget may ask: their price is known.

    Raises 403 `model_not_allowed` when none is left.
    """
    if call.budget is None:
        return targets
    known = [target for target in targets if is_payable(target, call, services)]
    if not known:
        raise _unpriced(call)
    return known


def is_payable(target: Target, call: Call, services: Services) -> bool:
    """Say whether the caller may ask it: without a budget, or where a price is known."""
    return call.budget is None or most_of(target, call, services) is not None


def least_of(target: Target, call: Call, services: Services) -> int | None:
    """Return what the call costs if nothing is answered but what is asked for by number.

    In millionths of a US dollar; None where nobody knows the price.
    """
    ask, needs = call.ask, call.ask.needs
    usage = Usage(input_tokens=input_tokens(ask)) if needs & TOKENED else Usage()
    images = _images(ask) if needs & _DRAWS else 0
    return services.prices.most(target, usage, images=images)


def most_of(target: Target, call: Call, services: Services) -> int | None:
    """Return millionths of a US dollar; None where nobody knows the price."""
    ask, needs = call.ask, call.ask.needs
    usage = Usage()
    if needs & TOKENED:
        written = output_ceiling(ask)[1] if needs & WRITES else 0
        usage = Usage(input_tokens=input_tokens(ask), output_tokens=written)
    images = _images(ask) if needs & _DRAWS else 0
    audio_s = _seconds(ask) if needs & _SOUNDS else 0.0
    return services.prices.most(target, usage, images=images, audio_s=audio_s)


def _images(ask: Ask) -> int:
    request = ask.meaning()
    return request.n if isinstance(request, ImageRequest | ImageEditRequest) else 0


def _seconds(ask: Ask) -> float:
    match ask.meaning():
        case SpeechRequest() as request:
            return len(request.text) / _CHARS_A_SECOND
        case TranscriptionRequest() as request:
            return request.path.stat().st_size / _BYTES_A_SECOND
        case _:
            return 0.0


def _unpriced(call: Call) -> CallError:
    message = (
        f"what {call.ask.model[:80]} costs is not known to its operator, so that no budget can pay "
        "for it"
    )
    return CallError("model_not_allowed", message, param="model")

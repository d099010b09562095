"""Several keys of one provider: each in turn, those that rest last."""

from collections.abc import Sequence

from gateway.pipeline.attempts.tries import MAX_ATTEMPTS
from gateway.pipeline.call import Services
from gateway.pipeline.routing.target import Target

_LEAST_KEYS = 2


def by_key(
    targets: Sequence[Target], services: Services, *, takes_turn: bool = True
) -> Sequence[Target]:
    """Return `targets` with those of a provider with several keys once for each key, in turn.

    Which is noted, if it `takes_turn`. The key that was not chosen for longest comes first; those
    that rest, last. There are no more of one target than leave an attempt to each other target, but
    two at least.
    """
    if all(target.key is None for target in targets):
        return targets
    most = max(_LEAST_KEYS, MAX_ATTEMPTS - len(targets) + 1)
    spread: list[Target] = []
    for target in targets:
        keyed = sorted((target, *target.others), key=_rank)[:most] if target.key else [target]
        if takes_turn and not spread and keyed[0].key is not None:
            keyed[0].key.turn = services.health.choice()
        spread += keyed
    return spread


def _rank(target: Target) -> tuple[bool, int]:
    key = target.key
    return (False, 0) if key is None else (not target.has_key(key), key.turn)

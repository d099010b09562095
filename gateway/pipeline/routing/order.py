"""In which order the targets that can answer are asked: by the route's strategy, tier by tier."""

from collections.abc import Callable, Iterable, Sequence
from hashlib import blake2b
from itertools import chain, groupby
from math import inf, log
from random import random

from gateway.pipeline.call import Call, Services
from gateway.pipeline.limits.budget import most_of
from gateway.pipeline.routing.keys import by_key
from gateway.pipeline.routing.route import Route
from gateway.pipeline.routing.target import Target
from gateway.pipeline.routing.wishes import parts
from gateway.schema.ask import Ask
from gateway.schema.chat import ChatRequest
from gateway.schema.failure import CallError
from gateway.schema.wishes import Sort, Wishes

_REMEMBERED_S = 60.0
"""A time counts for so long; then one call measures again, lest who was slow be slow for ever."""
_PREFIX_CHARS = 4096


def arranged(
    targets: Sequence[Target], route: Route, call: Call, services: Services
) -> Sequence[Target]:
    """Return `targets`, which stand by tier, in the order in which they are asked.

    Those that are known to take longer than a hurried caller has come last. Of a provider with
    several keys each stands there once for each of them. A call that is only explained takes
    nobody's turn.
    """
    if len(targets) == 1 and targets[0].key is None:
        return targets
    if call.wishes is None:
        in_order = _by_strategy(targets, route, call, services)
    else:
        in_order = _wished(targets, route, call.wishes, call, services)
    return by_key(in_order, services, takes_turn=not call.is_explained)


def _wished(
    targets: Sequence[Target], route: Route, wishes: Wishes, call: Call, services: Services
) -> Sequence[Target]:
    """Return the targets of each name that is asked as its caller wants them, name by name.

    A target that an earlier name has is not asked again for a later one.
    """
    joined: list[Target] = []
    for part in parts(route, call):
        own, before = set(map(id, part.targets)), {one.name for one in joined}
        group = [one for one in targets if id(one) in own and one.name not in before]
        joined += _of_one_name(group, part, wishes, call, services)
    if wishes.sort is not None and wishes.is_across_models:
        joined.sort(key=_sort_key(wishes.sort, call, services))
    return joined


def _of_one_name(
    group: list[Target], route: Route, wishes: Wishes, call: Call, services: Services
) -> list[Target]:
    if wishes.sort is not None:
        group = sorted(group, key=_sort_key(wishes.sort, call, services))
    elif group:
        group = list(_by_strategy(group, route, call, services))
    places = {name: place for place, name in enumerate(wishes.order)}
    if places:
        last = len(places)
        group.sort(
            key=lambda one: min(places.get(one.name, last), places.get(one.connected.name, last))
        )
    # What stands in `order` is all that is left then, and one may follow the other.
    return group if wishes.allows_fallbacks or wishes.order else group[:1]


def _sort_key(sort: Sort, call: Call, services: Services) -> Callable[[Target], float]:
    now = services.clock.monotonic()
    match sort:
        case "price":
            return lambda one: _price(one, call, services)
        case "latency":
            return lambda one: _latency(one, call.ask, now)
        case "throughput":
            return lambda one: -inf if one.health.tokens_a_s is None else -one.health.tokens_a_s


def _by_strategy(
    targets: Sequence[Target], route: Route, call: Call, services: Services
) -> Sequence[Target]:
    if len(targets) == 1:
        return targets
    if route.strategy != "ordered":
        tiers = [list(tier) for _, tier in groupby(targets, lambda target: target.tier)]
        turn = 0
        if route.strategy == "round_robin":
            health = services.health
            turn = (health.next_turn if call.is_explained else health.turn)(route.name)
        targets = list(chain.from_iterable(_tier(t, route, call, services, turn) for t in tiers))
    if call.is_hurried:
        left_s = call.watch.deadline - call.watch.now()
        targets = sorted(targets, key=lambda target: (_usual_s(target, call.ask) or 0) > left_s)
    return targets


def _tier(  # noqa: PLR0911 - one case a strategy.
    tier: list[Target], route: Route, call: Call, services: Services, turn: int
) -> Iterable[Target]:
    match route.strategy:
        case "ordered":
            return tier
        case "round_robin":
            first = turn % len(tier)
            return [*tier[first:], *tier[:first]]
        case "weighted":
            return sorted(tier, key=lambda one: _drawn(random(), one.weight))  # noqa: S311
        case "least_in_flight":
            return sorted(tier, key=_load)
        case "lowest_latency":
            now = services.clock.monotonic()
            return sorted(tier, key=lambda one: _latency(one, call.ask, now))
        case "lowest_price":
            return sorted(tier, key=lambda one: _price(one, call, services))
        case "sticky":
            stays = _stays(route, call)
            return sorted(tier, key=lambda one: _drawn(_share(stays, one), one.weight))


def _drawn(share: float, weight: float) -> float:
    """Return a rank, the lowest first, by which each comes first as often as its weight says.

    `share` is evenly spread over 0 to 1 (rendezvous hashing, weighted: Schindelhauer and
    Schomaker, 2005).
    """
    return -log(max(share, 1e-300)) / weight if weight else inf


def _load(target: Target) -> float:
    return (target.health.in_flight + 1) / target.weight if target.weight else inf


def _usual_s(target: Target, ask: Ask) -> float | None:
    health = target.health
    is_stream = ask.is_stream or ask.answer == "bytes"
    return health.first_token_s if is_stream else health.whole_s


def _latency(target: Target, ask: Ask, now: float) -> float:
    known, health = _usual_s(target, ask), target.health
    if known is not None and now - health.measured_at <= _REMEMBERED_S:
        return known
    if health.in_flight == 0:
        return -1.0
    return inf if known is None else known


def _price(target: Target, call: Call, services: Services) -> float:
    micros = most_of(target, call, services)
    return inf if micros is None else micros


def _share(stays: bytes, target: Target) -> float:
    digest = blake2b(stays, key=target.name.encode("utf-8", "replace")[:64], digest_size=8)
    return (int.from_bytes(digest.digest()) + 1) / 2**64


def _stays(route: Route, call: Call) -> bytes:
    """Return what is the same for calls that stay together, in all processes."""
    if route.sticky_by == "caller":
        return (call.caller.key if call.caller else "").encode()
    return _beginning(call.ask)[:_PREFIX_CHARS].encode("utf-8", "replace")


def _beginning(ask: Ask) -> str:
    """Return what a conversation begins with, up to the first turn of its user; all else whole."""
    turns = ask.document.get("messages")
    if isinstance(turns, list):
        said = []
        for turn in turns:
            said.append(_text(turn.get("content")))
            if turn.get("role") == "user":
                break
        return "\n".join(said)
    for name in ("prompt", "input"):
        if name in ask.document:
            return _text(ask.document[name])
    try:
        request = ask.meaning()
    except CallError:
        return ""
    if not isinstance(request, ChatRequest):
        return str(getattr(request, "prompt", getattr(request, "text", "")))
    said = []
    for message in request.messages:
        said.append(message.text)
        if message.role == "user":
            break
    return "\n".join(said)


def _text(content: object) -> str:
    """Return the words of a turn; pictures and sound are none."""
    if isinstance(content, str):
        return content[:_PREFIX_CHARS]
    if not isinstance(content, list):
        return ""
    parts = (part.get("text") if isinstance(part, dict) else part for part in content)
    return "\n".join(part[:_PREFIX_CHARS] for part in parts if isinstance(part, str))

"""Row S03: what a refusal tells of a key: by its words, and by the time that it takes."""

import random
import statistics
import time
from collections.abc import Sequence

from gateway.state.keys import checksum, new_key
from tests.faults.asking import upstreams
from tests.faults.figures import share_of
from tests.faults.ground import Ground
from tests.faults.row import Reached, Row
from tests.faults.served import Served, chat_document, posted
from tests.web.raw_http import Answer, Caller

_SEED = 3
_DRAWS = 1000
_CHANCE = 0.999
"""Noise is what so large a share of the draws does not exceed."""
_OWN = {"date", "x-request-id", "server-timing"}
"""Headers that no two answers share."""


async def _s03(ground: Ground) -> Reached:
    """Present what begins like a key and junk, a revoked key and an unknown one, by turns."""
    count = ground.times(400, least=200)
    database = f"sqlite:///{ground.folder / 'keys.sqlite'}"
    sections = {"auth": {"mode": "keys"}, "state": {"url": database}, "plans": {"team": {}}}
    said, is_met = list[str](), True
    async with upstreams() as (upstream,), ground.facing(upstream.url, **sections) as served:
        key, revoked = await _keys(served)
        pairs = {"a key's beginning": (_nearly(key), new_key()), "revoked": (revoked, new_key())}
        async with served.wire() as wire:
            for name, tokens in pairs.items():
                is_same, difference_s, noise_s = await _compared(wire, tokens, count)
                words = "" if is_same else ", OTHER WORDS"
                micros = f"{difference_s * 1e6:.1f} us in {noise_s * 1e6:.1f} us of noise"
                said.append(f"{name}: {micros}{words}")
                is_met = is_met and is_same and difference_s <= noise_s
            good = await _asked(wire, key)
        heard = len(upstream.requests)
    return Reached("; ".join(said), is_met and good.status == 200 and heard == 1)


async def _keys(served: Served) -> tuple[str, str]:
    """Make two keys and revoke the second; return both."""
    made = [
        (await served.administer("POST", "/admin/keys", {"name": name, "plan": "team"})).json()
        for name in ("kept", "revoked")
    ]
    ended = await served.administer("DELETE", f"/admin/keys/{made[1]['id']}")
    assert ended.status == 200, ended.body
    return made[0]["key"], made[1]["key"]


def _nearly(key: str) -> str:
    """Return a key of our shape that is `key` but for the last character of its secret."""
    secret = key[3:-6]
    other = secret[:-1] + ("a" if secret[-1] != "a" else "b")
    return f"dg-{other}{checksum(other)}"


async def _compared(wire: Caller, tokens: tuple[str, str], count: int) -> tuple[bool, float, float]:
    """Return whether both are answered alike, how far apart their medians are, and the noise.

    Seconds. A difference counts if it shows twice, the second time the same way.
    """
    chance = random.Random(_SEED)  # noqa: S311 - of turns, not of secrets.
    seen, directions = set[object](), set[bool]()
    difference_s = noise_s = 0.0
    for _ in range(2):
        took: tuple[list[float], list[float]] = ([], [])
        for _ in range(count):
            # By turns, either first: what the machine does meanwhile is done to both.
            for number in chance.sample((0, 1), 2):
                begun = time.perf_counter()
                answer = await _asked(wire, tokens[number])
                took[number].append(time.perf_counter() - begun)
                seen.add(_visible(answer))
        first_s, second_s = (statistics.median(one) for one in took)
        difference_s = abs(first_s - second_s)
        noise_s = max(_noise_s(one, chance) for one in took)
        directions.add(first_s < second_s)
        if difference_s <= noise_s:
            break
    is_alike = len(seen) == 1
    return is_alike, difference_s if len(directions) == 1 else 0.0, noise_s


async def _asked(wire: Caller, token: str) -> Answer:
    await wire.send(
        posted(chat_document(), "/v1/chat/completions", f"Authorization: Bearer {token}")
    )
    return await wire.answer()


def _visible(answer: Answer) -> object:
    """Return what a caller sees of an answer, without the names of the request."""
    headers = frozenset((name, text) for name, text in answer.headers.items() if name not in _OWN)
    body = answer.body.replace(answer.headers.get("x-request-id", "-").encode(), b"")
    return answer.status, headers, body


def _noise_s(took: Sequence[float], chance: random.Random) -> float:
    """Return how far apart two medians of one kind are by chance: a bootstrap against itself."""
    count = len(took)
    apart = [
        abs(
            statistics.median(chance.choices(took, k=count))
            - statistics.median(chance.choices(took, k=count))
        )
        for _ in range(_DRAWS)
    ]
    return share_of(apart, _CHANCE)


ROWS = (
    Row(
        "S03",
        "tokens near a key and junk, revoked keys and unknown ones, 400 times each by turns",
        "the same answer; medians no further apart than noise",
        _s03,
        defects=("compares_slowly", "tells_revoked"),
        most_s=120,
    ),
)

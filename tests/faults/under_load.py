"""Rows X08 and X09: many callers at once: whose words are whose, and a process that stands."""

import asyncio
import os
import signal
from collections.abc import Iterator

import aiohttp

from gateway.testing.script import reply
from tests.faults.asking import echo, until, upstreams
from tests.faults.figures import ms
from tests.faults.ground import Ground
from tests.faults.row import Reached, Row
from tests.faults.served import Served


async def _x08(ground: Ground) -> Reached:
    """Have many ask at once, each with words of its own, streamed and whole."""
    callers, rounds = ground.times(40, least=8), ground.times(20, least=4)
    wrong = said = 0

    async def ask(served: Served, caller: int) -> None:
        nonlocal wrong, said
        for turn in range(rounds):
            own = f"tag{caller}x{turn}"
            words = " ".join([own] * 250)
            is_stream = bool((caller + turn) % 2)
            answer = await served.chat(words, stream=is_stream)
            text = answer.words if answer.is_stream else answer.text
            heard = [one for one in _words(text) if one.startswith("tag")]
            said += len(heard)
            wrong += sum(one != own for one in heard) + (len(heard) != 250)

    async with upstreams() as (upstream,), ground.facing(upstream.url) as served:
        upstream.default = echo
        await asyncio.gather(*(ask(served, caller) for caller in range(callers)))
    return Reached(f"{wrong} of {said} words came to somebody else", not wrong and said > 0)


def _words(text: str) -> Iterator[str]:
    """Yield the words of an answer, JSON or not."""
    yield from text.replace('"', " ").split()


async def _x09(ground: Ground) -> Reached:
    """Stop the process under load for two seconds, and let it go on."""
    callers, statuses = 20, list[int]()
    async with upstreams() as (upstream,):
        upstream.default = reply("hello")
        async with ground.facing(upstream.url, deadlines={"first_token_s": 20}) as served:
            over = asyncio.Event()

            async def ask() -> None:
                while not over.is_set():
                    try:
                        statuses.append((await served.chat(stream=True)).status)
                    except aiohttp.ClientError:
                        statuses.append(0)

            load = asyncio.gather(*(ask() for _ in range(callers)))
            await until(lambda: len(statuses) > 100)
            os.kill(served.pid, signal.SIGSTOP)
            await asyncio.sleep(2.0)
            os.kill(served.pid, signal.SIGCONT)
            before = len(statuses)
            back_s = await until(lambda: len(statuses) > before + callers)
            over.set()
            await load
    bad = sum(one != 200 for one in statuses)
    return Reached(f"{bad} of {len(statuses)} failed, back in {ms(back_s)}", not bad)


ROWS = (
    Row(
        "X08",
        "40 callers at once, each with words of its own",
        "0 words to somebody else",
        _x08,
        is_counted=True,
        defects=("mixes",),
    ),
    Row(
        "X09",
        "the process is stopped for 2 s under load",
        "0 failed, goes on",
        _x09,
        defects=("cuts_stalled",),
    ),
)

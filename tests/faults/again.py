"""Rows of what comes again: files that are reloaded, POSTs that are repeated, second attempts."""

import asyncio
import os
import signal
import time
from functools import partial
from pathlib import Path

from gateway.testing.script import reply, stream
from gateway.testing.upstream import hang_before_head
from tests.faults.asking import upstreams
from tests.faults.figures import ms, p99
from tests.faults.ground import Ground
from tests.faults.row import Reached, Row
from tests.faults.served import Served
from tests.web.raw_http import becomes

_BROKEN = (
    "providers: {up: [",
    "provders: {}\n",
    "providers: !!python/object:os.system {}\n",
    "logs: {level: '${NOT_SET_ANYWHERE}'}\n",
    "providers: {c: {kind: chaos}}\nmodels: {m: {targets: [{provider: d, model: echo}]}}\n",
    "",
)
"""Syntax, an unknown key, a tag, no such variable, no such provider, nothing."""
_BESIDE_S = 0.1
"""What a deadline may be missed by."""


async def _l04(ground: Ground) -> Reached:
    """Break the file in six ways, by SIGHUP, under load; then change it well, and be seen to."""
    statuses: list[int] = []
    is_over = asyncio.Event()
    async with upstreams() as (upstream,):
        upstream.default = reply("hello")
        async with ground.facing(upstream.url, server={"drain_s": 0, "watch": True}) as served:
            file = ground.folder / "1" / "config.yaml"
            good = file.read_text("utf-8")

            async def load() -> None:
                while not is_over.is_set():
                    statuses.append((await served.chat()).status)

            loads = [asyncio.create_task(load()) for _ in range(4)]
            try:
                refused = [await _reloaded(served, file, text) for text in _BROKEN]
                file.write_text(good.replace('"format": "json"', '"format": "console"'), "utf-8")
                is_changed = await _comes(served, 2)
            finally:
                is_over.set()
                await asyncio.gather(*loads)
            traces = served.traces
    failed = sum(one != 200 for one in statuses)
    kept = sum(refused)
    said = "the good one in force" if is_changed else "THE GOOD ONE NOT SEEN"
    return Reached(
        f"{kept}/{len(_BROKEN)} bad files change nothing, {failed} of {len(statuses)} calls "
        f"failed, {said}, {traces} tracebacks",
        kept == len(_BROKEN) and not failed and bool(statuses) and is_changed and not traces,
    )


async def _reloaded(served: Served, file: Path, text: str) -> bool:
    """Write the file and say so; return whether it was refused, and the old one goes on."""
    file.write_text(text, "utf-8")
    before = served.log().count("was not reloaded")
    os.kill(served.pid, signal.SIGHUP)
    await becomes(lambda: served.log().count("was not reloaded") > before)
    told = (await served.administer("GET", "/admin/config")).json()
    return bool(told["generation"] == 1 and told["last_failed"]["problems"])


async def _comes(served: Served, generation: int) -> bool:
    """Wait for a configuration that the watched file brings."""
    try:
        async with asyncio.timeout(15):
            while True:
                told = (await served.administer("GET", "/admin/config")).json()
                if told["generation"] == generation:
                    return True
                await asyncio.sleep(0.05)
    except TimeoutError:
        return False


async def _x06(ground: Ground) -> Reached:
    """Send one POST 50 times with one key, whole and as a stream, then another body."""
    count = 50
    words = ("one " * 400, "two " * 400)
    said = []
    is_met = True
    async with upstreams() as (upstream,):
        state = {"url": f"sqlite:///{ground.folder}/state.sqlite"}
        async with ground.facing(upstream.url, state=state) as served:
            for is_stream in (True, False):
                streamed = stream(*words, gap_s=0.02)
                upstream.default = streamed if is_stream else reply("".join(words))
                before = len(upstream.requests)
                key = {"Idempotency-Key": f"once-{is_stream}"}
                document = {
                    "model": "openai",
                    "messages": [{"role": "user", "content": "hi"}],
                    "stream": is_stream,
                }
                ask = partial(
                    served.ask, "POST", "/v1/chat/completions", headers=key, json=document
                )
                answers = await asyncio.gather(*(ask() for _ in range(count - 1)))
                # The last one comes when the others are answered: what is kept is repeated.
                answers.append(await ask())
                other = await ask(json={**document, "n": 2})
                calls = len(upstream.requests) - before
                bodies = len({one.body for one in answers})
                good = sum(one.status == 200 for one in answers)
                said.append(
                    f"{good}/{count} {'streams' if is_stream else 'answers'}, {calls} call, "
                    f"{bodies} body, another body {other.status}"
                )
                is_met &= (good, calls, bodies, other.status) == (count, 1, 1, 409)
            report = (await served.administer("GET", "/admin/usage")).json()
    rows = report["total"]["calls"]
    return Reached(f"{'; '.join(said)}; {rows} rows", is_met and rows == 2)


async def _x07(ground: Ground) -> Reached:
    """Ask an upstream that says nothing: with a deadline, and with a second one to ask."""
    rounds = ground.times(20, least=3)
    late: list[float] = []
    async with upstreams(2) as (silent, other):
        silent.default, other.default = hang_before_head(), reply("hello")
        async with ground.facing(silent.url, other.url) as served:
            for _ in range(rounds):
                begun = time.perf_counter()
                answer = await served.ask(
                    "POST",
                    "/v1/chat/completions",
                    headers={"X-Deadline-Ms": "300"},
                    json={"model": "up-x", "messages": [{"role": "user", "content": "hi"}]},
                )
                late.append(time.perf_counter() - begun - 0.3)
                assert answer.status == 504, answer.status
        hedge = {"whole_after_s": 0.05, "budget_percent": 100}
        targets = [{"provider": f"up{number}", "model": "upstream"} for number in (1, 2)]
        models = {"openai": {"targets": targets, "hedge": hedge}}
        async with ground.facing(
            silent.url, other.url, models=models, deadlines={"total_s": 10}
        ) as served:
            hedged = [await served.chat() for _ in range(rounds)]
    won = sum(one.status == 200 and one.headers["X-Provider"] == "up2" for one in hedged)
    return Reached(
        f"504 {ms(p99(late))} after the deadline, {won}/{rounds} answered by the second target",
        won == rounds and ground.is_in_time(p99(late), _BESIDE_S),
    )


ROWS = (
    Row(
        "L04",
        "six broken files by SIGHUP under load, then a good one",
        "0 calls fail, the old one goes on; the good one is in force",
        _l04,
        weakness={"server": {"watch": False}},
    ),
    Row(
        "X06",
        "one POST 50 times at once with one Idempotency-Key, then another body",
        "1 call upstream, 1 row, the same bytes; 409",
        _x06,
        weakness={"idempotency": {"answer_bytes": 1024}},
    ),
    Row(
        "X07",
        "an upstream that says nothing: with a deadline, with a second target",
        "504 within the deadline + 100 ms; hedged calls are answered",
        _x07,
        weakness={"models": {"openai": {"hedge": {"budget_percent": 0, "floor": "1/day"}}}},
    ),
)

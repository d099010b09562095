"""Several gateways on one Valkey: one limit, one number of places, one feed, and what if not."""

import asyncio
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from gateway.testing.upstream import FakeUpstream, hang_before_head
from tests.contract.asking import Asker, assert_refused
from tests.contract.conftest import configuration
from tests.contract.feeding import read
from tests.docs.pages import blocks, page, section
from tests.running import run_gateway
from tests.valkey import TestValkey, client
from tests.web.raw_http import PATIENCE_S, becomes

GENERATE = "/api/generate_response?user_input=hi&model=chaotic"
SLOW = "/api/generate_response?user_input=hi"


@asynccontextmanager
async def gateways(
    count: int,
    url: str,
    session: aiohttp.ClientSession,
    upstream: FakeUpstream,
    folder: Path,
    **sections: Any,
) -> AsyncGenerator[list[Asker]]:
    """Start gateways that share the server of `url`, each with a state folder of its own."""
    state = {"valkey": url, **sections.pop("state", {})}
    text = configuration(upstream, state=state, **sections)
    async with asyncio.TaskGroup() as group:
        ending, ready = asyncio.Event(), asyncio.Queue[Asker]()

        async def run(number: int) -> None:
            own = folder / f"gateway{number}"
            own.mkdir()
            async with run_gateway(text, own) as running:
                ready.put_nowait(Asker(session, running))
                await ending.wait()

        for number in range(count):
            group.create_task(run(number))
        try:
            yield [await ready.get() for _ in range(count)]
        finally:
            ending.set()


@pytest.fixture(autouse=True)
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let answers take their time: how long they may is not what these tests are about."""
    monkeypatch.setattr("gateway.state.valkey.sharing.ANSWER_S", 30.0)


async def counted(asker: Asker) -> None:
    """Wait until the gateway can count: on a busy machine the server is down now and then."""
    condition = asker.gateway.gateway.serving.shared.condition
    await becomes(lambda: not condition.is_down)


async def test_the_hundred_and_first_is_refused_whoever_counted_the_others(
    valkey: str, session: aiohttp.ClientSession, upstream: FakeUpstream, tmp_path: Path
) -> None:
    async with gateways(2, valkey, session, upstream, tmp_path) as (one, other):
        left = []
        for number in range(100):
            reply = await (one if number % 3 else other).get(GENERATE)
            assert reply.status == 200
            left.append(int(reply.headers["X-RateLimit-Remaining"]))

        refusals = [await one.get(GENERATE), await other.get(GENERATE)]

    assert left == list(range(99, -1, -1))
    for refusal in refusals:
        error = assert_refused(refusal, 429, "rate_limit_exceeded")
        assert "reset_time" in error["details"]


async def test_ten_run_at_once_at_both_together(
    valkey: str, session: aiohttp.ClientSession, upstream: FakeUpstream, tmp_path: Path
) -> None:
    async with gateways(2, valkey, session, upstream, tmp_path) as (one, other):
        upstream.will(*(hang_before_head() for _ in range(10)))
        running = [
            asyncio.ensure_future((one if number % 2 else other).get(SLOW)) for number in range(10)
        ]
        await becomes(lambda: len(upstream.requests) == 10)

        refusals = [await one.get(GENERATE), await other.get(GENERATE)]
        for call in running:
            call.cancel()
        await asyncio.wait(running)
        async with asyncio.timeout(PATIENCE_S):
            while (await other.get(GENERATE)).status == 429:  # noqa: ASYNC110 - only the server knows.
                await asyncio.sleep(0.01)

    for refusal in refusals:
        assert_refused(refusal, 429, "concurrency_limit_exceeded")


async def test_what_one_gateway_generates_is_read_at_the_other(
    valkey: str, session: aiohttp.ClientSession, upstream: FakeUpstream, tmp_path: Path
) -> None:
    async with gateways(2, valkey, session, upstream, tmp_path) as (one, other):
        async with read(other) as reader:
            await one.get(GENERATE)
            seen = await reader.event()
        await other.get(GENERATE + "&seed=7")

        async with read(one, Last_Event_ID=seen.id) as again:
            event = await again.event()

    assert seen.json()["messages"][0]["content"] == "hi"
    assert event.json()["parameters"]["seed"] == 7


async def test_a_server_that_is_gone_is_said_everywhere_and_closes_the_door(
    own_valkey: TestValkey, session: aiohttp.ClientSession, upstream: FakeUpstream, tmp_path: Path
) -> None:
    async with gateways(1, own_valkey.url, session, upstream, tmp_path) as (asker,):
        condition = asker.gateway.gateway.serving.shared.condition
        before = await asker.get("/health/readiness")
        own_valkey.kill()
        await becomes(lambda: condition.is_down)

        refusal = await asker.get(GENERATE)
        down = await asker.get("/health/readiness")
        async with session.get(f"{asker.gateway.admin_url}/metrics") as answer:
            metrics = await answer.text()
        own_valkey.start()
        await becomes(lambda: not condition.is_down)
        healed = await asker.get(GENERATE)

    assert before.json()["shared"] == "ok"
    assert_refused(refusal, 503, "unavailable")
    assert refusal.headers["Retry-After"] == "1"
    assert down.status == 200
    assert down.json()["shared"].startswith("down: ")
    assert "dynagate_state_down 1.0" in metrics
    assert "dynagate_uncounted_calls_total 1.0" in metrics
    assert healed.status == 200


async def test_a_killed_gateway_gives_its_places_back(
    valkey: str, session: aiohttp.ClientSession, upstream: FakeUpstream, tmp_path: Path
) -> None:
    # Leases live half a minute, which is long for a test.
    program = (
        "from gateway.state.valkey import sharing; sharing.LEASE_S, sharing.ANSWER_S = 1.0, 30.0; "
        "import sys; from gateway.cli import main; sys.exit(main())"
    )
    limits = {"anonymous": {"requests": "100/hour", "concurrent": 2}}
    text = configuration(
        upstream,
        state={"valkey": valkey},
        limits=limits,
        server={"port": 0},
        admin={"listen": None},
    )
    (tmp_path / "config.yaml").write_text(text)
    home = {"HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path / "state")}
    process = subprocess.Popen(  # noqa: ASYNC220 - it takes no time.
        [sys.executable, "-c", program, "serve"],
        cwd=tmp_path,
        env={**os.environ, **home},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        url = (await asyncio.to_thread(process.stdout.readline)).split()[-1]
        async with gateways(1, valkey, session, upstream, tmp_path, limits=limits) as (other,):
            upstream.will(hang_before_head(), hang_before_head())
            calls = [asyncio.ensure_future(_status(session, url + SLOW)) for _ in range(2)]
            await becomes(lambda: len(upstream.requests) == 2)
            refusal = await other.get(GENERATE)

            process.send_signal(signal.SIGKILL)
            await asyncio.wait(calls)
            async with asyncio.timeout(PATIENCE_S):
                while (await other.get(GENERATE)).status == 429:  # noqa: ASYNC110 - only the server knows.
                    await asyncio.sleep(0.05)
    finally:
        process.kill()
        process.wait(PATIENCE_S)
        if process.stdout is not None:
            process.stdout.close()

    assert_refused(refusal, 429, "concurrency_limit_exceeded")


async def test_the_user_of_the_operators_guide_may_do_all_that_is_needed(
    own_valkey: TestValkey, session: aiohttp.ClientSession, upstream: FakeUpstream, tmp_path: Path
) -> None:
    guide = section(page("docs/operator.md"), "Valkey or Redis")
    (commands,) = [one for one in blocks(guide, "console") if "ACL" in one]
    line = next(line for line in commands.splitlines() if "ACL SETUSER" in line)
    words = shlex.split(line)[1:]
    with client(own_valkey.url) as operator:
        operator.execute_command(*words)
        operator.acl_setuser("default", enabled=False)
    url = own_valkey.url.replace("unix://", "unix://dynagate:a-long-password@") + "?db=1"

    async with gateways(1, url, session, upstream, tmp_path) as (asker,):
        await counted(asker)
        async with read(asker) as reader:
            reply = await asker.get(GENERATE)
            event = await reader.event()
        document = {"user_input": "hi", "model": "chaotic"}
        path, key = "/api/generate_response", "one"
        posts = [await asker.post(path, document, Idempotency_Key=key) for _ in range(2)]
        is_down = asker.gateway.gateway.serving.shared.condition.is_down

    assert reply.status == 200
    assert [one.headers.get("Idempotency-Replayed") for one in posts] == [None, "true"]
    assert not is_down
    assert event.json()["response"]


async def _status(session: aiohttp.ClientSession, url: str) -> int:
    try:
        async with session.get(url) as answer:
            return answer.status
    except aiohttp.ClientError:
        return 0

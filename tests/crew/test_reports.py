"""The metrics and the readiness of several workers, as the host tells them."""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from gateway.crew.link import Link, listening
from gateway.crew.post import Post
from gateway.crew.reports import Told, Workers
from gateway.crew.words import State
from gateway.schema.failure import CallError
from gateway.telemetry.metrics import Metrics
from gateway.web.explaining import wish_of
from tests.running import Running


@pytest.fixture
def post() -> Iterator[Post]:
    """The host of two workers."""
    with TemporaryDirectory(prefix="dg-") as folder:
        yield Post(0, 2, Path(folder))


@asynccontextmanager
async def worker(
    post: Post, number: int, pid: int, calls: int, *, status: str = "ok"
) -> AsyncGenerator[None]:
    """Be a worker who has answered `calls`, and has one call under way."""
    metrics = Metrics()
    metrics.in_flight = 1
    for _ in range(calls):
        metrics.called(("d", "m", "p", 200), 1.0, None, (1, 1))

    async def serve(link: Link) -> None:
        await link.receive()
        health = ({"target": "up/m", "failures": calls},)
        await link.send(State(pid, status, {}, metrics.text(), health))

    async with listening(post.worker_sockets[number], serve):
        yield


async def told(workers: Workers) -> tuple[float, float]:
    """Return the calls answered and those under way."""
    lines = (await workers.scrape()).decode().splitlines()
    rows = [line.rpartition(" ") for line in lines if not line.startswith("#")]
    values = {series.partition("{")[0]: float(value) for series, _, value in rows}
    return values["dynagate_calls_total"], values["dynagate_in_flight"]


async def test_what_workers_count_is_added_up(post: Post) -> None:
    async with worker(post, 1, 11, 3), worker(post, 2, 12, 4):
        assert await told(Workers(post, Metrics())) == (7, 2)


async def test_what_a_worker_counted_before_it_ended_still_counts(post: Post) -> None:
    workers = Workers(post, Metrics())
    async with worker(post, 2, 12, 4):
        async with worker(post, 1, 11, 3):
            assert await told(workers) == (7, 2)
        assert await told(workers) == (7, 1)

        async with worker(post, 1, 13, 1):
            assert await told(workers) == (8, 2)
            assert await told(workers) == (8, 2)


async def test_a_worker_that_says_nothing_holds_nobody_up(post: Post) -> None:
    async def silent(link: Link) -> None:
        await asyncio.Event().wait()

    async with AsyncExitStack() as stack:
        await stack.enter_async_context(listening(post.worker_sockets[1], silent))
        await stack.enter_async_context(worker(post, 2, 12, 4))

        is_ready, words = await Workers(post, Metrics()).readiness()

    assert not is_ready
    assert words["workers"] == {"1": "not there", "2": "ok"}


async def test_each_worker_tells_how_it_finds_the_targets(post: Post) -> None:
    async with worker(post, 1, 11, 3), worker(post, 2, 12, 4):
        told = await Workers(post, Metrics()).targets()

    assert told == [
        {"worker": 1, "target": "up/m", "failures": 3},
        {"worker": 2, "target": "up/m", "failures": 4},
    ]


async def test_all_are_ready_when_each_is(post: Post) -> None:
    async with worker(post, 1, 11, 0), worker(post, 2, 12, 0):
        assert (await Workers(post, Metrics()).readiness())[0]
    async with worker(post, 1, 11, 0), worker(post, 2, 12, 0, status="draining"):
        is_ready, words = await Workers(post, Metrics()).readiness()

    assert not is_ready
    assert words["status"] == "draining"


async def test_a_worker_that_can_record_no_call_is_not_ready(post: Post) -> None:
    async with worker(post, 1, 11, 0), worker(post, 2, 12, 0, status="unavailable"):
        is_ready, words = await Workers(post, Metrics()).readiness()

    assert not is_ready
    assert words["status"] == "unavailable"
    assert words["workers"] == {"1": "ok", "2": "unavailable"}


async def test_the_first_worker_that_answers_explains_a_request(
    post: Post, gateway: Running
) -> None:
    serving = gateway.gateway.serving
    body = {"model": "openai", "messages": [{"role": "user", "content": "hi"}]}
    wish = wish_of({"body": body, "plan": "default"}, serving.services)

    async with listening(post.worker_sockets[2], Told(serving).serve):
        plan = await Workers(post, Metrics()).explain(wish)

    assert [line["target"] for line in plan["candidates"]] == ["up/upstream-model"]
    assert plan["error"] is None
    with pytest.raises(CallError, match="no worker answers"):
        await Workers(post, Metrics()).explain(wish)

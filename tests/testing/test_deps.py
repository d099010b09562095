"""What `make_deps` gives is the real thing, in folders of the test's own."""

import asyncio
from pathlib import Path

import pytest

from gateway.sdk import HttpError
from gateway.testing.clock import ManualClock
from gateway.testing.deps import make_deps
from gateway.testing.upstream import FakeUpstream


async def test_its_http_reaches_an_upstream_and_its_fetch_does_not(tmp_path: Path) -> None:
    async with FakeUpstream() as upstream, make_deps("mine", tmp_path) as deps:
        url = f"{upstream.url}/v1/models"

        async with deps.http.request("GET", url) as answer:
            assert answer.status == 200
            assert b'"fake"' in await answer.read(10_000)
        with pytest.raises(HttpError) as refused:
            async with deps.fetch.request("GET", url):
                pass

    assert refused.value.phase == "guard"


async def test_leaving_closes_connections_and_ends_background_work(tmp_path: Path) -> None:
    ended = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with FakeUpstream() as upstream:
        async with make_deps("mine", tmp_path) as deps:
            deps.background.start("work", work())
            async with deps.http.request("GET", f"{upstream.url}/v1/models") as answer:
                await answer.read(10_000)
            await asyncio.sleep(0)
        await upstream.wait_closed(1)

    assert ended.is_set()


async def test_its_clock_and_folders_can_be_given(tmp_path: Path) -> None:
    clock = ManualClock()
    weights = tmp_path / "weights"

    async with make_deps("mine", tmp_path, clock=clock, cache_dir=weights) as deps:
        assert deps.name == "mine"
        assert deps.clock is clock
        assert deps.cache_dir == weights
        assert deps.state_dir.is_dir()
        assert weights.is_dir()

"""A gateway that stops: what has begun ends well, nothing new begins, probes say so."""

import asyncio

import pytest

from gateway.testing.upstream import FakeUpstream, stream
from tests.contract.asking import Asker, assert_refused


@pytest.fixture
def draining(caller: Asker) -> Asker:
    """Somebody who calls a gateway that is about to stop."""
    caller.gateway.gateway.serving.is_draining = True
    return caller


@pytest.mark.parametrize("path", ["/health/readiness", "/readyz"])
async def test_readiness_is_503_while_draining(draining: Asker, path: str) -> None:
    reply = await draining.get(path)

    assert reply.status == 503
    assert reply.json()["status"] == "draining"


async def test_the_operators_listener_tells_it_as_well(draining: Asker) -> None:
    reply = await draining.ask("GET", "/health/readiness", is_admin=True)

    assert reply.status == 503
    assert reply.json()["status"] == "draining"


@pytest.mark.parametrize("path", ["/health", "/healthz", "/health/liveness", "/v1/models"])
async def test_the_process_still_lives_and_lists(draining: Asker, path: str) -> None:
    assert (await draining.get(path)).status == 200


@pytest.mark.parametrize("is_stream", [True, False])
async def test_nothing_new_is_generated_while_draining(
    draining: Asker, upstream: FakeUpstream, is_stream: bool
) -> None:
    replies = [
        await draining.chat(stream=is_stream),
        await draining.get(f"/text/hi?stream={is_stream}"),
        await draining.post("/v1/completions", {"model": "openai", "prompt": "hi"}),
        await draining.post("/api/generate_response", {"user_input": "hi"}),
    ]

    for reply in replies:
        assert_refused(reply, 503, "unavailable")
        assert reply.headers["Retry-After"]
        assert "X-RateLimit-Limit" not in reply.headers
    assert upstream.requests == []


async def test_a_stream_that_has_begun_finishes(caller: Asker, upstream: FakeUpstream) -> None:
    release = asyncio.Event()
    upstream.will(stream("one ", "two", hold=release))
    call = asyncio.ensure_future(caller.chat(stream=True))
    await upstream.wait_requests()

    caller.gateway.gateway.serving.is_draining = True
    refused = await caller.chat()
    release.set()
    answer = await call

    assert_refused(refused, 503, "unavailable")
    assert answer.words == "one two"
    assert answer.is_done

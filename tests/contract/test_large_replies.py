"""Replies of a host too large to be held: they pass as they come, and end as they end."""

import asyncio

import aiohttp
import pytest

from gateway.testing.actions import Answer, Close, Hang, Reset, Send
from gateway.testing.http_wire import LAST_CHUNK, chunk, head
from gateway.testing.upstream import FakeUpstream
from tests.contract.asking import Asker, gate_of
from tests.contract.conftest import Begin

BEGIN = b'{"object":"list","data":[' + b"0," * 200_000
END = b'0],"model":"embed-x","usage":{"prompt_tokens":7}}'
EMBEDS = {"embed": {"targets": [{"provider": "up", "model": "embed-x"}]}}
ASKED = {"model": "embed", "input": "x"}


def answer(*last: Send | Hang | Reset | Close) -> Answer:
    """Answer with the beginning of a large reply, then as told."""
    headers = {"content-type": "application/json", "transfer-encoding": "chunked"}
    return lambda _request: [Send(head(200, headers)), Send(chunk(BEGIN)), *last]


@pytest.fixture
async def caller(begin: Begin) -> Asker:
    """Somebody who calls a gateway with little patience for silence."""
    return await begin(models=EMBEDS, deadlines={"between_tokens_s": 0.3})


async def test_it_passes_byte_for_byte_and_is_accounted(
    caller: Asker, upstream: FakeUpstream
) -> None:
    upstream.will(answer(Send(chunk(END)), Send(LAST_CHUNK)))

    came = await caller.post("/v1/embeddings", ASKED)

    assert came.body == BEGIN + END
    assert '"input_tokens":7' in caller.gateway.lines()


@pytest.mark.parametrize(
    ("last", "code"),
    [
        ((Hang(),), "deadline_exceeded"),
        ((Reset(),), "upstream_failed"),
        ((Close(),), "upstream_failed"),
        ((Send(LAST_CHUNK),), "upstream_failed"),
    ],
    ids=["silence", "reset", "closed", "no end"],
)
async def test_what_breaks_off_has_no_proper_end(
    caller: Asker, upstream: FakeUpstream, last: tuple[Hang], code: str
) -> None:
    upstream.will(answer(*last))

    with pytest.raises(aiohttp.ClientPayloadError):
        await caller.post("/v1/embeddings", ASKED)

    assert f'"code":"{code}"' in caller.gateway.lines()
    await _is_free(caller)


async def test_a_caller_who_leaves_frees_the_host(caller: Asker, upstream: FakeUpstream) -> None:
    upstream.will(answer(Hang()))
    async with caller.session.post(f"{caller.gateway.url}/v1/embeddings", json=ASKED) as begun:
        assert await begun.content.readexactly(1000) == BEGIN[:1000]
        begun.close()

    await upstream.wait_abandoned()
    await _is_free(caller)


async def test_what_begins_as_no_reply_is_502(caller: Asker, upstream: FakeUpstream) -> None:
    headers = {"content-type": "application/json", "transfer-encoding": "chunked"}
    other = b'{"nothing":"' + b"x" * 300_000 + b'"}'
    upstream.will(lambda _: [Send(head(200, headers)), Send(chunk(other)), Send(LAST_CHUNK)])

    refused = await caller.post("/v1/embeddings", ASKED)

    assert refused.status == 502
    await _is_free(caller)


async def _is_free(caller: Asker) -> None:
    """Wait until nothing is in flight to the host."""
    gate = gate_of(caller.gateway)
    async with asyncio.timeout(2):
        while gate.in_flight:  # noqa: ASYNC110 - the gate has no event for it.
            await asyncio.sleep(0.01)

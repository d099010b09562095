"""Every answer to a call says where its time went."""

import re

import pytest

from gateway.testing.upstream import FakeUpstream, status
from tests.contract.asking import Asker, Reply
from tests.contract.conftest import Begin

CHAT = {"role": "user", "content": "hi"}
GENERATE = "/api/generate_response?user_input=hi"
_TIMING = re.compile(
    r"queue;dur=(0|\d+\.\d), upstream;dur=(\d+\.\d), total;dur=(\d+\.\d)(?:, .*)?", re.ASCII
)


def timing(reply: Reply) -> tuple[float, float, float]:
    """Return the milliseconds at the gate, at the upstream, and of all."""
    found = _TIMING.fullmatch(reply.headers["Server-Timing"])
    assert found is not None, reply.headers["Server-Timing"]
    queue, upstream, total = map(float, found.groups())
    return queue, upstream, total


@pytest.mark.parametrize("is_stream", [False, True])
async def test_what_was_spent_at_the_upstream_is_part_of_the_total(
    caller: Asker, *, is_stream: bool
) -> None:
    by_path = [await caller.chat("hi", stream=is_stream)]
    by_path.append(await caller.get(f"{GENERATE}&stream={is_stream}"))

    for reply in by_path:
        queue, upstream, total = timing(reply)
        assert reply.status == 200
        assert upstream > 0
        # Three numbers, each of which is rounded.
        assert queue + upstream <= total + 0.2


async def test_failed_attempts_count_and_errors_tell_too(
    begin: Begin, upstream: FakeUpstream, second: FakeUpstream
) -> None:
    caller = await begin(second)
    upstream.will(status(500), status(500))
    second.will(status(500))

    failed = await caller.chat("hi")
    fallen = await caller.chat("hi")
    refused = await caller.chat("hi", model="nobody")

    assert (failed.status, fallen.status, refused.status) == (502, 200, 404)
    assert timing(failed)[1] > 0
    assert timing(fallen)[1] > 0
    assert timing(refused)[:2] == (0, 0)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/v1/models", None),
        ("GET", "/nowhere", None),
        ("POST", "/v1/chat/completions", b"no json"),
        ("DELETE", "/v1/chat/completions", None),
    ],
)
async def test_what_is_no_call_tells_the_total(
    caller: Asker, method: str, path: str, body: bytes | None
) -> None:
    answer = await caller.ask(method, path, data=body)

    assert re.fullmatch(r"total;dur=\d+\.\d", answer.headers["Server-Timing"])


@pytest.mark.parametrize("is_stream", [False, True])
async def test_an_answer_that_is_given_again_tells_its_own_total(
    caller: Asker, *, is_stream: bool
) -> None:
    document = {"model": "openai", "stream": is_stream, "messages": [CHAT]}
    headers = {"Idempotency-Key": "one"}

    first, second = [
        await caller.ask("POST", "/v1/chat/completions", json=document, headers=headers)
        for _ in range(2)
    ]

    assert timing(first)[1] > 0
    assert re.fullmatch(r"total;dur=\d+\.\d", second.headers["Server-Timing"])

"""An operator who asks for it is told with the answer what happened to a call."""

import re

import pytest

from gateway.testing.upstream import FakeUpstream, rate_limit, status
from tests.contract.administering import ADMINISTERED, SECRET, made
from tests.contract.asking import Asker, Reply
from tests.contract.conftest import Begin

HI = {"model": "openai", "messages": [{"role": "user", "content": "hi"}]}
ADMIN = {"admin": {"secret": SECRET}}


async def ask(caller: Asker, *, secret: str = SECRET, wish: str = "1", **fields: object) -> Reply:
    headers = {"Authorization": f"Bearer {secret}", "X-Explain": wish}
    body = {**HI, **fields}
    return await caller.ask("POST", "/v1/chat/completions", json=body, headers=headers)


def attempts(reply: Reply) -> list[str]:
    """Return the attempts without their times."""
    told = reply.headers["X-Explain-Attempts"]
    assert len(re.findall(r";dur=\d+\.\d", told)) == len(told.split(", "))
    return re.sub(r";dur=\d+\.\d", "", told).split(", ")


@pytest.mark.parametrize("is_stream", [False, True])
async def test_attempts_are_told_with_what_failed(
    begin: Begin, upstream: FakeUpstream, second: FakeUpstream, *, is_stream: bool
) -> None:
    caller = await begin(second, **ADMIN)
    upstream.will(rate_limit())

    answer = await ask(caller, stream=is_stream)

    assert answer.status == 200
    assert attempts(answer) == ["up/upstream-model;failure=rate_limit", "second/second-model"]
    assert answer.headers["X-Explain-Way"] == "forward; route=openai"
    assert SECRET not in caller.gateway.lines()


async def test_an_error_tells_too(begin: Begin, upstream: FakeUpstream) -> None:
    caller = await begin(**ADMIN)
    upstream.will(status(500))

    answer = await ask(caller)

    assert answer.status == 502
    assert attempts(answer) == ["up/upstream-model;failure=transient"]


async def test_a_callers_key_goes_beside_the_secret(begin: Begin) -> None:
    caller = await begin(auth={"mode": "keys"}, **ADMINISTERED)
    key = await made(caller, plan="small")
    headers = {"Authorization": f"Bearer {SECRET}", "X-Explain": "1", "x-api-key": key["key"]}

    answer = await caller.ask("POST", "/v1/chat/completions", json=HI, headers=headers)

    assert answer.headers["X-RateLimit-Limit"] == "2"
    assert attempts(answer) == ["up/upstream-model"]


async def test_nobody_else_is_told(begin: Begin) -> None:
    caller = await begin(**ADMIN)
    off = await begin()

    others = [
        await ask(caller, secret="guess"),  # noqa: S106
        await ask(caller, wish="0"),
        await caller.post("/v1/chat/completions", HI, X_Explain="1"),
        await ask(off, secret=""),
        await ask(off),
    ]

    for answer in others:
        assert answer.status == 200
        assert not [name for name in answer.headers if name.startswith("X-Explain")]

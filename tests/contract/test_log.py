"""One line a call, whatever callers and upstreams say."""

import json

import pytest

from gateway.testing.upstream import FakeUpstream, status
from tests.contract.asking import Asker
from tests.contract.conftest import Begin

FORGED = "up-\n12:00:00 200 forged\r\x1b[2J\u2028\u0085"


async def test_a_call_is_one_line_with_what_there_is_to_know(
    caller: Asker, upstream: FakeUpstream
) -> None:
    reply = await caller.chat(stream=True)

    (line,) = [json.loads(line) for line in caller.gateway.lines().splitlines()]
    assert line["event"] == "call"
    assert line["request_id"] == reply.headers["X-Request-Id"]
    assert (line["dialect"], line["model"]) == ("openai_chat", "openai")
    assert (line["target"], line["path"]) == ("up/upstream-model", "forward")
    assert (line["status"], line["is_stream"]) == (200, True)
    assert (line["input_tokens"], line["output_tokens"]) == (3, 1)
    assert line["address"] == "127.0.0.1"
    assert line["total_ms"] >= line["first_token_ms"] >= 0


@pytest.mark.parametrize("style", ["json", "console"])
async def test_a_model_name_cannot_forge_a_line(
    begin: Begin, upstream: FakeUpstream, style: str, capsys: pytest.CaptureFixture[str]
) -> None:
    caller = await begin(logs={"format": style})
    upstream.will(status(500, "a\nb\x1b[2J"))
    capsys.readouterr()

    await caller.chat(model=FORGED)

    for text in (caller.gateway.lines(), capsys.readouterr().err):
        line, rest = text.split("\n", 1)
        assert rest == ""
        assert line.isprintable() if style == "console" else json.loads(line)


async def test_a_failed_call_says_why_for_people_too(begin: Begin, upstream: FakeUpstream) -> None:
    caller = await begin(logs={"format": "console"})
    upstream.will(status(500))

    await caller.chat()

    assert "502" in caller.gateway.lines()
    assert "upstream_failed · transient" in caller.gateway.lines()

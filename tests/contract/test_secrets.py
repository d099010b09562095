"""An upstream that repeats our key: neither callers nor the log nor the metrics get to see it."""

import pytest

from gateway.schema.json import JsonObject
from gateway.testing.actions import Answer, framed
from gateway.testing.openai_documents import frame
from gateway.testing.upstream import FakeUpstream, body, chunks, garbage, status
from tests.contract.asking import CANARY, Asker
from tests.contract.conftest import Begin

LONG = "hunter2/with+no=shape-that-a-pattern-knows"
"""A secret that only somebody who was told of it can recognise."""
WORD: JsonObject = {"choices": [{"index": 0, "delta": {"content": "hi"}}]}


def errors(secret: str) -> list[Answer]:
    """Return the errors in which an upstream can repeat a secret."""
    said = f"Incorrect API key provided: {secret}"
    document: JsonObject = {"error": {"message": said, "code": secret, "param": secret}}
    return [
        status(400, said),
        status(401, said),
        status(413, f"context length {said}"),
        status(429, said),
        status(500, said),
        status(400, said, error_code=secret),
        status(400, said, headers={"x-secret": secret, "retry-after": secret}),
        body(frame(document)[6:], code=400),
        body(frame(document)[6:]),
        body(f'{{"error": "{said}"}}'.encode(), code=400),
        body(f'{{"detail": "{said}"}}'.encode(), code=400),
        body(said.encode(), code=400),
        garbage(said.encode()),
        chunks(document),
        chunks(WORD, document),
        lambda _request: framed([frame(WORD) + frame(document)]),
        # Where a long message is cut, half a secret could be left.
        *(status(400, "x" * (500 - cut) + secret) for cut in range(1, 40, 7)),
        *(status(400, secret * 20 + "x" * cut) for cut in range(1, 40, 7)),
    ]


@pytest.mark.parametrize("path", ["chat", "streamed chat", "text", "streamed text"])
async def test_a_key_that_is_repeated_in_an_error_is_seen_nowhere(
    begin: Begin, upstream: FakeUpstream, path: str, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = {"base_url": upstream.url, "api_key": CANARY, "headers": {"X-Team": LONG}}
    caller = await begin(
        up={"settings": settings}, limits={"anonymous": {"requests": "9999/hour", "concurrent": 9}}
    )
    for secret in (CANARY, LONG):
        for answer in errors(secret):
            upstream.will(answer)

            await assert_silent(caller, path, secret)

    metrics = await caller.ask("GET", "/metrics", is_admin=True)
    log = capsys.readouterr().err
    assert "[redacted]" in log
    for secret in (CANARY, LONG):
        for part in (secret, secret[:9]):
            assert part not in metrics.text
            assert part not in caller.gateway.lines()
            assert part not in log


async def assert_silent(caller: Asker, path: str, secret: str) -> None:
    """Ask, and look for the secret in all that comes back."""
    is_stream = path.startswith("streamed")
    reply = (
        await caller.chat(stream=is_stream)
        if path.endswith("chat")
        else await caller.get(f"/api/generate_response?user_input=hi&stream={is_stream}")
    )

    everything = f"{reply.text} {dict(reply.headers)}"
    assert secret[:9] not in everything, everything[:600]


async def test_a_callers_key_is_not_logged_either(caller: Asker) -> None:
    for headers in ({"Authorization": f"Bearer {LONG}"}, {"x-api-key": LONG}, {"Cookie": LONG}):
        await caller.ask("GET", f"/text/hi?api_key={LONG}&referrer={LONG}", headers=headers)

    assert LONG[:9] not in caller.gateway.lines()


async def test_a_prompt_is_not_logged(caller: Asker) -> None:
    await caller.chat("what nobody else may read")
    await caller.get("/text/what%20nobody%20else%20may%20read?system=what%20nobody")

    assert "nobody else" not in caller.gateway.lines()

"""What this provider alone promises."""

from contextlib import aclosing
from pathlib import Path

import pytest
from gateway.schema.chat import ChatRequest, Message, TextPart
from gateway.schema.events import Finish, StreamEvent, TextDelta
from gateway.schema.failure import Failure
from gateway.schema.usage import Usage
from gateway.sdk import Attempt, UpstreamError
from gateway.testing.deps import make_deps

from dynagate_echo import EchoSettings, connect


async def ask(text: str, settings: EchoSettings, folder: Path) -> list[StreamEvent]:
    """Return all events of an answer to `text`."""
    request = ChatRequest(model="any", messages=(Message("user", (TextPart(text),)),))
    async with make_deps("echo", folder) as deps, connect(settings, deps) as echo:
        attempt = Attempt("test", number=1, deadline=deps.clock.monotonic() + 60)
        async with aclosing(echo.chat(request, attempt)) as events:
            return [event async for event in events]


async def test_it_says_the_words_again_after_the_prefix(tmp_path: Path) -> None:
    events = await ask("good morning", EchoSettings(prefix="heard: "), tmp_path)

    assert events == [
        TextDelta(0, "heard: "),
        TextDelta(0, "good "),
        TextDelta(0, "morning "),
        Finish(0, "stop"),
        Usage(input_tokens=2, output_tokens=3),
    ]


async def test_it_refuses_a_turn_without_words(tmp_path: Path) -> None:
    with pytest.raises(UpstreamError) as caught:
        await ask("  ", EchoSettings(), tmp_path)

    assert caught.value.failure is Failure.CALLER_FAULT

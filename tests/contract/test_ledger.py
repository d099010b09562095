"""Section 5's ledger through the socket: the row first, and then what ends the answer."""

import asyncio
import json
import sqlite3
from collections.abc import Awaitable, Generator
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from gateway.schema.usage import Usage
from gateway.state.ledger import Entry, Standing
from gateway.state.memory_ledger import MemoryLedger
from gateway.state.opening import MemoryState
from gateway.testing.actions import Hang, Send, piece
from gateway.testing.faults import reset
from gateway.testing.openai_documents import frame
from gateway.testing.upstream import FakeUpstream, Tokens, hang_in_stream, reply, status, stream
from tests.contract.asking import Asker, Reply, assert_refused, knock
from tests.contract.conftest import Begin
from tests.contract.sounding import SOUND, SPEAKS, speaking, transcript
from tests.contract.streaming import CHAT_BODY, CHAT_HEAD, STREAM_HEAD, word
from tests.contract.test_hangup import request
from tests.web.raw_http import becomes

KEPT = {"state": {"url": "sqlite:///$XDG_STATE_HOME/dynagate/state.sqlite"}}
MEDIA = {
    "embed": {"targets": [{"provider": "up", "model": "embed-x"}]},
    "whisper": {"targets": [{"provider": "up", "model": "whisper-x"}]},
    "tts": SPEAKS,
    "painter": {"targets": [{"provider": "chaos", "model": "echo"}]},
}
GENERATE = "/api/generate_response?user_input=hi"


class HeldLedger:
    """A ledger that takes entries, and says that they are safe when the test says so."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.is_open = True
        self.is_safe = asyncio.Event()

    @property
    def standing(self) -> Standing:
        return Standing(len(self.entries), 0, self.is_open)

    def record(self, entry: Entry) -> Awaitable[None]:
        self.entries.append(entry)
        return _Wait(self.is_safe)


class _Wait:
    def __init__(self, event: asyncio.Event) -> None:
        self._event = event

    def __await__(self) -> Generator[Any, None, None]:
        yield from self._event.wait().__await__()


def hold(caller: Asker) -> HeldLedger:
    """Give the gateway a ledger that is held."""
    ledger, serving = HeldLedger(), caller.gateway.gateway.serving
    assert isinstance(serving.state, MemoryState)
    serving.state.ledger = ledger  # type: ignore[assignment] # A double in its place.
    serving.services = replace(serving.services, ledger=ledger)
    return ledger


def entries_of(caller: Asker) -> list[Entry]:
    """Return what a gateway without a database has recorded."""
    ledger = caller.gateway.gateway.serving.state.ledger
    assert isinstance(ledger, MemoryLedger)
    return ledger.entries


def rows(folder: Path) -> list[dict[str, Any]]:
    """Return the rows of a gateway with a database, the oldest first."""
    connection = sqlite3.connect(folder / "state/dynagate/state.sqlite")
    connection.row_factory = sqlite3.Row
    try:
        return [dict(row) for row in connection.execute("SELECT * FROM calls ORDER BY at")]
    finally:
        connection.close()


async def ask(caller: Asker, path: str, *, is_stream: bool) -> Reply:
    """Ask by the path of bytes, or by the one of events."""
    if path == "forward":
        return await caller.chat(stream=is_stream)
    return await caller.get(f"{GENERATE}&stream={json.dumps(is_stream)}")


@pytest.mark.parametrize("is_stream", [True, False])
@pytest.mark.parametrize("path", ["forward", "events"])
async def test_the_row_is_there_when_the_answer_is_whole(
    begin: Begin, upstream: FakeUpstream, tmp_path: Path, path: str, is_stream: bool
) -> None:
    caller = await begin(**KEPT)
    usage = Tokens(prompt=3, completion=7)
    answer = stream("one ", "two", usage=usage) if is_stream else reply("one two", usage=usage)
    upstream.will(answer)

    answered = await ask(caller, path, is_stream=is_stream)

    (row,) = rows(tmp_path)
    assert row["request_id"] == answered.headers["X-Request-Id"]
    assert (row["status"], row["failure"], row["attempts"]) == (200, "", 1)
    assert (row["model"], row["target"]) == ("openai", "up/upstream-model")
    assert (row["input_tokens"], row["output_tokens"]) == (3, 7)
    assert (row["is_stream"], row["is_aborted"]) == (is_stream, False)
    assert row["dialect"] == ("openai_chat" if path == "forward" else "dynaspark")
    assert (row["cost_usd_micros"], row["price_version"], row["key_id"]) == (None, "", "")
    assert 0 <= row["queue_s"] <= row["total_s"]
    assert (row["first_token_s"] is not None) == is_stream


@pytest.mark.parametrize("is_stream", [True, False])
@pytest.mark.parametrize("path", ["forward", "events"])
async def test_what_ends_the_answer_waits_for_the_row_and_nothing_else_does(
    caller: Asker, upstream: FakeUpstream, path: str, is_stream: bool
) -> None:
    ledger = hold(caller)
    upstream.will(stream("one ", "two") if is_stream else reply("one two"))
    seen = bytearray()

    async def read() -> None:
        url = caller.gateway.url + ("/v1/chat/completions" if path == "forward" else GENERATE)
        body = {"model": "openai", "messages": [{"role": "user", "content": "hi"}]}
        own = {"user_input": "hi"} if path == "events" else body
        target = url.partition("?")[0]
        async with caller.session.post(target, json={**own, "stream": is_stream}) as answer:
            async for data in answer.content.iter_any():
                seen.extend(data)

    reading = asyncio.ensure_future(read())
    await becomes(lambda: len(ledger.entries) == 1)
    if is_stream:
        await becomes(lambda: b"two" in seen)
    before = bytes(seen)
    ledger.is_safe.set()
    await reading

    assert b"[DONE]" not in before
    if not is_stream:
        assert before == b""
    assert (b"[DONE]" in seen) == is_stream
    assert len(ledger.entries) == 1


async def test_the_end_of_sound_waits_for_the_row(begin: Begin, upstream: FakeUpstream) -> None:
    caller = await begin(models=MEDIA)
    ledger = hold(caller)
    upstream.will(speaking())
    seen = bytearray()
    asked = {"model": "tts", "input": "hi", "voice": "nova", "response_format": "pcm"}

    async def read() -> None:
        async with caller.session.post(f"{caller.gateway.url}/v1/audio/speech", json=asked) as got:
            async for data in got.content.iter_any():
                seen.extend(data)

    reading = asyncio.ensure_future(read())
    await becomes(lambda: bytes(seen) == SOUND)
    await becomes(lambda: len(ledger.entries) == 1)
    is_over = reading.done()
    ledger.is_safe.set()
    await reading

    assert not is_over
    assert ledger.entries[0].status == 200


async def test_a_stream_that_comes_in_one_piece_still_waits_with_its_end(
    caller: Asker, upstream: FakeUpstream
) -> None:
    ledger = hold(caller)
    whole = frame(word("all")) + frame(
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    )
    upstream.will(
        lambda _request: [Send(STREAM_HEAD), piece(whole + b"data: [DONE]\n\n"), Send(b"0\r\n\r\n")]
    )
    async with knock(caller.gateway) as wire:
        await wire.send(CHAT_HEAD % (len(CHAT_BODY), CHAT_BODY))

        before = await wire.until(b'"finish_reason":"stop"')
        await becomes(lambda: len(ledger.entries) == 1)
        ledger.is_safe.set()
        after = await wire.until(b"[DONE]")

    assert b"[DONE]" not in before
    assert b"[DONE]" in after


async def test_media_have_their_rows(begin: Begin, upstream: FakeUpstream) -> None:
    caller = await begin(models=MEDIA)
    upstream.will(transcript("two words"))
    form = aiohttp.FormData({"model": "whisper"})
    form.add_field("file", b"RIFF", filename="a.wav")

    async with caller.session.post(
        f"{caller.gateway.url}/v1/audio/transcriptions", data=form
    ) as answer:
        assert answer.status == 200

    (entry,) = entries_of(caller)
    assert (entry.model, entry.target, entry.status) == ("whisper", "up/whisper-x", 200)


async def test_a_call_that_fails_after_its_admission_has_a_row(
    begin: Begin, upstream: FakeUpstream, second: FakeUpstream
) -> None:
    caller = await begin(second)
    upstream.will(status(500))
    second.will(status(401))

    refused = await caller.chat()

    (entry,) = entries_of(caller)
    assert entry.status == refused.status == 502
    assert (entry.failure, entry.attempts) == ("credential", 2)
    assert entry.target == "second/second-model"
    assert entry.usage == Usage()


async def test_a_stream_that_breaks_off_has_a_row(caller: Asker, upstream: FakeUpstream) -> None:
    upstream.will(reset(after=2))

    await caller.chat(stream=True)

    (entry,) = entries_of(caller)
    assert (entry.status, entry.failure, entry.is_aborted) == (502, "transient", False)


async def test_a_model_that_nobody_has_is_the_callers_own_failure(caller: Asker) -> None:
    await caller.chat(model="nobody")

    (entry,) = entries_of(caller)
    assert (entry.status, entry.failure) == (404, "model_not_found")
    assert (entry.target, entry.attempts, entry.queue_s) == ("", 0, None)


@pytest.mark.parametrize("path", ["forward", "events"])
async def test_a_caller_who_leaves_in_mid_stream_has_one_row(
    caller: Asker, upstream: FakeUpstream, path: str
) -> None:
    usage = {"prompt_tokens": 3, "completion_tokens": 7}
    begun = piece(frame({**word("piece0 "), "usage": usage}))
    upstream.will(
        hang_in_stream(1)
        if path == "events"
        else lambda _request: [Send(STREAM_HEAD), begun, Hang()]
    )
    async with knock(caller.gateway) as wire:
        await wire.send(request(path, is_stream=True))
        await wire.until(b"piece0 ")

        wire.abort()
        await becomes(lambda: len(entries_of(caller)) == 1)

    (entry,) = entries_of(caller)
    assert (entry.status, entry.is_aborted, entry.is_stream) == (499, True, True)
    # What the upstream said, or about what has been written.
    known = (7, False) if path == "forward" else (2, True)
    assert (entry.usage.total_out, entry.usage.is_estimated) == known


async def test_a_caller_who_leaves_while_the_row_is_written_has_one_row(
    caller: Asker, upstream: FakeUpstream
) -> None:
    ledger = hold(caller)
    upstream.will(stream("one"))
    async with knock(caller.gateway) as wire:
        await wire.send(CHAT_HEAD % (len(CHAT_BODY), CHAT_BODY))
        await becomes(lambda: len(ledger.entries) == 1)

        wire.abort()
        await becomes(lambda: caller.gateway.gateway.serving.services.metrics.in_flight == 0)

    assert len(ledger.entries) == 1


async def test_what_is_refused_before_its_admission_has_no_row(begin: Begin) -> None:
    caller = await begin(limits={"anonymous": {"requests": "1/hour"}})
    await caller.chat()
    key = "dg-" + "0" * 49

    statuses = [
        (await caller.chat()).status,
        (await caller.post("/v1/chat/completions", {"model": 1})).status,
        (await caller.post("/v1/chat/completions", {}, x_api_key=key)).status,
    ]

    assert statuses[:2] == [429, 400]
    assert len(entries_of(caller)) == 1


@pytest.mark.parametrize("is_stream", [True, False])
async def test_a_closed_ledger_refuses_before_anything_is_asked_or_counted(
    caller: Asker, upstream: FakeUpstream, is_stream: bool
) -> None:
    ledger = hold(caller)
    ledger.is_safe.set()
    ledger.is_open = False

    refused = await caller.chat(stream=is_stream)
    ready = await caller.get("/health/readiness")
    metrics = (await caller.ask("GET", "/metrics", is_admin=True)).text
    ledger.is_open = True
    taken = await caller.chat()

    assert_refused(refused, 503, "unavailable")
    assert refused.headers["Retry-After"]
    assert "X-RateLimit-Limit" not in refused.headers
    assert taken.headers["X-RateLimit-Remaining"] == "99"
    assert len(upstream.requests) == len(ledger.entries) == 1
    assert (ready.status, ready.json()["ledger"]["is_open"]) == (503, False)
    assert "dynagate_ledger_open" in metrics


async def test_a_locked_database_delays_an_answer_and_spoils_none(
    begin: Begin, upstream: FakeUpstream, tmp_path: Path
) -> None:
    caller = await begin(**KEPT)
    other = sqlite3.connect(tmp_path / "state/dynagate/state.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    answers = [await caller.chat(stream=True), await caller.chat()]
    ready = await caller.get("/health/readiness")
    metrics = (await caller.ask("GET", "/metrics", is_admin=True)).text
    before = rows(tmp_path)
    other.execute("ROLLBACK")
    other.close()

    assert [answer.status for answer in answers] == [200, 200]
    assert answers[0].is_done
    assert ready.status == 200
    assert ready.json()["ledger"] == {
        "is_open": True,
        "spooled_rows": 2,
        "problem": "the database is slow",
    }
    assert "dynagate_ledger_spooled_rows 2.0" in metrics
    assert before == []
    await becomes(lambda: len(rows(tmp_path)) == 2)
    named = {answer.headers["X-Request-Id"] for answer in answers}
    assert {row["request_id"] for row in rows(tmp_path)} == named


async def test_a_name_that_no_database_takes_is_recorded_all_the_same(
    begin: Begin, tmp_path: Path
) -> None:
    caller = await begin(**KEPT)

    await caller.get("/text/hi?model=%00%ED%A0%80" + "x" * 5000)
    answered = await caller.chat()

    assert answered.status == 200
    assert rows(tmp_path)[-1]["model"] == "openai"

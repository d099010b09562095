"""A caller that hangs up, in every phase of a call: everything it held is free again."""

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from aiohttp import web

from gateway.testing.actions import Answer, Hang, Send, piece
from gateway.testing.http_wire import head
from gateway.testing.openai_documents import frame
from gateway.testing.upstream import (
    FakeUpstream,
    hang_before_head,
    hang_in_stream,
    reply,
    truncated,
)
from gateway.web.stream import EventStream
from tests.contract.asking import Asker, gate_of, knock, knock_at
from tests.contract.conftest import Begin
from tests.running import Running
from tests.web.raw_http import Caller as RawCaller
from tests.web.raw_http import becomes


@dataclass(frozen=True, slots=True)
class Phase:
    """Where a call stands when its caller hangs up."""

    answer: Answer
    is_stream: bool
    seen: bytes = b""
    """What the caller has read by then."""


PHASES = {
    "before the first word": Phase(hang_before_head(), is_stream=True),
    "between head and first word": Phase(hang_in_stream(0), is_stream=True),
    "in the middle of a stream": Phase(hang_in_stream(2), is_stream=True, seen=b"piece1 "),
    "waiting for a whole reply": Phase(hang_before_head(), is_stream=False),
    "in the middle of a whole reply": Phase(hang_in_stream(2), is_stream=False),
}
PATHS = {
    "forward": b"POST /v1/chat/completions HTTP/1.1",
    "events": b"POST /api/generate_response HTTP/1.1",
}
STREAM_HEAD = head(200, {"content-type": "text/event-stream", "transfer-encoding": "chunked"})
ONE_AT_ONCE = {"anonymous": {"requests": "100/hour", "concurrent": 1}}


def request(path: str, *, is_stream: bool) -> bytes:
    """Return a request that takes the given path through the pipeline."""
    document = {"model": "openai", "stream": is_stream}
    document |= (
        {"messages": [{"role": "user", "content": "hi"}]}
        if path == "forward"
        else {"user_input": "hi"}
    )
    body = json.dumps(document).encode()
    head = b"%b\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    return head % (PATHS[path], len(body)) + body


async def hold(wire: RawCaller, upstream: FakeUpstream, phase: Phase, path: str) -> None:
    """Bring a call into `phase`."""
    upstream.will(phase.answer)
    await wire.send(request(path, is_stream=phase.is_stream))
    await upstream.wait_requests()
    if phase.seen:
        await wire.until(phase.seen)


def aborted_lines(gateway: Running) -> list[dict[str, object]]:
    """Return the log's lines of calls whose callers left."""
    lines = [json.loads(line) for line in gateway.lines().splitlines()]
    return [line for line in lines if line.get("is_aborted")]


@pytest.mark.parametrize("is_half", [False, True], ids=["reset", "half a close"])
@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("what", PHASES)
async def test_hanging_up_frees_the_upstream_the_gate_and_the_callers_place(
    begin: Begin, upstream: FakeUpstream, what: str, path: str, is_half: bool
) -> None:
    caller = await begin(limits=ONE_AT_ONCE)
    gate = gate_of(caller.gateway)
    async with knock(caller.gateway) as wire:
        await hold(wire, upstream, PHASES[what], path)
        held = (gate.in_flight, upstream.closed, (await caller.chat()).status)

        if is_half:
            wire.half_close()
        else:
            wire.abort()
        await upstream.wait_closed()

    assert held == (1, 0, 429)
    assert (gate.in_flight, gate.waiting) == (0, 0)
    assert (await caller.chat()).status == 200
    (line,) = aborted_lines(caller.gateway)
    assert line["status"] == 499
    assert line["target"] == "up/upstream-model"
    metrics = (await caller.ask("GET", "/metrics", is_admin=True)).text
    assert "dynagate_in_flight 0" in metrics


@pytest.mark.parametrize("is_stream", [True, False])
@pytest.mark.parametrize("path", PATHS)
async def test_hanging_up_in_a_queue_leaves_the_queue(
    begin: Begin, upstream: FakeUpstream, path: str, is_stream: bool
) -> None:
    caller = await begin(
        up={"concurrent": 1}, limits={"anonymous": {"requests": "100/hour", "concurrent": 2}}
    )
    gate = gate_of(caller.gateway)
    await gate.enter()
    async with knock(caller.gateway) as wire:
        await wire.send(request(path, is_stream=is_stream))
        await becomes(lambda: gate.waiting == 1)

        wire.abort()
        await becomes(lambda: gate.waiting == 0)

    gate.leave()
    assert gate.in_flight == 0
    assert upstream.requests == []
    (line,) = aborted_lines(caller.gateway)
    assert line["status"] == 499
    upstream.will(reply("next"))
    assert (await caller.get("/text/hi")).text == "next"


@pytest.mark.parametrize("path", PATHS)
async def test_who_hangs_up_in_a_queue_does_not_take_the_next_ones_turn(
    begin: Begin, upstream: FakeUpstream, path: str
) -> None:
    caller = await begin(up={"concurrent": 1})
    gate = gate_of(caller.gateway)
    await gate.enter()
    async with knock(caller.gateway) as first, knock(caller.gateway) as second:
        await first.send(request(path, is_stream=True))
        await becomes(lambda: gate.waiting == 1)
        await second.send(request(path, is_stream=True))
        await becomes(lambda: gate.waiting == 2)

        first.abort()
        gate.leave()
        answer = await second.until(b"data: [DONE]")

    assert b"hello" in answer
    assert len(upstream.requests) == 1
    assert gate.in_flight == 0


@pytest.mark.parametrize("path", PATHS)
async def test_a_caller_who_does_not_read_and_hangs_up_is_billed_for_what_was_produced(
    begin: Begin, upstream: FakeUpstream, path: str
) -> None:
    caller = await begin()
    usage = {"prompt_tokens": 3, "completion_tokens": 7}
    choice = {"index": 0, "delta": {"content": "word " * 20_000}, "finish_reason": None}
    word = piece(frame({"choices": [choice], "usage": usage}))
    upstream.will(lambda _request: [Send(STREAM_HEAD), *[word] * 400, Hang()])
    async with knock(caller.gateway) as wire:
        await wire.send(request(path, is_stream=True))
        await wire.until(b"word ")
        await stalled(caller.gateway)

        wire.abort()
        await upstream.wait_closed()

    await becomes(lambda: gate_of(caller.gateway).in_flight == 0)
    (line,) = aborted_lines(caller.gateway)
    assert (line["input_tokens"], line["output_tokens"]) == (3, 7)


@pytest.mark.parametrize("path", PATHS)
async def test_a_caller_who_does_not_read_is_cut(
    begin: Begin, upstream: FakeUpstream, path: str
) -> None:
    caller = await begin(server={"bounds": {"write_s": 0.1}})
    choice = {"index": 0, "delta": {"content": "word " * 20_000}, "finish_reason": None}
    word = piece(frame({"choices": [choice]}))
    upstream.will(lambda _request: [Send(STREAM_HEAD), *[word] * 400, Hang()])
    async with knock(caller.gateway) as wire:
        await wire.send(request(path, is_stream=True))

        await upstream.wait_closed()

    await becomes(lambda: gate_of(caller.gateway).in_flight == 0)
    (line,) = aborted_lines(caller.gateway)
    assert line["status"] == 499


async def test_a_hundred_hang_ups_leave_nothing(begin: Begin, upstream: FakeUpstream) -> None:
    caller = await begin(limits={"anonymous": {"requests": "1000/hour", "concurrent": 5}})
    upstream.default = hang_in_stream(1)
    for number in range(20):
        for _ in range(5):
            async with knock(caller.gateway) as wire:
                await wire.send(request("forward", is_stream=True))
                await wire.until(b"piece0 ")
        await upstream.wait_closed(5 * (number + 1))

    assert gate_of(caller.gateway).in_flight == 0
    assert upstream.open == 0
    assert len(aborted_lines(caller.gateway)) == 100


@pytest.mark.parametrize("path", PATHS)
async def test_a_server_that_cancels_nothing_would_be_caught(
    begin: Begin, upstream: FakeUpstream, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: on aiohttp's own defaults the call goes on, and the checks above fail."""
    monkeypatch.setattr("gateway.testing.upstream.PATIENCE_S", 0.2)
    caller = await begin()
    gate = gate_of(caller.gateway)
    async with stock_server(caller) as port, knock_at(port) as wire:
        await hold(wire, upstream, PHASES["before the first word"], path)

        wire.abort()
        with pytest.raises(AssertionError, match="closed connections"):
            await upstream.wait_closed()

        assert gate.in_flight == 1
        assert aborted_lines(caller.gateway) == []


async def stalled(gateway: Running) -> None:
    """Wait until the gateway has more to write than the caller takes."""
    runner: Any = gateway.public.runner  # Any: what is looked at is aiohttp's own business.
    (protocol,) = [one for one in runner.server.connections if one.transport is not None]
    await becomes(lambda: bool(protocol._paused))  # noqa: SLF001


@asynccontextmanager
async def stock_server(caller: Asker) -> AsyncGenerator[int]:
    """Serve the same application by aiohttp's own runner; yield its port."""
    runner = web.AppRunner(caller.gateway.gateway.public, shutdown_timeout=0.05)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("key", [b"", b"Idempotency-Key: one\r\n"], ids=["plain", "idempotent"])
async def test_a_caller_that_leaves_as_its_stream_breaks_off_is_no_fault_of_ours(
    begin: Begin,
    upstream: FakeUpstream,
    key: bytes,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caller = await begin()
    upstream.will(truncated(after=1))
    send = EventStream.send

    async def send_to_nobody(stream: EventStream, data: bytes) -> None:
        if b"upstream_failed" in data:
            raise ConnectionResetError  # As aiohttp does once it has seen that the caller is gone.
        await send(stream, data)

    monkeypatch.setattr(EventStream, "send", send_to_nobody)
    async with knock(caller.gateway) as wire:
        asked = request("forward", is_stream=True)
        await wire.send(asked.replace(b"\r\n", b"\r\n" + key, 1))
        await wire.until(b"piece0 ")
        await becomes(lambda: "upstream_failed" in caller.gateway.lines())

    assert "trace" not in capfd.readouterr().err

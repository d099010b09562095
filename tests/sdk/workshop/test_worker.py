"""The worker's own side: whose turn it is, and the frames."""

import io
from collections.abc import Iterator
from queue import Queue
from threading import Event, Thread
from typing import Any

import pytest

from gateway.sdk.workshop.frames import WINDOW, FrameError, pack, read
from gateway.sdk.workshop.worker import Desk
from tests.sdk.workshop.demo import (
    PATIENCE_S,
)


class Steps:
    """An engine whose steps wait for the test."""

    def __init__(self) -> None:
        self.begun, self.go, self.closed = Event(), Event(), Event()

    def slow(self, arguments: dict[str, Any], blobs: list[bytes]) -> Iterator[Any]:
        try:
            while True:
                self.begun.set()
                assert self.go.wait(PATIENCE_S)
                yield None
        finally:
            self.closed.set()

    def closing_badly(self, arguments: dict[str, Any], blobs: list[bytes]) -> Iterator[Any]:
        try:
            while True:
                yield {}, b""
        finally:
            raise RuntimeError

    def plain(self, arguments: dict[str, Any], blobs: list[bytes]) -> tuple[Any, bytes]:
        return arguments, b"".join(blobs)


@pytest.fixture
def desk() -> Iterator[tuple[Desk, Steps, "Queue[tuple[Any, ...]]"]]:
    """Run a desk as the worker does, in a thread of this process."""
    sent: Queue[tuple[Any, ...]] = Queue()
    desk, engine = Desk(lambda header, *blobs: sent.put((header, *blobs))), Steps()
    thread = Thread(target=desk.serve, args=(engine,))
    thread.start()
    yield desk, engine, sent
    engine.go.set()
    desk.close()
    thread.join(PATIENCE_S)
    assert not thread.is_alive()


def call(number: int, method: str, **arguments: Any) -> dict[str, Any]:
    return {"call": number, "method": method, "arguments": arguments}


def test_a_waiting_call_is_cancelled_at_once_while_another_is_at_work(
    desk: tuple[Desk, Steps, "Queue[tuple[Any, ...]]"],
) -> None:
    board, engine, sent = desk
    board.take(call(1, "slow"), [])
    board.take(call(2, "plain"), [])
    assert engine.begun.wait(PATIENCE_S)

    board.take({"cancel": 2}, [])
    while_at_work = [sent.get(timeout=PATIENCE_S) for _ in range(2)]
    board.take({"cancel": 1}, [])
    engine.go.set()
    last = sent.get(timeout=PATIENCE_S)

    assert while_at_work == [({"call": 1, "begun": True},), ({"call": 2, "done": True},)]
    assert last == ({"call": 1, "done": True},)
    assert engine.closed.is_set()


def test_a_generator_that_closes_badly_harms_nobody(
    desk: tuple[Desk, Steps, "Queue[tuple[Any, ...]]"],
) -> None:
    board, _, sent = desk
    board.take(call(1, "closing_badly"), [])
    for _ in range(1 + WINDOW):
        sent.get(timeout=PATIENCE_S)

    board.take({"cancel": 1}, [])
    board.take({"cancel": 1}, [])
    board.take({"more": 1}, [])
    board.take(call(2, "plain", name="Zoë"), [b"a", b"b"])
    rest = [sent.get(timeout=PATIENCE_S) for _ in range(4)]

    assert rest == [
        ({"call": 1, "done": True},),
        ({"call": 2, "begun": True},),
        ({"call": 2, "item": {"name": "Zoë"}}, b"ab"),
        ({"call": 2, "done": True},),
    ]


def test_frames_that_break_off_end_and_others_are_no_frames() -> None:
    whole = pack({"call": 1}, [b"blob", b""])

    assert read(io.BytesIO(whole)) == ({"call": 1}, [b"blob", b""])
    assert [read(io.BytesIO(whole[:size])) for size in range(len(whole))] == [None] * len(whole)
    for wrong in (b"\xff" * 8, b"\0\0\0\2\0\0\0\0[]"):
        with pytest.raises(FrameError):
            read(io.BytesIO(wrong))

"""The process of one engine: reads calls from standard input, writes answers to standard output.

Run as a module by `hand.py`. The engine and its libraries live in the main thread; another thread
reads, so that a call can be cancelled while the engine is at work. When standard input ends,
however the parent died, the process ends: nothing is left behind.
"""

import os
import signal
import traceback
from collections import deque
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from importlib import import_module
from threading import Condition, Lock, Thread
from typing import BinaryIO

from gateway.schema.json import JsonObject
from gateway.sdk.workshop.frames import WINDOW, pack, read
from gateway.sdk.workshop.refusal import EngineRefusal

Step = tuple[JsonObject, bytes] | None
Send = Callable[..., None]
_OVER = object()


def main() -> None:
    """Load the engine, say so, and serve calls until the parent goes."""
    # Ctrl-C reaches the whole terminal group; the parent decides when this process ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    commands, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    # Libraries may print, and may read: the two pipes must be ours alone.
    os.dup2(2, 1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    hello = read(commands)
    if hello is None:
        return
    send = sender(answers)
    desk = Desk(send)
    Thread(target=_end_with_parent, args=(desk, commands), daemon=True).start()
    try:
        engine = import_module(hello[0]["module"]).load(hello[0]["orders"])
    except Exception as error:  # noqa: BLE001 - whatever it is, the parent must be told.
        send(_complaint(error))
        return
    send({"ready": True})
    desk.serve(engine)


def sender(file: BinaryIO) -> Send:
    """Return what writes one frame to `file`, from any thread."""
    lock = Lock()

    def send(header: JsonObject, *blobs: bytes) -> None:
        frame = pack(header, blobs)
        with lock:
            file.write(frame)
            file.flush()

    return send


@dataclass(slots=True, eq=False)
class _Call:
    number: int
    method: str
    arguments: JsonObject
    blobs: list[bytes]
    credit: int = WINDOW
    steps: Iterator[Step] | None = None
    is_cancelled: bool = False


class Desk:
    """The calls at hand, which take turns: one step of one call, then one of the next.

    A call whose reader is slow waits without holding up the others. `take` belongs to the reading
    thread, `serve` to the engine's.
    """

    def __init__(self, send: Send) -> None:
        self._send = send
        self._changed = Condition()
        self._turns: deque[_Call] = deque()
        self._current: _Call | None = None
        self._is_closed = False

    def take(self, header: JsonObject, blobs: list[bytes]) -> None:
        """Note what the gateway wants."""
        with self._changed:
            match header:
                case {"call": number, "method": method, "arguments": arguments}:
                    self._turns.append(_Call(number, method, arguments, blobs))
                case {"more": number} if call := self._find(number):
                    call.credit += 1
                case {"cancel": number} if (call := self._find(number)) and not call.is_cancelled:
                    call.is_cancelled = True
                    # The one at work says so itself once it has stopped; the others have by now.
                    if call is not self._current:
                        self._send({"call": number, "done": True})
            self._changed.notify()

    def close(self) -> None:
        """Let `serve` return once the step at hand is done."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()

    def serve(self, engine: object) -> None:
        """Work until `close`."""
        while (call := self._next()) is not None:
            if call is not self._current:
                _close(call)
                continue
            last = self._step(engine, call)
            with self._changed:
                if last is None and not call.is_cancelled:
                    self._turns.append(call)
                    self._current = None
                    continue
            _close(call)
            with self._changed:
                self._current = None
            self._send(last or {"call": call.number, "done": True})

    def _find(self, number: int) -> _Call | None:
        calls = (self._current, *self._turns)
        return next((call for call in calls if call is not None and call.number == number), None)

    def _next(self) -> _Call | None:
        """Return the call whose turn it is, as the current one, or one that was cancelled."""
        with self._changed:
            while not self._is_closed:
                for _ in range(len(self._turns)):
                    call = self._turns.popleft()
                    if call.is_cancelled:
                        return call
                    if call.credit > 0:
                        self._current = call
                        return call
                    self._turns.append(call)
                self._changed.wait()
        return None

    def _step(self, engine: object, call: _Call) -> JsonObject | None:
        """Let the engine do one step; return the call's last frame if that is what it was."""
        try:
            if call.steps is None:
                self._send({"call": call.number, "begun": True})
                call.steps = _begin(engine, call)
            step = next(call.steps, _OVER)
            if step is _OVER:
                return {"call": call.number, "done": True}
            if isinstance(step, tuple):
                facts, blob = step
                call.credit -= 1
                self._send({"call": call.number, "item": facts}, blob)
        except Exception as error:  # noqa: BLE001 - an engine's bug must not take the others' calls.
            return {"call": call.number, **_complaint(error)}
        return None


def _begin(engine: object, call: _Call) -> Iterator[Step]:
    result = getattr(engine, call.method)(call.arguments, call.blobs)
    call.blobs = []  # The engine's own by now: it decides how long they take up memory.
    return result if isinstance(result, Iterator) else iter((result,))


def _close(call: _Call) -> None:
    try:
        if isinstance(call.steps, Generator):
            call.steps.close()
    except Exception:  # noqa: BLE001 - nobody waits for it any more.
        traceback.print_exc()


def _complaint(error: Exception) -> JsonObject:
    if isinstance(error, EngineRefusal):
        return {"refusal": error.failure, "message": error.message, "param": error.param}
    traceback.print_exception(error)
    return {"error": f"{type(error).__name__}: {error}"}


def _end_with_parent(desk: Desk, commands: BinaryIO) -> None:
    try:
        while (frame := read(commands)) is not None:
            desk.take(*frame)
    finally:
        os._exit(0)  # The libraries' own threads would outlive an ordinary exit.


if __name__ == "__main__":
    main()

"""An engine that does whatever the tests of the workshop need, and a workshop that runs it."""

import asyncio
import os
import textwrap
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, asynccontextmanager
from logging import getLogger
from pathlib import Path
from typing import Any

import uvloop

from gateway.background import Background
from gateway.sdk.clock import SystemClock
from gateway.sdk.workshop import Workshop

PATIENCE_S = 30.0
PACKAGE = "made_for_workshop_tests"
ENGINE = textwrap.dedent(
    """
    import os, sys, time
    from gateway.sdk.workshop import EngineRefusal

    class Engine:
        def __init__(self, orders):
            self.orders = orders

        def orders_again(self, arguments, blobs):
            print("libraries print")
            return self.orders, b""

        def echo(self, arguments, blobs):
            for blob in blobs:
                yield {**arguments, "pid": os.getpid()}, blob

        def count(self, arguments, blobs):
            try:
                for number in range(arguments["to"]):
                    yield {"number": number}, b""
            finally:
                note(arguments, "closed")

        def pause(self, arguments, blobs):
            note(arguments, "begun")
            while True:
                time.sleep(0.01)
                yield None

        def wait(self, arguments, blobs):
            yield {}, b""
            note(arguments, "waiting")
            while not os.path.exists(arguments["until"]):
                time.sleep(0.01)
            yield {}, b""

        def hang(self, arguments, blobs):
            yield {}, b""
            note(arguments, "hanging")
            time.sleep(600)

        def hold(self, arguments, blobs):
            self.held = b"1" * arguments["bytes"]
            yield {"pid": os.getpid()}, b""
            for _ in range(arguments["steps"]):
                time.sleep(0.01)
                yield None
            yield {"pid": os.getpid()}, b""

        def refuse(self, arguments, blobs):
            raise EngineRefusal("caller_fault", "that is no picture", "image")

        def fail(self, arguments, blobs):
            yield {}, b""
            raise ValueError("secret words of a caller")

        def garble(self, arguments, blobs):
            yield {}, b""
            for fd in range(3, 20):
                try:
                    os.write(fd, b"\\xff" * 8)
                except OSError:
                    pass
            yield None

        def die(self, arguments, blobs):
            yield {}, b""
            os._exit(3)

    def note(arguments, word):
        if "notes" in arguments:
            with open(arguments["notes"], "a") as file:
                file.write(word + "\\n")

    def load(orders):
        if orders.get("weights") == "missing":
            raise EngineRefusal("not_ready", "the weights are not here")
        if orders.get("weights") == "slow":
            time.sleep(600)
        if orders.get("weights") == "odd":
            raise EngineRefusal("no such class", "this engine is odd")
        if orders.get("weights") == "broken":
            raise OSError("/a/path/of/this/machine")
        return Engine(orders)
    """
)
LOOPS: list[Callable[[], asyncio.AbstractEventLoop]] = [
    asyncio.new_event_loop,
    uvloop.new_event_loop,
]


@asynccontextmanager
async def open_workshop(
    *, idle_s: float = 60.0, memory_bytes: int = 1 << 30
) -> AsyncGenerator[Workshop]:
    orders = {
        "demo": {"greeting": "hello"},
        "missing": {"weights": "missing"},
        "broken": {"weights": "broken"},
        "slow": {"weights": "slow"},
        "odd": {"weights": "odd"},
    }
    workshop = Workshop(
        name="local",
        package=PACKAGE,
        orders=orders,
        idle_s=idle_s,
        memory_bytes=memory_bytes,
        clock=SystemClock(),
        log=getLogger("dynagate.test"),
    )
    background = Background()
    stop = background.start("workshop", workshop.run())
    try:
        yield workshop
    finally:
        stop()
        await workshop.stopped()
        await background.aclose()


async def every(
    workshop: Workshop, method: str, engine: str = "demo", **arguments: Any
) -> list[tuple[dict[str, Any], bytes]]:
    async with aclosing(workshop.call(engine, method, arguments)) as items:
        return [item async for item in items]


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def until(happened: Callable[[], bool]) -> None:
    """Wait for what has no event: a file that is written, a process that ends."""
    async with asyncio.timeout(PATIENCE_S):
        while not happened():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


def words(notes: Path) -> list[str]:
    return notes.read_text("utf-8").split() if notes.exists() else []

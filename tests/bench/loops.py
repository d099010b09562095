"""The event loop that all parts of the bench run on: uvloop where it is, as in the gateway."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    """Return what makes the loop."""
    try:
        import uvloop  # noqa: PLC0415  # It isn't there on every platform.
    except ImportError:
        return asyncio.new_event_loop
    return uvloop.new_event_loop


def run_for_ever(serving: Coroutine[Any, Any, None]) -> None:  # Any: what async def means.
    """Run a server of the bench until it is killed."""
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(serving)

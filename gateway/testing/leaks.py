"""Finds what a provider leaves behind: a blocked loop, tasks, generators that nobody closed."""

import asyncio
import sys
import threading
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from types import AsyncGeneratorType, TracebackType
from typing import Any, Self

BEAT_S = 0.01
"""How often `Heartbeat` asks the loop for a sign of life."""
_TURNS_TO_END = 100


class Heartbeat:
    """Counts how many beats of a thread in a row the event loop lets pass: `longest`.

    Beats and not seconds, since a machine that is busy with something else holds up the thread too.
    """

    def __init__(self) -> None:
        self.longest = 0
        self._is_answered = True
        self._done = threading.Event()
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def __enter__(self) -> Self:
        """Begin to count."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop counting."""
        self._done.set()
        self._thread.join()

    def _beat(self) -> None:
        missed = 0
        while not self._done.wait(BEAT_S):
            if self._is_answered:
                missed = 0
                self._is_answered = False
                self._loop.call_soon_threadsafe(self._answer)
            else:
                missed += 1
                self.longest = max(self.longest, missed)

    def _answer(self) -> None:
        self._is_answered = True


@contextmanager
def forgotten_generators() -> Iterator[list[str]]:
    """Collect the names of plugins' async generators that are left to the garbage collector.

    The gateway's own are not counted: a plugin cannot close what the transport holds.
    """
    names: list[str] = []
    before = sys.get_asyncgen_hooks()

    def forgotten(generator: AsyncGenerator[Any, Any]) -> None:  # Any: whatever it yields.
        if isinstance(generator, AsyncGeneratorType) and generator.ag_frame is not None:
            module = str(generator.ag_frame.f_globals.get("__name__", ""))
            if module.partition(".")[0] != "gateway":
                names.append(generator.__qualname__)
        if before.finalizer is not None:
            before.finalizer(generator)

    sys.set_asyncgen_hooks(finalizer=forgotten)
    try:
        yield names
    finally:
        sys.set_asyncgen_hooks(before.firstiter, before.finalizer)


class Tasks:
    """Knows the tasks that run when it is made; `left` names later ones that still run."""

    def __init__(self) -> None:
        self._before = asyncio.all_tasks()

    async def left(self) -> list[str]:
        """Give tasks that are ending a few turns of the loop, then name those that go on."""
        for _ in range(_TURNS_TO_END):
            if not self._since():
                return []
            await asyncio.sleep(0)
        return sorted(f"{task.get_name()} ({task.get_coro()!r})" for task in self._since())

    def _since(self) -> set[asyncio.Task[Any]]:  # Any: whatever it returns.
        return asyncio.all_tasks() - self._before

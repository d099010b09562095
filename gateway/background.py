"""Long-lived work: named, bounded, watched, and awaited at the end."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

_T = TypeVar("_T")
_log = logging.getLogger("dynagate.background")


class Background:
    """Owns every task that outlives a request. At most `limit` run at once."""

    def __init__(self, limit: int = 10_000) -> None:
        self._limit = limit
        self._tasks: set[asyncio.Task[None]] = set()

    def start(
        self,
        name: str,
        work: Coroutine[
            Any, Any, None
        ],  # Any: what a coroutine is sent and sends is its own business.
        *,
        on_error: Callable[[BaseException], None] | None = None,
    ) -> Callable[[], None]:
        """Run `work`; an exception goes to `on_error` and the log. Returns what cancels it.

        Raises RuntimeError when too much runs already; `work` is closed then.
        """
        if len(self._tasks) >= self._limit:
            work.close()
            msg = f"{name}: {self._limit} background tasks run already"
            raise RuntimeError(msg)
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)

        def ended(done: asyncio.Task[None]) -> None:
            self._tasks.discard(done)
            if done.cancelled() or (error := done.exception()) is None:
                return
            _log.error("%s failed: %s", name, type(error).__name__, exc_info=error)
            if on_error is not None:
                on_error(error)

        task.add_done_callback(ended)

        def cancel() -> None:
            task.cancel()

        return cancel

    async def finish(self, name: str, work: Coroutine[Any, Any, _T]) -> _T:  # Any: as above.
        """Return what `work` does; it goes on to its end though whoever waits for it be cancelled.

        What it raises is raised here, and is logged if nobody waits for it any more.
        """
        waiting: asyncio.Future[_T] = asyncio.get_running_loop().create_future()

        async def run() -> None:
            try:
                result = await work
            except Exception as error:
                if waiting.done():
                    raise
                waiting.set_exception(error)
            except BaseException:
                waiting.cancel()
                raise
            else:
                if not waiting.done():
                    waiting.set_result(result)

        try:
            self.start(name, run())
        except RuntimeError:
            work.close()
            raise
        return await waiting

    async def aclose(self) -> None:
        """Cancel what still runs and wait for it."""
        while self._tasks:
            tasks = list(self._tasks)
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

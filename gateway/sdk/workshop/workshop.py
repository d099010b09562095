"""The workshop: engines, each in a process of its own.

A process is started by the first call and ended when nothing has been asked for a while.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from logging import Logger

from gateway.schema.failure import Failure
from gateway.schema.json import JsonObject
from gateway.sdk.errors import UpstreamError
from gateway.sdk.providers import Clock
from gateway.sdk.workshop.bench import Bench, Bounds
from gateway.sdk.workshop.hand import Engine, Item

_STOP_WITHIN_S = 10.0


class Workshop:
    """The engines of one owner; works while `run` does.

    `name` is the owner's: every error begins with it. `package` is the import path of the engines'
    modules, and `orders` are what each engine's `load` is given. A process is ended after `idle_s`
    seconds without a call. One that holds more than `memory_bytes` ends after the calls at hand,
    one that holds twice as much at once; this is looked at twice a second, on systems that have
    /proc (an address-space limit would not do: onnxruntime and ctranslate2 reserve several times
    what they use).
    """

    def __init__(
        self,
        *,
        name: str,
        package: str,
        orders: Mapping[str, JsonObject],
        idle_s: float,
        memory_bytes: int,
        clock: Clock,
        log: Logger,
    ) -> None:
        self._name = name
        self._package = package
        self._orders = orders
        self._bounds = Bounds(idle_s, memory_bytes)
        self._clock = clock
        self._log = log
        self._benches: dict[str, Bench] = {}
        self._new: asyncio.Queue[Bench] = asyncio.Queue()
        self._has_begun = False
        self._has_ended = asyncio.Event()

    async def run(self) -> None:
        """Keep the processes in order until cancelled; then none is left."""
        self._has_begun = True
        try:
            async with asyncio.TaskGroup() as group:
                while True:
                    group.create_task((await self._new.get()).run())
        finally:
            self._has_ended.set()
            for bench in self._benches.values():
                bench.close()

    async def stopped(self) -> None:
        """Wait until a cancelled `run` has ended its processes; bounded."""
        if self._has_begun:
            async with asyncio.timeout(_STOP_WITHIN_S):
                await self._has_ended.wait()

    async def call(
        self, engine: str, method: str, arguments: JsonObject, blobs: Sequence[bytes] = ()
    ) -> AsyncGenerator[Item]:
        """Yield what `method` of `engine` yields; raise `UpstreamError`.

        Closing early cancels: the engine is told, and its process is killed when it has not
        stopped a second later. The process starts when it has to; how long that may take is the
        caller's deadline.
        """
        async with aclosing(self._bench(engine).call(method, arguments, blobs)) as items:
            async for item in items:
                yield item

    async def only(
        self, engine: str, method: str, arguments: JsonObject, blobs: Sequence[bytes] = ()
    ) -> Item:
        """Return the one item that `method` of `engine` yields; raise as `call`."""
        async with aclosing(self.call(engine, method, arguments, blobs)) as items:
            found = [item async for item in items]
        if len(found) != 1:
            said = f"{self._name}: the {engine} engine gave {len(found)} answers instead of one"
            raise UpstreamError(Failure.UNKNOWN, said)
        return found[0]

    def pid(self, engine: str) -> int | None:
        """Return the process that answers for `engine` now, if one does."""
        bench = self._benches.get(engine)
        return None if bench is None else bench.pid

    def _bench(self, engine: str) -> Bench:
        if self._has_ended.is_set():
            raise UpstreamError(Failure.TRANSIENT, f"{self._name}: the engines have been stopped")
        if engine not in self._benches:
            module, orders = f"{self._package}.{engine}", self._orders.get(engine, {})
            made = Engine(self._name, engine, module, orders)
            self._benches[engine] = Bench(made, self._bounds, clock=self._clock, log=self._log)
            self._new.put_nowait(self._benches[engine])
        return self._benches[engine]

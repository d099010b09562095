"""The workshop: every engine besides the text model, each in a process of its own.

A process is started by the first call and ended when nothing has been asked for a while.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing

from gateway.schema.failure import Failure
from gateway.schema.json import JsonObject
from gateway.sdk import Deps, UpstreamError
from gateway_local.bench import Bench, Bounds

_STOP_WITHIN_S = 10.0


class Workshop:
    """The engines of one provider; works while `run` does.

    A process is ended after `idle_s` seconds without a call. One that holds more than
    `memory_bytes` ends after the calls at hand, one that holds twice as much at once; this is
    looked at twice a second, on systems that have /proc (an address-space limit would not do:
    onnxruntime and ctranslate2 reserve several times what they use). `orders` are what each
    engine's `load` is given. `package` is where the engines' modules are.
    """

    def __init__(
        self,
        deps: Deps,
        *,
        idle_s: float,
        memory_bytes: int,
        orders: Mapping[str, JsonObject],
        package: str = "gateway_local.engines",
    ) -> None:
        self._bounds = Bounds(idle_s, memory_bytes)
        self._clock = deps.clock
        self._log = deps.log
        self._orders = orders
        self._package = package
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
    ) -> AsyncGenerator[tuple[JsonObject, bytes]]:
        """Yield what `method` of `engine` yields; raise `UpstreamError`.

        Closing early cancels: the engine is told, and its process is killed when it has not
        stopped a second later. The process starts when it has to; how long that may take is the
        caller's deadline.
        """
        async with aclosing(self._bench(engine).call(method, arguments, blobs)) as items:
            async for item in items:
                yield item

    def pid(self, engine: str) -> int | None:
        """Return the process that answers for `engine` now, if one does."""
        bench = self._benches.get(engine)
        return None if bench is None else bench.pid

    def _bench(self, engine: str) -> Bench:
        if self._has_ended.is_set():
            raise UpstreamError(Failure.TRANSIENT, "local: the engines have been stopped")
        if engine not in self._benches:
            self._benches[engine] = Bench(
                engine,
                f"{self._package}.{engine}",
                self._orders.get(engine, {}),
                self._bounds,
                clock=self._clock,
                log=self._log,
            )
            self._new.put_nowait(self._benches[engine])
        return self._benches[engine]

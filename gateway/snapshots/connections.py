"""A provider that is connected as long as one of the configurations that name it is in use."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

from gateway.background import Background
from gateway.pipeline.routing.target import Connected
from gateway.registry import ConfiguredProvider

Connect = Callable[[AsyncExitStack], Awaitable[Connected]]
"""Connects one provider; leaving the stack disconnects it."""


class Connection:
    """One provider, entered and left by one task: a task group in a plugin demands that."""

    def __init__(self, provider: ConfiguredProvider, connected: Connected) -> None:
        self.provider = provider
        self.connected = connected
        self.over = asyncio.Event()
        """Set when it has been left."""
        self._holders = 0
        self._released = asyncio.Event()

    def hold(self) -> None:
        """Count a configuration that names it; `release` must follow."""
        self._holders += 1

    def release(self) -> None:
        """Count one out; the last has it disconnected. Never waits."""
        self._holders -= 1
        if self._holders <= 0:
            self._released.set()

    def end(self) -> None:
        """Have it disconnected, whoever holds it. Never waits."""
        self._released.set()

    def fits(self, provider: ConfiguredProvider) -> bool:
        """Say whether it is what `provider` says, so that it need not be connected again.

        One that could not be connected is tried again.
        """
        ours = self.provider
        return (
            not self.connected.has_failed
            and (ours.missing, ours.secrets) == (provider.missing, provider.secrets)
            and _what_connects(ours) == _what_connects(provider)
        )

    async def released(self) -> None:
        """Wait until nothing in use names it."""
        await self._released.wait()


async def open_connection(
    provider: ConfiguredProvider, connect: Connect, background: Background
) -> Connection:
    """Connect `provider`; it is held once. Raises what `connect` does; cancelling disconnects."""
    opened: asyncio.Future[Connection] = asyncio.get_running_loop().create_future()

    async def keep() -> None:
        connection: Connection | None = None
        try:
            async with AsyncExitStack() as stack:
                try:
                    connection = Connection(provider, await connect(stack))
                except Exception as error:  # noqa: BLE001 - told to whoever waits.
                    if not opened.done():
                        opened.set_exception(error)
                    return
                connection.hold()
                if opened.done():
                    return
                opened.set_result(connection)
                await connection.released()
        finally:
            if connection is not None:
                connection.over.set()
            if not opened.done():  # By a plugin that cancels its own task: nobody else has.
                opened.set_exception(RuntimeError(f"connecting {provider.name} was cancelled"))

    cancel = background.start(f"provider {provider.name}", keep())
    try:
        return await opened
    except BaseException:
        cancel()
        raise


def _what_connects(provider: ConfiguredProvider) -> dict[str, object]:
    """Return what a connection is made of; how many calls it takes is its gate's."""
    return provider.section.model_dump(exclude={"concurrent", "queue", "pace"})

"""A provider is entered and left by one task, when nothing names it any more."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from pydantic import BaseModel

from gateway.background import Background
from gateway.config.section import Rate
from gateway.config.upstreams import Pace, Provider
from gateway.pipeline.attempts.gate import Gate
from gateway.pipeline.routing.target import Connected
from gateway.registry import ConfiguredProvider
from gateway.sdk.providers import ProviderKind
from gateway.snapshots.connections import Connection, open_connection


class Nothing(BaseModel):
    """Settings without a key."""


@pytest.fixture
async def background() -> AsyncIterator[Background]:
    owner = Background()
    yield owner
    await owner.aclose()


def provider(secrets: tuple[str, ...] = (), **section: object) -> ConfiguredProvider:
    kind = ProviderKind(name="k", settings=Nothing, connect=lambda *_: AsyncExitStack())
    named = Provider.model_validate({"kind": "k", **section})
    return ConfiguredProvider("p", kind, Nothing(), named, None, secrets)


class Plugin:
    """Notes which task entered and left it."""

    def __init__(self) -> None:
        self.entered: asyncio.Task[object] | None = None
        self.left: asyncio.Task[object] | None = None

    @asynccontextmanager
    async def _connected(self) -> AsyncGenerator[object]:
        self.entered = asyncio.current_task()
        try:
            yield self
        finally:
            self.left = asyncio.current_task()

    async def connect(self, stack: AsyncExitStack) -> Connected:
        instance = await stack.enter_async_context(self._connected())
        return Connected("p", "k", instance, Gate(Provider(kind="k")))


async def test_one_task_enters_and_leaves_when_the_last_holder_releases(
    background: Background,
) -> None:
    plugin = Plugin()
    connection = await open_connection(provider(), plugin.connect, background)
    connection.hold()

    connection.release()
    await asyncio.sleep(0)
    assert not connection.over.is_set()
    connection.release()
    await connection.over.wait()

    assert plugin.entered is not None
    assert plugin.entered is plugin.left
    assert plugin.entered is not asyncio.current_task()


async def test_whoever_gives_up_waiting_has_it_left_again(background: Background) -> None:
    plugin, reached = Plugin(), asyncio.Event()

    async def connect(stack: AsyncExitStack) -> Connected:
        await plugin.connect(stack)
        reached.set()
        await asyncio.Event().wait()
        raise AssertionError

    waiting = asyncio.create_task(open_connection(provider(), connect, background))
    await reached.wait()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await background.aclose()

    assert plugin.left is plugin.entered


async def test_what_connecting_raises_is_told(background: Background) -> None:
    async def connect(stack: AsyncExitStack) -> Connected:
        raise OSError("no")

    with pytest.raises(OSError, match="no"):
        await open_connection(provider(), connect, background)


@pytest.mark.parametrize(
    ("other", "fits"),
    [
        (provider(concurrent=3, queue=1, pace=Pace(rate=Rate(1, 1))), True),
        (provider(settings={"a": 1}), False),
        (provider(http={"connect_s": 1}), False),
        (provider(("another-secret",)), False),
    ],
)
async def test_it_is_connected_again_if_more_than_its_gate_has_changed(
    other: ConfiguredProvider, *, fits: bool
) -> None:
    connected = Connected("p", "k", object(), Gate(Provider(kind="k")))

    assert Connection(provider(), connected).fits(other) is fits


async def test_one_that_failed_is_always_connected_again() -> None:
    gate = Gate(Provider(kind="k"))
    failed = Connected("p", "k", None, gate, "it failed to start: OSError", has_failed=True)

    assert not Connection(provider(), failed).fits(provider())

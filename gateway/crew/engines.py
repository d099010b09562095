"""The host's side: providers that are run once for the machine, and gates that hold for it."""

import asyncio
import logging
import sys
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import aclosing, suppress
from typing import Any, NamedTuple

from gateway.config.document import Document
from gateway.crew.link import Link, LinkError
from gateway.crew.proxies import METHODS, STREAMED
from gateway.crew.words import About, End, Failed, Item, Place, Told, Use, broken
from gateway.pipeline.attempts.gate import GateFullError
from gateway.pipeline.routing.target import Connected
from gateway.pipeline.users import Users
from gateway.schema.failure import Failure
from gateway.sdk.errors import UpstreamError
from gateway.sdk.http import HttpError
from gateway.sdk.providers import CardSource, ModelLister

_log = logging.getLogger("dynagate.crew")
_LISTING_S = 2.0


class Hosted(NamedTuple):
    """A provider of one configuration: the models that this asks it for, and who works with it."""

    connected: Connected
    models: frozenset[str]
    users: Users


Find = Callable[[str, int], Hosted | None]
"""Returns the provider of a name as a generation has it, else as another one in use has it."""


def models_of(document: Document, provider: str) -> frozenset[str]:
    """Return what the configuration asks a provider for."""
    targets = (target for model in document.models.values() for target in model.targets)
    return frozenset(target.model for target in targets if target.provider == provider)


class Engines:
    """Answers the workers; `serve` is for one link."""

    def __init__(self, find: Find) -> None:
        self._find = find

    async def serve(self, link: Link) -> None:
        """Do what the first word of `link` wants; stop when the worker closes it."""
        word = await link.receive()
        async with asyncio.TaskGroup() as group:
            work = group.create_task(self._answer(word, link))
            closed = group.create_task(link.closed())
            await asyncio.wait({work, closed}, return_when=asyncio.FIRST_COMPLETED)
            work.cancel()
            closed.cancel()

    async def _answer(self, word: About | Place | Use, link: Link) -> None:
        with suppress(LinkError):  # Whoever asked is gone, and has to be told nothing.
            # A gate is the provider's in all configurations.
            generation = sys.maxsize if isinstance(word, Place) else word.generation
            hosted = self._find(word.provider, generation)
            if hosted is None:  # The worker's configuration is older than all that are in use here.
                await link.send(Failed.of(broken(word.provider)))
                return
            with hosted.users.held():
                match word:
                    case About():
                        await link.send(await _about(hosted))
                    case Place():
                        await _hold_place(hosted.connected, word.priority, link)
                    case Use():
                        await _use(hosted.connected, word, link)


async def _about(hosted: Hosted) -> Told:
    connected, names = hosted.connected, hosted.models
    provider = connected.provider
    methods = frozenset(name for name in METHODS if hasattr(provider, name))
    cards = None
    if isinstance(provider, CardSource):
        # A worker cannot ask for a card in the middle of a call: it gets all there can be.
        listed = await _listed(provider) if any("*" in name for name in names) else ()
        cards = {name: provider.card(name) for name in {*names, *listed} if "*" not in name}
    return Told(methods, connected.wires, cards, connected.missing)


async def _listed(provider: object) -> Iterable[str]:
    if not isinstance(provider, ModelLister):
        return ()
    with suppress(UpstreamError, HttpError, TimeoutError):
        async with asyncio.timeout(_LISTING_S):
            return [model.id for model in await provider.models()]
    return ()


async def _hold_place(connected: Connected, priority: int, link: Link) -> None:
    """Hold a place at the gate until the link is closed, which cancels this."""
    try:
        await connected.gate.enter(priority)
    except GateFullError:
        await link.send(False)
        return
    try:
        await link.send(True)
        await asyncio.Event().wait()
    finally:
        connected.gate.leave()


async def _use(connected: Connected, word: Use, link: Link) -> None:
    try:
        async with aclosing(_items(connected.provider, word)) as items:
            async for item in items:
                await link.send(Item(item))
    except (UpstreamError, HttpError) as error:
        await link.send(Failed.of(error))
    except LinkError:
        raise
    except Exception:  # noqa: BLE001 - the edge to code of strangers, as in `first_answer`.
        _log.exception("provider %s raised something other than UpstreamError", connected.name)
        await link.send(Failed.of(UpstreamError(Failure.UNKNOWN, "the provider failed")))
    else:
        await link.send(End())


async def _items(provider: Any, word: Use) -> AsyncGenerator[object]:  # Any: has the method.
    if word.method not in METHODS:
        raise UpstreamError(Failure.UNKNOWN, f"no provider has a method {word.method}")
    method = getattr(provider, word.method)
    if word.method == "forward":
        async with method(*word.arguments) as answer:
            yield dict(answer.headers)
            async for chunk in answer.chunks:
                yield chunk
    elif word.method in STREAMED:
        async with aclosing(method(*word.arguments)) as items:
            async for item in items:
                yield item
    else:
        yield await method(*word.arguments)

"""The host's side: providers that are run once for the machine, and gates that hold for it."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import aclosing, suppress
from typing import Any

from gateway.config.document import Document
from gateway.crew.link import Link, LinkError
from gateway.crew.proxies import METHODS, STREAMED
from gateway.crew.words import About, End, Failed, Item, Place, Told, Use
from gateway.pipeline.gate import GateFullError
from gateway.pipeline.route import Connected
from gateway.schema.failure import Failure
from gateway.sdk.errors import UpstreamError
from gateway.sdk.http import HttpError
from gateway.sdk.providers import CardSource, ModelLister

_log = logging.getLogger("dynagate.crew")
_LISTING_S = 2.0


class Engines:
    """Answers the workers; `serve` is for one link."""

    def __init__(self, document: Document, connected: Mapping[str, Connected]) -> None:
        self._connected = connected
        self._models: dict[str, set[str]] = {name: set() for name in connected}
        for model in document.models.values():
            for target in model.targets:
                self._models[target.provider].add(target.model)

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
            connected = self._connected[word.provider]
            match word:
                case About():
                    await link.send(await self._about(connected))
                case Place():
                    await _hold_place(connected, word.priority, link)
                case Use():
                    await _use(connected, word, link)

    async def _about(self, connected: Connected) -> Told:
        provider = connected.provider
        methods = frozenset(name for name in METHODS if hasattr(provider, name))
        names = self._models[connected.name]
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

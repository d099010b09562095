"""A provider behind a socket, as a worker has one that the host runs."""

from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from gateway.config.document import Document
from gateway.config.upstreams import Provider
from gateway.crew.engines import Engines, Hosted, models_of
from gateway.crew.gates import FarGate
from gateway.crew.link import listening
from gateway.crew.proxies import Far, proxy_of
from gateway.pipeline.attempts.gate import Gate
from gateway.pipeline.routing.target import Connected
from gateway.pipeline.users import Users
from gateway.sdk import Deps, ProviderKind


@asynccontextmanager
async def hosted(
    provider: object,
    *,
    models: Iterable[str] = ("m",),
    concurrent: int = 64,
    queue: int = 8,
    missing: str | None = None,
    folder: Path | None = None,
) -> AsyncGenerator[tuple[Far, FarGate, Gate]]:
    """Yield the far ends of a provider, and the gate that it really has."""
    # Sockets have short names; a test's own folder does not.
    with TemporaryDirectory(prefix="dg-") as own:
        socket = (folder or Path(own)) / "host.sock"
        gate = Gate(Provider(kind="k", concurrent=concurrent, queue=queue))
        named = {
            f"{number}{'*' if '*' in model else ''}": {
                "targets": [{"provider": "p", "model": model}]
            }
            for number, model in enumerate(models)
        }
        document = Document.model_validate({"providers": {"p": {"kind": "k"}}, "models": named})
        connected = Connected("p", "k", provider, gate, missing)
        known = {"p": Hosted(connected, models_of(document, "p"), Users())}
        async with listening(socket, Engines(lambda name, _: known.get(name)).serve):
            yield Far(socket, "p"), FarGate(socket, "p"), gate


@asynccontextmanager
async def far_away(provider: object, models: Iterable[str] = ("m",)) -> AsyncGenerator[Any]:
    """Yield the proxy of `provider`."""
    async with hosted(provider, models=models) as (far, _, _):
        yield proxy_of(far, await far.told())


def at_a_distance(kind: ProviderKind, models: Iterable[str]) -> ProviderKind:
    """Return the kind with its providers behind a socket, for a suite that is run on kinds."""
    near: Callable[..., Any] = kind.connect

    @asynccontextmanager
    async def connect(settings: Any, deps: Deps) -> AsyncGenerator[object]:
        async with near(settings, deps) as provider, far_away(provider, models) as proxy:
            yield proxy

    return replace(kind, connect=connect)

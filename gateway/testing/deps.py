"""The `Deps` that a gateway gives to a provider, for a test."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from logging import getLogger
from pathlib import Path

from gateway.background import Background
from gateway.config.upstreams import ProviderHttp
from gateway.sdk import Clock, Deps
from gateway.testing.clock import ManualClock
from gateway.transport.client import connect_http
from gateway.transport.fetch import connect_fetch


@asynccontextmanager
async def make_deps(
    name: str,
    tmp_path: Path,
    *,
    clock: Clock | None = None,
    http: ProviderHttp | None = None,
    egress: Sequence[str] = (),
    cache_dir: Path | None = None,
) -> AsyncGenerator[Deps]:
    """Yield what a provider is connected with: the real transport, folders in `tmp_path`.

    `clock` stands still unless another is given. `egress` is `egress.allow`: `fetch` refuses this
    machine's own addresses without it. Leaving closes the connections and ends background work.
    """
    clock = ManualClock() if clock is None else clock
    state_dir = tmp_path / "state"
    cache_dir = tmp_path / "cache" if cache_dir is None else cache_dir
    for folder in (state_dir, cache_dir):
        folder.mkdir(parents=True, exist_ok=True)
    background = Background()
    async with (
        connect_http(ProviderHttp() if http is None else http, clock=clock) as client,
        connect_fetch(egress, clock=clock) as fetch,
    ):
        try:
            yield Deps(
                name=name,
                http=client,
                fetch=fetch,
                clock=clock,
                log=getLogger(f"dynagate.provider.{name}"),
                state_dir=state_dir,
                cache_dir=cache_dir,
                background=background,
            )
        finally:
            await background.aclose()

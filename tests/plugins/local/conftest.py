"""The tiny weights, pulled once into the user's cache, and a provider that runs them."""

import os
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
import pytest_asyncio

from gateway.config.places import cache_dir
from gateway.sdk.clock import SystemClock
from gateway.testing.caller import Caller
from gateway.testing.deps import make_deps
from gateway_local import connect
from gateway_local.catalogue import TINY_ID
from gateway_local.pull import LocalWeights
from gateway_local.settings import LocalSettings


@pytest.fixture(scope="session")
def weights_dir() -> Path:
    """The user's cache, with the tiny weights in it (93 MB the first time)."""
    folder = cache_dir(os.environ)
    LocalWeights().pull(TINY_ID, folder, lambda _what, _done, _total: None)
    return folder


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def tiny(
    weights_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncGenerator[Caller]:
    """One running worker for all tests that only ask it things."""
    clock = SystemClock()
    folder = tmp_path_factory.mktemp("local")
    settings = LocalSettings(model=TINY_ID, threads=1, prompt_threads=1)
    async with (
        make_deps("local", folder, clock=clock, cache_dir=weights_dir) as deps,
        connect(settings, deps) as provider,
    ):
        yield Caller(provider, clock, patience_s=60.0)

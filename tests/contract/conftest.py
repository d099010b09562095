"""Fixtures of the contract's tests: a gateway of every name they use, and somebody who asks it."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from gateway.testing.upstream import FakeUpstream
from tests.contract.asking import CANARY, Asker
from tests.running import Running, run_gateway

Begin = Callable[..., Awaitable[Asker]]
"""Starts a gateway with more or other sections than `gateway` has: `await begin(limits={…})`."""


def configuration(first: FakeUpstream, second: FakeUpstream | None = None, **sections: Any) -> str:
    """Return a configuration: `sections` of the file, and `up` for the first provider.

    In `more` are other providers.
    """
    own = sections.pop("up", {})
    up = {"kind": "openai", "settings": {"base_url": first.url, "api_key": CANARY}, **own}
    providers = {"up": up, "chaos": {"kind": "chaos"}, **sections.pop("more", {})}
    targets = [{"provider": "up", "model": "upstream-model"}]
    if second is not None:
        providers["second"] = {"kind": "openai", "settings": {"base_url": second.url}}
        targets.append({"provider": "second", "model": "second-model"})
    models = {
        "openai": {"targets": targets},
        "up-*": {"targets": [{"provider": "up", "model": "*"}]},
        "chaotic": {"targets": [{"provider": "chaos", "model": "echo"}], "aliases": ["echo"]},
        "chaos/*": {"targets": [{"provider": "chaos", "model": "*"}]},
        **sections.pop("models", {}),
    }
    # JSON is YAML, too.
    return json.dumps({"providers": providers, "models": models, **sections})


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """A client without cookies that opens as many connections as it is asked to."""
    connector = aiohttp.TCPConnector(limit=0)
    jar = aiohttp.DummyCookieJar()
    async with aiohttp.ClientSession(connector=connector, cookie_jar=jar) as client:
        yield client


@pytest.fixture
async def gateway(upstream: FakeUpstream, tmp_path: Path) -> AsyncIterator[Running]:
    """A gateway with the shipped limits; `openai` and `up-*` reach the scripted upstream."""
    async with run_gateway(configuration(upstream), tmp_path) as running:
        yield running


@pytest.fixture
async def caller(session: aiohttp.ClientSession, gateway: Running) -> Asker:
    """Somebody who calls `gateway`."""
    return Asker(session, gateway)


@pytest.fixture
async def begin(
    session: aiohttp.ClientSession, upstream: FakeUpstream, tmp_path: Path
) -> AsyncIterator[Begin]:
    """Start gateways of other configurations; each is closed at the end.

    One with a database ends the ones before: a gateway has its database for itself.
    """
    async with AsyncExitStack() as stack:

        async def start(
            second: FakeUpstream | None = None, *, clock: Any = None, **sections: Any
        ) -> Asker:
            if "url" in sections.get("state", ()) and "valkey" not in sections["state"]:
                await stack.aclose()
            text = configuration(upstream, second, **sections)
            running = await stack.enter_async_context(run_gateway(text, tmp_path, clock=clock))
            return Asker(session, running)

        yield start


@pytest.fixture
async def second() -> AsyncIterator[FakeUpstream]:
    """Another scripted upstream, for a second target."""
    async with FakeUpstream() as running:
        yield running

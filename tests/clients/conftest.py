"""A gateway as real clients meet it: one model on the fast path, the others as events."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from openai import AsyncOpenAI

from gateway.testing.upstream import FakeUpstream, converse
from tests.clients.asking import CONFIG, KEY
from tests.running import Running, run_gateway


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let clients reach loopback whatever the machine's proxy is."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
async def gateway(upstream: FakeUpstream, tmp_path: Path) -> AsyncIterator[Running]:
    """`openai` is forwarded to the scripted upstream, `chaos/…` does what its name says."""
    async with run_gateway(CONFIG.format(url=upstream.url), tmp_path) as running:
        yield running


@pytest.fixture
async def client(gateway: Running) -> AsyncIterator[AsyncOpenAI]:
    """OpenAI's own client, which tries once."""
    async with AsyncOpenAI(
        base_url=f"{gateway.url}/v1", api_key=KEY, max_retries=0, timeout=10
    ) as running:
        yield running


@pytest.fixture(params=["openai", "chaos/echo"], ids=["forwarded", "as_events"])
def model(request: pytest.FixtureRequest, upstream: FakeUpstream) -> str:
    """A model that says the last user turn again, on each of the two paths."""
    upstream.default = converse()
    return str(request.param)

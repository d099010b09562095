"""Fixtures that all tests may use: a scripted upstream and a gateway in front of it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.testing.upstream import FakeUpstream
from tests.running import Running, run_gateway

CONFIG = """
providers:
  up:
    kind: openai
    settings: {{base_url: "{url}/v1", api_key: "sk-canary-upstream"}}
  chaos: {{kind: chaos}}
models:
  openai: {{targets: [{{provider: up, model: upstream-model}}]}}
  "up-*": {{targets: [{{provider: up, model: "*"}}]}}
  chaotic: {{targets: [{{provider: chaos, model: echo}}], aliases: [echo]}}
"""


@pytest.fixture
async def upstream() -> AsyncIterator[FakeUpstream]:
    """A scripted OpenAI-compatible server over real TCP."""
    async with FakeUpstream() as running:
        yield running


@pytest.fixture
async def gateway(upstream: FakeUpstream, tmp_path: Path) -> AsyncIterator[Running]:
    """A gateway whose model `openai` is the scripted upstream."""
    async with run_gateway(CONFIG.format(url=upstream.url), tmp_path) as running:
        yield running

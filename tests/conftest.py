"""Fixtures that all tests may use: a scripted upstream and a gateway in front of it.

Whatever a test is about, it fails if one of the suite's secrets gets into what was logged.
"""

import os
from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from gateway.testing.upstream import FakeUpstream
from tests.postgres import a_database, a_server
from tests.running import Running, run_gateway
from tests.valkey import own_valkey, patience, shared_valkey, valkey

__all__ = ["own_valkey", "patience", "shared_valkey", "valkey"]

SECRETS = ("sk-canary-upstream", "canary-admin-secret-0123456789")
"""The provider's key, and the operator's secret, in most of the suite's configurations."""
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


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The address of a PostgreSQL server: the one of `DATABASE_URL`, else one for the session."""
    if given := os.environ.get("DATABASE_URL"):
        yield given
        return
    with a_server() as server:
        yield server.url()


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """The address of an empty database of the test's own."""
    with a_database(postgres_server, f"test_{uuid4().hex}") as url:
        yield url


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail a test whose captured output holds a secret."""
    report = yield
    found = [
        f"{name} holds {secret}"
        for name, text in report.sections
        for secret in SECRETS
        if secret in text
    ]
    if found and report.passed:
        report.outcome = "failed"
        report.longrepr = "\n".join(found)
    return report

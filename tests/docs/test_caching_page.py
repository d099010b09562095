"""What docs/caching.md shows, runs."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from gateway.testing.upstream import FakeUpstream
from tests.clients.curl import run_curl
from tests.contract.asking import Asker
from tests.docs.examples import curl_lines
from tests.docs.pages import blocks, page, section
from tests.running import Running, run_gateway

PAGE = page("docs/caching.md")
PROVIDERS = 'providers: {{a: {{kind: openai, settings: {{base_url: "{url}"}}}}}}\n'


@pytest.fixture
async def shown(
    request: pytest.FixtureRequest, upstream: FakeUpstream, tmp_path: Path
) -> AsyncIterator[Asker]:
    """A gateway with the models that a section shows."""
    (example,) = blocks(section(PAGE, request.param), "yaml")
    text = example + PROVIDERS.format(url=upstream.url)
    async with run_gateway(text, tmp_path) as running, aiohttp.ClientSession() as session:
        yield Asker(session, running)


@pytest.mark.parametrize("shown", ["Cache"], indirect=True)
async def test_the_model_with_a_cache_keeps_its_answers(shown: Asker) -> None:
    answers = [await shown.chat(model="faq", seed=1) for _ in range(2)]

    assert [one.headers["X-Cache"] for one in answers] == ["MISS", "HIT"]


@pytest.mark.parametrize("shown", ["One generation for several"], indirect=True)
async def test_the_model_that_only_shares_keeps_nothing(shown: Asker) -> None:
    answers = [await shown.chat(model="live", seed=1) for _ in range(2)]

    assert [one.headers["X-Cache"] for one in answers] == ["MISS", "MISS"]


async def test_the_request_that_may_be_repeated_is_made_once(
    gateway: Running, upstream: FakeUpstream, tmp_path: Path
) -> None:
    (example,) = blocks(section(PAGE, "Requests that may be repeated"), "sh")
    (command,) = curl_lines(example, gateway.url)

    answers = [await asyncio.to_thread(run_curl, command, tmp_path) for _ in range(2)]

    assert answers[0].body == answers[1].body
    assert len(upstream.attempts) == 1

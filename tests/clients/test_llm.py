"""`llm`, the command-line tool, with the gateway as one more OpenAI-compatible model."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from gateway.testing.upstream import FakeUpstream, converse, tool_call
from tests.running import Running

MODELS = """
- model_id: gate
  model_name: openai
  api_base: "{url}/v1"
  supports_tools: true
- model_id: events
  model_name: chaos/echo
  api_base: "{url}/v1"
  supports_schema: true
- model_id: plain
  model_name: openai
  api_base: "{url}/v1"
  completion: true
- model_id: broken
  model_name: chaos/fail:caller_fault
  api_base: "{url}/v1"
"""

Llm = Callable[..., Awaitable[subprocess.CompletedProcess[str]]]


@pytest.fixture
def llm(gateway: Running, upstream: FakeUpstream, tmp_path: Path) -> Llm:
    """The command, in a home of its own that knows the gateway's models."""
    upstream.default = converse()
    home = tmp_path / "llm"
    home.mkdir()
    (home / "extra-openai-models.yaml").write_text(MODELS.format(url=gateway.url))
    (home / "logs-off").touch()  # Its database costs more time than the call.
    environ = {**os.environ, "LLM_USER_PATH": str(home), "LLM_LOAD_PLUGINS": ""}

    def run(arguments: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "llm", *arguments],
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    async def call(*arguments: str) -> subprocess.CompletedProcess[str]:
        return await asyncio.to_thread(run, arguments)

    return call


@pytest.mark.parametrize(
    "model",
    ["gate", *(pytest.param(one, marks=pytest.mark.slow) for one in ("events", "plain"))],
)
async def test_a_prompt_is_answered(llm: Llm, model: str) -> None:
    done = await llm("-m", model, "three words back")

    assert (done.returncode, done.stdout.strip()) == (0, "three words back"), done.stderr


@pytest.mark.slow
async def test_an_answer_need_not_stream(llm: Llm, upstream: FakeUpstream) -> None:
    done = await llm("-m", "gate", "--no-stream", "three words back")

    assert done.stdout.strip() == "three words back", done.stderr
    assert not upstream.requests[0].is_stream


@pytest.mark.slow
async def test_options_and_a_system_prompt_reach_the_model(
    llm: Llm, upstream: FakeUpstream
) -> None:
    await llm("-m", "gate", "-s", "You are a pirate", "-o", "temperature", "0.5", "hi")

    sent = upstream.requests[0].document
    assert sent["temperature"] == 0.5
    assert [turn["role"] for turn in sent["messages"]] == ["system", "user"]


async def test_a_schema_holds_the_answer(llm: Llm) -> None:
    done = await llm("-m", "events", "--schema", "name, age int", "Somebody")

    assert json.loads(done.stdout).keys() == {"name", "age"}, done.stderr


async def test_a_tool_is_called_and_its_result_goes_back(llm: Llm, upstream: FakeUpstream) -> None:
    upstream.will(tool_call("llm_version", {}))

    done = await llm("-m", "gate", "-T", "llm_version", "Which version?")

    first, second = upstream.requests
    assert done.returncode == 0, done.stderr
    assert first.document["tools"][0]["function"]["name"] == "llm_version"
    assert [turn["role"] for turn in second.document["messages"]] == ["user", "assistant", "tool"]


async def test_an_error_is_told_in_words(llm: Llm) -> None:
    done = await llm("-m", "broken", "hi")

    assert done.returncode == 1
    assert "400 - chaos: " in done.stderr
    assert "Traceback" not in done.stderr

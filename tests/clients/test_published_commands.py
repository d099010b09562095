"""Every text command of the published API, run by curl as it stands there, but for the host."""

import asyncio
import json
import re
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from gateway.schema.json import JsonObject
from tests.clients.curl import Answer, run_curl
from tests.running import Running, run_gateway

HOST = "https://dynaspark.onrender.com"
PAGE = (Path(__file__).parent / "published_commands.txt").read_text("utf-8")
COMMANDS = re.findall(r"(?ms)^# ([^:\n]+): ([^\n]+)\n(curl .+?)(?=\n\n|\n?\Z)", PAGE)

CONFIG = """
limits: {anonymous: {requests: 20/hour}}
providers:
  chaos: {kind: chaos}
models:
  openai: {targets: [{provider: chaos, model: echo}]}
  mistral: {targets: [{provider: chaos, model: echo}]}
  qwen-coder: {targets: [{provider: chaos, model: echo}]}
"""
"""An echo, which fits what it says to a schema if there is one."""

Curl = Callable[[str], Awaitable[Answer]]
pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Running]:
    """A gateway with the names that the page uses."""
    async with run_gateway(CONFIG, tmp_path) as running:
        yield running


@pytest.fixture
def curl(gateway: Running, tmp_path: Path) -> Curl:
    """Runs a published command against the gateway."""

    async def run(command: str) -> Answer:
        assert HOST in command
        return await asyncio.to_thread(run_curl, command.replace(HOST, gateway.url), tmp_path)

    return run


def commands(kind: str) -> list[object]:
    """Return the commands whose heading begins with `kind`, with the rest of it."""
    return [
        pytest.param(command, said.removeprefix(kind).strip(), id=title)
        for said, title, command in COMMANDS
        if said.split()[0] == kind
    ]


def test_every_command_of_the_file_is_read_and_run() -> None:
    kinds = [said.split()[0] for said, _, _ in COMMANDS]

    assert len(COMMANDS) == len(re.findall(r"^curl ", PAGE, re.MULTILINE)) == 13
    assert set(kinds) == {"words", "message", "list", "chat", "stream"}


@pytest.mark.parametrize(("command", "rest"), commands("words"))
async def test_words_come_as_plain_text_and_nothing_else(
    curl: Curl, command: str, rest: str
) -> None:
    answer = await curl(command)

    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert answer.body == _asked(command)
    _check_shared(answer)


@pytest.mark.parametrize(("command", "rest"), commands("message"))
async def test_json_is_an_object_with_a_message(curl: Curl, command: str, rest: str) -> None:
    answer = await curl(command)

    assert answer.headers["Content-Type"] == "application/json"
    assert json.loads(answer.body) == {"message": "Hello"}
    _check_shared(answer)


@pytest.mark.parametrize(("command", "noun"), commands("list"))
async def test_a_list_has_the_name_that_was_asked_for_and_so_many_texts(
    curl: Curl, command: str, noun: str
) -> None:
    answer = await curl(command)

    document = json.loads(answer.body)
    assert answer.headers["Content-Type"] == "application/json"
    assert list(document) == [noun]
    assert [type(item) for item in document[noun]] == [str] * 3
    _check_shared(answer)


@pytest.mark.parametrize(("command", "rest"), commands("chat"))
async def test_chat_is_openais(curl: Curl, command: str, rest: str) -> None:
    answer = await curl(command)

    document = json.loads(answer.body)
    assert answer.headers["Content-Type"] == "application/json"
    assert document["object"] == "chat.completion"
    assert document["choices"][0]["message"]["content"] == "What is the capital of France?"
    assert answer.headers["x-ratelimit-limit-requests"] == "20"
    _check_shared(answer)


@pytest.mark.parametrize(("command", "rest"), commands("stream"))
async def test_a_stream_is_server_sent_events_of_openais_chunks(
    curl: Curl, command: str, rest: str
) -> None:
    answer = await curl(command)

    documents = _events(answer.body)
    said = [document["choices"][0]["delta"].get("content", "") for document in documents]
    assert answer.headers["Content-Type"].startswith("text/event-stream")
    assert {document["object"] for document in documents} == {"chat.completion.chunk"}
    assert re.fullmatch(r"Tell me a (long )?story", "".join(said))
    assert len([words for words in said if words]) >= 4
    _check_shared(answer)


async def test_past_the_limit_the_error_is_the_published_one(curl: Curl) -> None:
    command = COMMANDS[0][2]
    for remaining in range(19, -1, -1):
        answer = await curl(command)
        assert answer.headers["X-RateLimit-Remaining"] == str(remaining)

    answer = await curl(command)

    error = json.loads(answer.body)["error"]
    assert answer.status == 429
    assert error["code"] == "rate_limit_exceeded"
    assert re.fullmatch(r"Rate limit .*exceeded\. Try again in \d+ seconds\.", error["message"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", error["details"]["reset_time"])
    assert int(answer.headers["Retry-After"]) > 0


def _asked(command: str) -> str:
    """Return the prompt of a GET command, decoded by hand."""
    found = re.search(r"user_input=([^&\"]+)|/text/([^?\"]+)", command)
    assert found is not None
    return (found[1] or found[2]).replace("%20", " ")


def _events(body: str) -> list[JsonObject]:
    """Return the documents of a stream that ends as it should."""
    data = [line.removeprefix("data: ") for line in body.splitlines() if line.startswith("data: ")]
    assert data[-1] == "[DONE]"
    return [json.loads(text) for text in data[:-1]]


def _check_shared(answer: Answer) -> None:
    """Check what every counted answer carries."""
    assert answer.status == 200
    assert answer.headers["X-RateLimit-Limit"] == "20"
    assert answer.headers["X-RateLimit-Remaining"] == "19"
    assert int(answer.headers["X-RateLimit-Reset"]) > 1_700_000_000
    assert answer.headers["X-Request-Id"]

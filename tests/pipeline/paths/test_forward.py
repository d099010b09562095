"""What the fast path may do for a request and for a chunk, counted."""

import asyncio
from collections import Counter
from types import SimpleNamespace
from typing import Any

import jiter
import orjson
import pytest
from aiohttp import ClientSession
from pydantic import BaseModel, TypeAdapter

import gateway.dialects.json_gate
import gateway.pipeline.paths.forward
import gateway_openai.exchange
from gateway.schema.json import read_object
from gateway.testing.upstream import FakeUpstream, stream
from tests.running import Running


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Count parses, dumps and validations."""
    counted: Counter[str] = Counter()

    def counting(name: str, function: Any) -> Any:
        def call(*given: Any, **named: Any) -> Any:
            counted[name] += 1
            return function(*given, **named)

        return call

    parse = SimpleNamespace(from_json=counting("callers' parses", jiter.from_json))
    monkeypatch.setattr(gateway.dialects.json_gate, "jiter", parse)
    dump = SimpleNamespace(dumps=counting("dumps", orjson.dumps))
    monkeypatch.setattr(gateway_openai.exchange, "orjson", dump)
    parses = counting("upstreams' parses", read_object)
    monkeypatch.setattr(gateway.pipeline.paths.forward, "read_object", parses)
    for kind in (TypeAdapter, BaseModel):
        for name in ("validate_python", "model_validate"):
            if hasattr(kind, name):
                validate = counting("validations", getattr(kind, name))
                monkeypatch.setattr(kind, name, validate)
    return counted


async def ask(gateway: Running, **fields: Any) -> str:
    """Call the fast path and return the body."""
    document = {"model": "openai", "messages": [{"role": "user", "content": "hi"}], **fields}
    async with (
        ClientSession() as session,
        session.post(f"{gateway.url}/v1/chat/completions", json=document) as answer,
    ):
        return await answer.text()


async def test_a_request_is_parsed_once_dumped_once_and_logged_once(
    gateway: Running, work: Counter[str]
) -> None:
    before = gateway.lines()

    await ask(gateway)

    assert work == {"callers' parses": 1, "dumps": 1, "upstreams' parses": 1}
    assert len(gateway.lines().splitlines()) - len(before.splitlines()) == 1


async def test_chunks_after_the_first_are_bytes(
    gateway: Running, upstream: FakeUpstream, work: Counter[str]
) -> None:
    words = [f"word{number} " for number in range(100)]
    upstream.will(stream(*words))
    loop = asyncio.get_running_loop()
    started: list[str] = []

    def count(loop: asyncio.AbstractEventLoop, work: Any, **named: Any) -> asyncio.Task[Any]:
        task: asyncio.Task[Any] = asyncio.Task(work, loop=loop, **named)
        started.append(task.get_name())
        return task

    loop.set_task_factory(count)
    try:
        body = await ask(gateway, stream=True)
    finally:
        loop.set_task_factory(None)

    assert body.count("data: ") >= len(words)
    assert work["upstreams' parses"] <= 3
    assert work["validations"] == 0
    # The connection's, the call's and the upstream's own: none for a chunk.
    assert len(started) < 15

"""Copies of calls to another model: compared and thrown away, and the caller never knows."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from gateway.schema.usage import Usage
from gateway.state.ledger import Entry
from gateway.testing.upstream import (
    FakeUpstream,
    Tokens,
    empty,
    hang_before_head,
    hang_in_stream,
    reply,
    status,
    truncated,
)
from tests.contract.asking import Asker, assert_broken_off, knock
from tests.contract.conftest import Begin
from tests.contract.test_hangup import request
from tests.contract.test_hedging import PATHS, ask
from tests.contract.test_ledger import entries_of
from tests.docs.pages import blocks, page, section
from tests.running import run_gateway
from tests.web.raw_http import becomes


def models(**shadow: Any) -> dict[str, Any]:
    """Return the sections of a model and of the one that is on trial."""
    return {
        "openai": {
            "targets": [{"provider": "up", "model": "upstream-model"}],
            "shadow": {"model": "trial", "percent": 100, **shadow},
        },
        "trial": {"targets": [{"provider": "second", "model": "second-model"}]},
    }


async def copies(caller: Asker, count: int = 1) -> list[Entry]:
    """Return the rows of the copies, once there are so many."""

    def known() -> list[Entry]:
        return [entry for entry in entries_of(caller) if entry.dialect == "shadow"]

    await becomes(lambda: len(known()) >= count)
    return known()


async def figures(caller: Asker) -> dict[str, float]:
    """Return the metrics of copies, by name and labels."""
    text = (await caller.ask("GET", "/metrics", is_admin=True)).text
    lines = [line.rpartition(" ") for line in text.splitlines() if "_shadow" in line]
    return {name: float(value) for name, _, value in lines if not name.startswith("#")}


@pytest.mark.parametrize("is_stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize("path", PATHS)
async def test_a_copy_is_compared_and_has_a_row_of_its_own(
    begin: Begin,
    upstream: FakeUpstream,
    second: FakeUpstream,
    path: str,
    capfd: pytest.CaptureFixture[str],
    *,
    is_stream: bool,
) -> None:
    caller = await begin(second, models=models())
    upstream.will(reply("the same words", usage=Tokens(prompt=3, completion=3)))
    second.will(reply("the same words", usage=Tokens(prompt=4, completion=5)))

    answer = await ask(caller, path, is_stream=is_stream)
    (copy,) = await copies(caller)
    told = await figures(caller)

    assert answer.headers["X-Provider"] == "up"
    assert answer.headers["X-RateLimit-Remaining"] == "99"
    assert "the same words" in (answer.words if is_stream else answer.text)
    assert copy.request_id == f"{answer.headers['X-Request-Id']}-shadow"
    assert (copy.model, copy.target, copy.key_id) == ("trial", "second/second-model", "")
    assert (copy.status, copy.attempts) == (200, 1)
    assert copy.usage == Usage(input_tokens=4, output_tokens=5)
    (own,) = (entry for entry in entries_of(caller) if entry is not copy)
    assert (own.target, own.attempts, own.usage.output_tokens) == ("up/upstream-model", 1, 3)
    assert told['dynagate_shadows_total{model="openai",outcome="same"}'] == 1
    assert told['dynagate_shadow_tokens_total{model="openai",side="answer"}'] == 3
    assert told['dynagate_shadow_tokens_total{model="openai",side="shadow"}'] == 5
    assert told['dynagate_shadow_seconds_total{model="openai",side="shadow"}'] > 0
    lines = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    (line,) = (one["event"] for one in lines if one["logger"] == "dynagate.shadow")
    assert "openai at second/second-model is same" in line
    assert "14 characters" in line
    assert "words" not in line


async def test_other_words_are_different(
    begin: Begin, upstream: FakeUpstream, second: FakeUpstream
) -> None:
    caller = await begin(second, models=models())
    upstream.will(reply("one"), reply("two"))
    second.will(reply("eins"), reply("two"))

    await ask(caller)
    await copies(caller)
    await ask(caller, is_stream=False)
    await copies(caller, 2)

    told = await figures(caller)
    assert told['dynagate_shadows_total{model="openai",outcome="different"}'] == 1
    assert told['dynagate_shadows_total{model="openai",outcome="same"}'] == 1


FAULTS = {
    "busy": status(503),
    "empty": empty(),
    "broken off": truncated(after=1),
    "at fault": status(400),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
async def test_a_copy_that_fails_is_counted_and_nothing_else(
    begin: Begin, second: FakeUpstream, fault: Any
) -> None:
    caller = await begin(second, models=models())
    second.will(fault)

    answer = await ask(caller)
    (copy,) = await copies(caller)

    assert answer.is_done
    assert copy.status >= 400
    assert copy.failure
    assert (await figures(caller))['dynagate_shadows_total{model="openai",outcome="failed"}'] == 1
    assert len(second.requests) == 1


async def test_a_copy_that_hangs_ends_in_time_and_no_more_are_made_than_may_be(
    begin: Begin, upstream: FakeUpstream, second: FakeUpstream
) -> None:
    caller = await begin(second, models=models(concurrent=2, timeout_s=1))
    second.default = hang_before_head()

    answers = [await ask(caller) for _ in range(5)]
    ended = await copies(caller, 2)
    await second.wait_abandoned(2)

    assert all(one.is_done for one in answers)
    assert [one.failure for one in ended] == ["timeout"] * 2
    told = await figures(caller)
    assert told['dynagate_shadows_total{model="openai",outcome="skipped"}'] == 3
    second.default = reply("hello")
    await ask(caller)
    await copies(caller, 3)


async def test_the_gate_of_a_copy_is_free_again(begin: Begin, second: FakeUpstream) -> None:
    caller = await begin(second, models=models())
    target = caller.gateway.gateway.serving.services.router.find("trial").targets[0]
    gate: Any = target.connected.gate  # Any: its own class.

    await ask(caller)
    await copies(caller)

    await becomes(lambda: gate.in_flight == 0 and target.health.in_flight == 0)


async def test_private_calls_are_shown_to_nobody_else(
    begin: Begin, upstream: FakeUpstream, second: FakeUpstream
) -> None:
    caller = await begin(second, models=models())

    await caller.get("/api/generate_response?user_input=hi&private=true")
    await caller.get("/api/generate_response?user_input=hi")
    await copies(caller)

    assert len(second.requests) == 1


async def test_an_answer_that_breaks_off_or_is_left_has_no_copy(
    begin: Begin, upstream: FakeUpstream, second: FakeUpstream
) -> None:
    caller = await begin(second, models=models())
    upstream.will(truncated(after=1), hang_in_stream(1))

    assert_broken_off(await ask(caller), "upstream_failed")
    async with knock(caller.gateway) as wire:
        await wire.send(request("forward", is_stream=True))
        await wire.until(b"piece0 ")
    await becomes(lambda: len(entries_of(caller)) == 2)
    await ask(caller)
    await copies(caller)

    assert len(second.requests) == 1


async def test_about_as_many_are_copied_as_is_asked_for(
    begin: Begin, upstream: FakeUpstream, second: FakeUpstream
) -> None:
    limits = {"anonymous": {"requests": "1000/hour", "concurrent": 50}}
    caller = await begin(second, models=models(percent=20, concurrent=100), limits=limits)

    for _ in range(10):
        await asyncio.gather(*(ask(caller, is_stream=False) for _ in range(10)))
    await becomes(lambda: len(entries_of(caller)) == 100 + len(second.requests))

    # 20 are expected; fewer than 3 or more than 50 come once in a million runs.
    assert 3 <= len(second.requests) <= 50


async def test_a_target_that_rests_gets_no_copies(
    begin: Begin, upstream: FakeUpstream, second: FakeUpstream
) -> None:
    caller = await begin(second, models=models(), health={"failures": 1})
    second.will(status(503))

    await ask(caller)
    await copies(caller)
    await ask(caller)
    await ask(caller)

    assert len(second.requests) == 1


async def test_the_example_of_the_page_is_a_configuration(
    upstream: FakeUpstream, tmp_path: Path
) -> None:
    (example,) = blocks(section(page("docs/routing.md"), "Shadows"), "yaml")
    host = {"kind": "openai", "settings": {"base_url": upstream.url}}
    providers = json.dumps({"a": host, "b": host})

    async with run_gateway(f"{example}providers: {providers}", tmp_path) as running:
        shadow = running.gateway.serving.services.router.find("steady").shadow

    assert shadow is not None
    assert shadow.settings.percent == 5

"""A second attempt beside one that is late: the first answer wins, and the other is given up."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from gateway.pipeline.attempts.race import _Race
from gateway.testing.actions import Action, Answer, Hold, Pause
from gateway.testing.http_wire import UpstreamRequest
from gateway.testing.upstream import (
    FakeUpstream,
    Tokens,
    hang_before_head,
    hang_in_stream,
    reply,
    status,
    stream,
    truncated,
)
from tests.contract.asking import Asker, Reply, assert_broken_off, assert_refused, gate_of, knock
from tests.contract.conftest import Begin
from tests.contract.reloading import reloadable
from tests.contract.test_hangup import request
from tests.contract.test_ledger import entries_of
from tests.docs.pages import blocks, page, section
from tests.running import run_gateway
from tests.web.raw_http import becomes

SOON: dict[str, Any] = {"after_s": 0.01, "whole_after_s": 0.01}
PRICE = {"card": {"price": {"input": 1_000_000, "output": 1_000_000}}}
"""A dollar a token."""
MANY = {"anonymous": {"requests": "10000/hour", "concurrent": 100}}
PATHS = ("forward", "events")
NEVER = {"failures": 1000}


def model(hedge: dict[str, Any], **of_second: Any) -> dict[str, Any]:
    """Return the section of a model with two targets."""
    first = {"provider": "up", "model": "upstream-model"}
    return {
        "targets": [first, {"provider": "second", "model": "second-model", **of_second}],
        "hedge": hedge,
    }


async def ask(caller: Asker, path: str = "forward", *, is_stream: bool = True) -> Reply:
    """Ask by the path of bytes, or by the one of events."""
    if path == "forward":
        return await caller.chat(stream=is_stream)
    url = f"/api/generate_response?user_input=hi&stream={json.dumps(is_stream)}"
    return await caller.get(url)


def later(event: asyncio.Event, answer: Answer) -> Answer:
    """Answer only once the test says so."""

    def held(request: UpstreamRequest) -> list[Action]:
        return [Hold(event), *answer(request)]

    return held


def pausing(seconds: float, answer: Answer) -> Answer:
    """Answer after a while."""

    def paused(request: UpstreamRequest) -> list[Action]:
        return [Pause(seconds), *answer(request)]

    return paused


def line_of(caller: Asker) -> dict[str, Any]:
    """Return the last call's line."""
    line: dict[str, Any] = json.loads(caller.gateway.lines().splitlines()[-1])
    return line


async def free(caller: Asker) -> None:
    """Wait until no target has a call in flight, nor its gate a place taken."""
    targets = caller.gateway.gateway.serving.services.router.find("openai").targets

    def is_free() -> bool:
        gates: list[Any] = [target.connected.gate for target in targets]  # Any: its own class.
        return not any([*(one.in_flight for one in gates), *(t.health.in_flight for t in targets)])

    await becomes(is_free)


@pytest.mark.parametrize("is_stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize("path", PATHS)
async def test_who_answers_first_wins_and_the_late_one_is_free_at_once(
    begin: Begin, upstream: FakeUpstream, second: FakeUpstream, path: str, *, is_stream: bool
) -> None:
    caller = await begin(second, models={"openai": model(SOON)})
    upstream.will(hang_before_head())
    second.will(reply("one two", usage=Tokens(prompt=3, completion=7)))

    answer = await ask(caller, path, is_stream=is_stream)

    assert answer.status == 200
    assert answer.headers["X-Provider"] == "second"
    assert (answer.words if is_stream else answer.text).find("one two") >= 0
    assert answer.is_done == is_stream
    await upstream.wait_abandoned()
    await free(caller)
    (entry,) = entries_of(caller)
    assert (entry.status, entry.attempts, entry.target) == (200, 2, "second/second-model")
    assert (entry.usage.input_tokens, entry.usage.output_tokens) == (3, 7)
    assert line_of(caller)["hedged"] == "won"
    assert "failed_attempts" not in line_of(caller)
    scraped = (await caller.ask("GET", "/metrics", is_admin=True)).text
    assert 'dynagate_hedges_total{model="openai",outcome="won"} 1.0' in scraped


@pytest.mark.parametrize("is_stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize("path", PATHS)
async def test_a_late_one_that_is_still_first_wins_and_the_other_is_given_up(
    begin: Begin, upstream: FakeUpstream, second: FakeUpstream, path: str, *, is_stream: bool
) -> None:
    caller = await begin(second, models={"openai": model(SOON)})
    answered = asyncio.Event()
    upstream.will(later(answered, reply("mine")))
    second.will(hang_in_stream(0))

    asking = asyncio.ensure_future(ask(caller, path, is_stream=is_stream))
    await second.wait_requests()
    answered.set()
    answer = await asking

    assert answer.headers["X-Provider"] == "up"
    assert "mine" in (answer.words if is_stream else answer.text)
    await second.wait_abandoned()
    await free(caller)
    assert entries_of(caller)[0].attempts == 2
    assert line_of(caller)["hedged"] == "lost"


async def test_a_call_that_is_answered_in_time_is_one_attempt(
    begin: Begin, second: FakeUpstream
) -> None:
    caller = await begin(second, models={"openai": model({"after_s": 60})})

    await ask(caller)

    assert second.requests == []
    assert "hedged" not in line_of(caller)
    assert entries_of(caller)[0].attempts == 1


async def test_the_example_of_the_page_is_a_configuration(
    upstream: FakeUpstream, tmp_path: Path
) -> None:
    (example,) = blocks(section(page("docs/routing.md"), "Hedging"), "yaml")
    host = {"kind": "openai", "settings": {"base_url": upstream.url}}
    providers = json.dumps({"a": host, "b": host})

    async with run_gateway(f"{example}providers: {providers}", tmp_path) as running:
        hedge = running.gateway.serving.services.router.find("quick").hedge

    assert hedge is not None
    assert hedge.max_cost_usd_micros == 20_000


async def test_after_the_first_word_nobody_else_is_asked(
    begin: Begin, upstream: FakeUpstream, second: FakeUpstream
) -> None:
    caller = await begin(second, models={"openai": model({"after_s": 1})})
    upstream.will(stream("one ", "two ", "three", gap_s=0.4))

    answer = await ask(caller)

    assert answer.words == "one two three"
    assert second.requests == []


async def test_without_a_time_of_its_own_a_target_is_late_past_its_95th_percentile(
    begin: Begin, upstream: FakeUpstream, second: FakeUpstream
) -> None:
    caller = await begin(second, models={"openai": model({})}, limits=MANY)
    known = caller.gateway.gateway.serving.services.health.of("up/upstream-model")
    assert known.told()["first_token_p95_ms"] is None
    for _ in range(19):
        known.first_token_times.add(0.01)
    answered = asyncio.Event()
    upstream.will(reply("one"), later(answered, reply("two")))

    first = await ask(caller)
    asking = asyncio.ensure_future(ask(caller))
    await second.wait_requests()
    answered.set()
    late = await asking

    assert first.headers["X-Provider"] == "up"
    assert known.told()["first_token_p95_ms"] >= 10
    assert late.headers["X-Provider"] == "second"


@pytest.mark.parametrize("is_stream", [True, False], ids=["streamed", "whole"])
async def test_a_first_attempt_that_fails_leaves_the_answer_to_the_second(
    begin: Begin, upstream: FakeUpstream, second: FakeUpstream, *, is_stream: bool
) -> None:
    caller = await begin(second, models={"openai": model(SOON)})
    failed, answered = asyncio.Event(), asyncio.Event()
    upstream.will(later(failed, status(503)))
    second.will(later(answered, reply("hello")))

    asking = asyncio.ensure_future(ask(caller, is_stream=is_stream))
    await second.wait_requests()
    failed.set()
    known = caller.gateway.gateway.serving.services.health.of("up/upstream-model")
    await becomes(lambda: known.failures == 1)
    answered.set()
    answer = await asking

    assert answer.headers["X-Provider"] == "second"
    assert len(second.requests) == 1
    assert entries_of(caller)[0].attempts == 2
    assert line_of(caller)["failed_attempts"] == ["up/upstream-model: transient"]


async def test_a_second_attempt_that_fails_is_no_matter_and_is_not_made_again(
    begin: Begin, upstream: FakeUpstream, second: FakeUpstream
) -> None:
    caller = await begin(second, models={"openai": model(SOON)})
    answered = asyncio.Event()
    upstream.will(later(answered, reply("hello")), later(answered, status(503)))
    second.will(status(503), status(503))
    known = caller.gateway.gateway.serving.services.health.of("second/second-model")

    asking = asyncio.ensure_future(ask(caller))
    await becomes(lambda: known.failures == 1)
    answered.set()
    answer = await asking
    refused = await ask(caller)

    assert answer.headers["X-Provider"] == "up"
    assert_refused(refused, 502, "upstream_failed")
    assert (len(upstream.requests), len(second.requests)) == (2, 2)
    assert [one.attempts for one in entries_of(caller)] == [2, 2]
    await free(caller)


async def test_a_request_that_is_at_fault_is_not_waited_for_elsewhere(
    begin: Begin, upstream: FakeUpstream, second: FakeUpstream
) -> None:
    caller = await begin(second, models={"openai": model(SOON)})
    asked = asyncio.Event()
    upstream.will(later(asked, status(400)))
    second.will(hang_before_head())

    asking = asyncio.ensure_future(ask(caller))
    await second.wait_requests()
    asked.set()

    assert_refused(await asking, 400, "upstream_rejected")
    await second.wait_abandoned()
    await free(caller)


@pytest.mark.parametrize("path", PATHS)
async def test_a_caller_that_hangs_up_ends_both(
    begin: Begin, upstream: FakeUpstream, second: FakeUpstream, path: str
) -> None:
    caller = await begin(second, models={"openai": model(SOON)})
    upstream.will(hang_before_head())
    second.will(hang_in_stream(0))

    async with knock(caller.gateway) as wire:
        await wire.send(request(path, is_stream=True))
        await second.wait_requests()
    await upstream.wait_abandoned()
    await second.wait_abandoned()

    await free(caller)
    await becomes(lambda: bool(entries_of(caller)))
    (entry,) = entries_of(caller)
    assert (entry.status, entry.attempts, entry.is_aborted) == (499, 2, True)


@pytest.mark.parametrize("path", PATHS)
async def test_a_caller_that_hangs_up_in_the_moment_in_which_the_second_wins_frees_both(
    begin: Begin,
    upstream: FakeUpstream,
    second: FakeUpstream,
    path: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caller = await begin(second, models={"openai": model(SOON)})
    upstream.will(hang_before_head())
    second.will(hang_in_stream(3))

    def won(race: Any) -> bool:
        # As the server does when a caller has hung up.
        race._task.cancel()  # noqa: SLF001 - there is no other way to the very moment.
        return wins(race)

    wins = _Race.won
    monkeypatch.setattr(_Race, "won", won)
    async with knock(caller.gateway) as wire:
        await wire.send(request(path, is_stream=True))
        await second.wait_abandoned()
    await upstream.wait_abandoned()

    await free(caller)


@pytest.mark.parametrize("path", PATHS)
async def test_a_caller_that_hangs_up_on_the_second_ends_it_and_pays_for_what_came(
    begin: Begin, upstream: FakeUpstream, second: FakeUpstream, path: str
) -> None:
    caller = await begin(second, models={"openai": model(SOON)})
    upstream.will(hang_before_head())
    second.will(hang_in_stream(3))

    async with knock(caller.gateway) as wire:
        await wire.send(request(path, is_stream=True))
        await wire.until(b"piece2 ")
    await second.wait_abandoned()

    await free(caller)
    await becomes(lambda: bool(entries_of(caller)))
    (entry,) = entries_of(caller)
    assert (entry.target, entry.is_aborted) == ("second/second-model", True)
    assert entry.usage.is_estimated
    assert entry.usage.output_tokens >= 3


async def test_a_second_answer_that_breaks_off_is_said_so(
    begin: Begin, upstream: FakeUpstream, second: FakeUpstream
) -> None:
    caller = await begin(second, models={"openai": model(SOON)})
    upstream.will(hang_before_head())
    second.will(truncated(after=2))

    assert_broken_off(await ask(caller), "upstream_failed")

    health = caller.gateway.gateway.serving.services.health
    assert health.of("second/second-model").failures == 1
    assert health.of("up/upstream-model").failures == 0


async def test_a_deadline_ends_both(
    begin: Begin, upstream: FakeUpstream, second: FakeUpstream
) -> None:
    caller = await begin(second, models={"openai": model(SOON)})
    upstream.will(hang_before_head())
    second.will(hang_before_head())
    document = {"model": "openai", "messages": [{"role": "user", "content": "hi"}]}

    late = await caller.post("/v1/chat/completions", document, X_Deadline_Ms="1000")

    assert_refused(late, 504, "deadline_exceeded")
    await upstream.wait_abandoned()
    await second.wait_abandoned()
    await free(caller)


async def test_no_more_calls_are_hedged_than_the_budget_allows(
    begin: Begin, upstream: FakeUpstream, second: FakeUpstream
) -> None:
    hedge = {**SOON, "budget_percent": 0, "floor": "1/day"}
    caller = await begin(second, models={"openai": model(hedge)}, deadlines={"first_token_s": 1})
    upstream.default = hang_before_head()

    answers = [await ask(caller) for _ in range(2)]

    assert [one.headers["X-Provider"] for one in answers] == ["second", "second"]
    # The second call came there as one that had failed.
    assert [one.attempts for one in entries_of(caller)] == [2, 2]
    hedged = [json.loads(line).get("hedged") for line in caller.gateway.lines().splitlines()]
    assert hedged == ["won", None]


@pytest.mark.parametrize(
    ("dollars", "is_hedged"), [(1, False), (10_000, True)], ids=["too dear", "within"]
)
async def test_a_second_attempt_costs_no_more_than_it_may(
    begin: Begin, upstream: FakeUpstream, second: FakeUpstream, dollars: int, *, is_hedged: bool
) -> None:
    hedge = {**SOON, "max_cost_usd": dollars}
    deadlines = {"first_token_s": 1}
    caller = await begin(second, models={"openai": model(hedge, **PRICE)}, deadlines=deadlines)
    upstream.will(hang_before_head())

    await ask(caller)

    assert line_of(caller).get("hedged") == ("won" if is_hedged else None)


async def test_what_was_given_up_is_billed_as_a_call_whose_caller_left(
    begin: Begin, upstream: FakeUpstream, second: FakeUpstream
) -> None:
    section = model(SOON, **PRICE)
    section["targets"][0] |= PRICE
    caller = await begin(second, models={"openai": section}, ledger={"aborted": "estimate"})
    upstream.will(hang_before_head())
    second.will(reply("two words", usage=Tokens(prompt=3, completion=2)))

    await caller.chat("12345678", stream=True, max_tokens=10)

    (entry,) = entries_of(caller)
    assert entry.attempts == 2
    assert (entry.usage.input_tokens, entry.usage.output_tokens) == (3 + 2, 2 + 10)
    assert entry.cost_usd_micros == (3 + 2 + 2 + 10) * 1_000_000


async def test_who_waits_for_a_place_is_late_as_well(
    begin: Begin, upstream: FakeUpstream, second: FakeUpstream
) -> None:
    caller = await begin(second, models={"openai": model(SOON)}, up={"concurrent": 1})
    answered = asyncio.Event()
    upstream.will(later(answered, reply("hello")))
    second.will(hang_before_head())
    gate = gate_of(caller.gateway)

    first = asyncio.ensure_future(ask(caller))
    await second.wait_requests()
    waiting = await ask(caller)

    assert waiting.headers["X-Provider"] == "second"
    assert (gate.waiting, gate.in_flight) == (0, 1)
    assert entries_of(caller)[0].attempts == 1
    answered.set()
    assert (await first).headers["X-Provider"] == "up"


async def test_whoever_is_first_by_a_hair_each_call_has_one_answer(
    begin: Begin, upstream: FakeUpstream, second: FakeUpstream
) -> None:
    hedge = {"after_s": 0.02, "budget_percent": 100, "floor": "1000/minute"}
    caller = await begin(second, models={"openai": model(hedge)}, limits=MANY, health=NEVER)
    upstream.default = pausing(0.022, reply("a b c"))
    second.default = reply("a b c")

    answers = [
        answer
        for _ in range(20)
        for answer in await asyncio.gather(*(ask(caller) for _ in range(5)))
    ]

    assert [one.words for one in answers] == ["a b c"] * 100
    assert all(one.is_done for one in answers)
    await free(caller)


async def test_a_target_that_rests_is_no_second_attempt(
    begin: Begin, upstream: FakeUpstream, second: FakeUpstream
) -> None:
    health, deadlines = {"failures": 1}, {"first_token_s": 1}
    caller = await begin(second, models={"openai": model(SOON)}, health=health, deadlines=deadlines)
    upstream.will(status(503), hang_before_head())
    second.default = status(503)
    await ask(caller)

    assert_refused(await ask(caller), 503, "unavailable")

    assert len(second.requests) == 1


@pytest.mark.slow
async def test_a_thousand_late_calls_are_a_thousand_answers(
    begin: Begin, upstream: FakeUpstream, second: FakeUpstream
) -> None:
    hedge = {**SOON, "budget_percent": 100, "floor": "1000/minute"}
    caller = await begin(second, models={"openai": model(hedge)}, limits=MANY, health=NEVER)
    upstream.default = hang_before_head()
    places = asyncio.Semaphore(20)

    async def one() -> Reply:
        async with places:
            return await ask(caller)

    answers = await asyncio.gather(*(one() for _ in range(1000)))

    assert sum(one.words == "hello" and one.is_done for one in answers) == 1000
    assert len(second.requests) == 1000
    await free(caller)


async def test_what_is_left_of_the_budget_is_left_after_a_reload(
    begin: Begin, upstream: FakeUpstream, second: FakeUpstream, tmp_path: Path
) -> None:
    models = {"openai": model({**SOON, "budget_percent": 0, "floor": "1/day"})}
    file = await reloadable(begin, upstream, tmp_path, second, models=models)
    upstream.will(hang_before_head())
    second.will(reply("one two"))
    hedged = await file.caller.chat()

    await file.reloaded(second, models=models, deadlines={"total_s": 30})
    answered = asyncio.Event()
    upstream.will(later(answered, reply("late")))
    late = asyncio.create_task(file.caller.chat())
    await becomes(lambda: len(upstream.requests) == 2)
    await asyncio.sleep(0.05)  # Five times what it is hedged after.
    answered.set()

    assert hedged.headers["X-Provider"] == "second"
    assert (await late).headers["X-Provider"] == "up"
    assert len(second.requests) == 1

"""Calls of engines: what is given, answered, refused, cancelled."""

import asyncio
import os
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from gateway.schema.failure import Failure
from gateway.sdk import UpstreamError
from tests.sdk.workshop.demo import (
    LOOPS,
    every,
    open_workshop,
    until,
    words,
)


async def test_an_engine_is_loaded_with_its_orders_and_may_print() -> None:
    async with open_workshop() as workshop:
        answers = await every(workshop, "orders_again")

    assert answers == [({"greeting": "hello"}, b"")]


async def test_the_only_answer_of_a_method_is_asked_for_in_one_line() -> None:
    async with open_workshop() as workshop:
        facts, blob = await workshop.only("demo", "echo", {"name": "Zoë"}, [b"blob"])
        with pytest.raises(UpstreamError) as caught:
            await workshop.only("demo", "count", {"to": 2})

    assert (facts["name"], blob) == ("Zoë", b"blob")
    assert caught.value.failure is Failure.UNKNOWN
    assert caught.value.message == "local: the demo engine gave 2 answers instead of one"


@pytest.mark.parametrize("loop", LOOPS)
def test_large_blobs_go_there_and_back_on_every_loop(
    loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    blobs = [os.urandom(5_000_000), b"", b"small"]

    async def scenario() -> list[tuple[dict[str, Any], bytes]]:
        async with (
            open_workshop() as workshop,
            aclosing(workshop.call("demo", "echo", {"name": "Zoë"}, blobs)) as items,
        ):
            return [item async for item in items]

    with asyncio.Runner(loop_factory=loop) as runner:
        answers = runner.run(scenario())

    assert [blob for _, blob in answers] == blobs
    assert {facts["name"] for facts, _ in answers} == {"Zoë"}


async def test_calls_share_one_process_and_each_gets_its_own_answers() -> None:
    async with open_workshop() as workshop:

        async def one(number: int) -> list[tuple[dict[str, Any], bytes]]:
            blobs = [b"%d" % number] * 9
            async with aclosing(workshop.call("demo", "echo", {"n": number}, blobs)) as items:
                return [item async for item in items]

        answers = await asyncio.gather(*(one(number) for number in range(20)))

    assert len({facts["pid"] for answer in answers for facts, _ in answer}) == 1
    for number, answer in enumerate(answers):
        assert [(facts["n"], blob) for facts, blob in answer] == [(number, b"%d" % number)] * 9


async def test_a_reader_that_is_slow_holds_up_its_own_call_alone() -> None:
    async with (
        open_workshop() as workshop,
        aclosing(workshop.call("demo", "count", {"to": 1000})) as slow,
    ):
        first = await anext(slow)
        other = await every(workshop, "count", to=100)
        rest = [facts["number"] async for facts, _ in slow]

    assert first == ({"number": 0}, b"")
    assert len(other) == 100
    assert rest == list(range(1, 1000))


async def test_an_engine_makes_no_more_than_is_read(tmp_path: Path) -> None:
    notes = tmp_path / "notes"

    async with open_workshop() as workshop:
        async with aclosing(workshop.call("demo", "count", {"to": 9, "notes": str(notes)})) as few:
            await anext(few)
            await every(workshop, "count", to=100)
            before = words(notes)
        await until(lambda: words(notes) == ["closed"])

    assert before == []


@pytest.mark.parametrize("loop", LOOPS)
def test_closing_a_call_closes_the_engine_s_generator_and_keeps_the_process(
    loop: Callable[[], asyncio.AbstractEventLoop], tmp_path: Path
) -> None:
    notes = tmp_path / "notes"

    async def scenario() -> tuple[int | None, int | None]:
        async with open_workshop() as workshop:
            arguments = {"to": 1_000_000, "notes": str(notes)}
            async with aclosing(workshop.call("demo", "count", arguments)) as items:
                await anext(items)
                before = workshop.pid("demo")
            await until(lambda: words(notes) == ["closed"])
            await every(workshop, "orders_again")
            return before, workshop.pid("demo")

    with asyncio.Runner(loop_factory=loop) as runner:
        before, after = runner.run(scenario())

    assert before == after is not None


async def test_a_call_that_is_cancelled_between_steps_without_answers_ends(tmp_path: Path) -> None:
    notes = tmp_path / "notes"

    async with open_workshop() as workshop, asyncio.TaskGroup() as group:
        task = group.create_task(every(workshop, "pause", notes=str(notes)))
        await until(lambda: words(notes) == ["begun"])
        before = workshop.pid("demo")
        task.cancel()
        await asyncio.wait({task})
        await every(workshop, "orders_again")
        after = workshop.pid("demo")

    assert task.cancelled()
    assert before == after is not None


async def test_a_refusal_travels_with_its_class_words_and_parameter() -> None:
    async with open_workshop() as workshop:
        with pytest.raises(UpstreamError) as caught:
            await every(workshop, "refuse")

    error = caught.value
    assert error.failure is Failure.CALLER_FAULT
    assert (error.message, error.param) == ("that is no picture", "image")


async def test_a_bug_of_an_engine_tells_the_caller_its_sort_alone() -> None:
    async with open_workshop() as workshop:
        with pytest.raises(UpstreamError) as caught:
            await every(workshop, "fail")
        again = await every(workshop, "orders_again")

    assert caught.value.failure is Failure.UNKNOWN
    assert caught.value.message == "local: the demo engine failed: ValueError"
    assert again


async def test_too_many_waiting_calls_are_turned_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.sdk.workshop.bench._WAITING", 2)
    async with (
        open_workshop() as workshop,
        aclosing(workshop.call("demo", "count", {"to": 100})) as first,
        aclosing(workshop.call("demo", "count", {"to": 100})) as second,
    ):
        await anext(first)
        await anext(second)
        with pytest.raises(UpstreamError) as caught:
            await every(workshop, "orders_again")

    assert caught.value.failure is Failure.RATE_LIMIT
    assert caught.value.retry_after is not None


async def test_text_that_is_no_unicode_is_the_caller_s_fault() -> None:
    async with open_workshop() as workshop:
        with pytest.raises(UpstreamError) as caught:
            await every(workshop, "echo", text="\ud800")
        again = await every(workshop, "orders_again")

    assert caught.value.failure is Failure.CALLER_FAULT
    assert again

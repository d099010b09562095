"""The processes of engines: started, broken, idle, too large, ended."""

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from gateway.schema.failure import Failure
from gateway.sdk import UpstreamError
from tests.sdk.workshop.demo import (
    LOOPS,
    PACKAGE,
    PATIENCE_S,
    every,
    is_running,
    open_workshop,
    until,
    words,
)


@pytest.mark.parametrize("loop", LOOPS)
def test_an_engine_that_does_not_stop_is_killed_and_the_waiting_calls_get_a_new_one(
    loop: Callable[[], asyncio.AbstractEventLoop], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.sdk.workshop.hand._STOP_WITHIN_S", 0.05)
    notes = tmp_path / "notes"

    async def scenario() -> list[tuple[dict[str, Any], bytes]]:
        async with open_workshop() as workshop, asyncio.TaskGroup() as group:
            async with aclosing(workshop.call("demo", "hang", {"notes": str(notes)})) as items:
                await anext(items)
                pid = workshop.pid("demo")
                await until(lambda: words(notes) == ["hanging"])
                waiting = group.create_task(every(workshop, "orders_again"))
                await asyncio.sleep(0)
            answers = await waiting
            assert pid is not None
            assert not is_running(pid)
            return answers

    with asyncio.Runner(loop_factory=loop) as runner:
        answers = runner.run(scenario())

    assert answers == [({"greeting": "hello"}, b"")]


async def test_a_call_that_does_not_stop_is_given_time_while_others_have_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.sdk.workshop.hand._STOP_WITHIN_S", 0.01)
    monkeypatch.setattr("gateway.sdk.workshop.hand._PATIENCE", 10_000)
    notes, until_file = tmp_path / "notes", tmp_path / "until"

    async with (
        open_workshop() as workshop,
        aclosing(workshop.call("demo", "count", {"to": 100})) as other,
    ):
        await anext(other)
        pid = workshop.pid("demo")
        arguments = {"notes": str(notes), "until": str(until_file)}
        async with aclosing(workshop.call("demo", "wait", arguments)) as items:
            await anext(items)
            await until(lambda: words(notes) == ["waiting"])
        await asyncio.sleep(0.1)  # Ten times the time after which it would be killed alone.
        until_file.touch()
        rest = [facts["number"] async for facts, _ in other]
        after = workshop.pid("demo")

    assert rest == list(range(1, 100))
    assert pid == after is not None


async def test_a_crash_fails_the_calls_in_flight_and_the_next_ones_get_a_new_process() -> None:
    async with open_workshop() as workshop:
        await every(workshop, "orders_again")
        first = workshop.pid("demo")
        with pytest.raises(UpstreamError) as caught:
            await every(workshop, "die")
        await every(workshop, "orders_again")
        second = workshop.pid("demo")

    assert caught.value.failure is Failure.TRANSIENT
    assert first != second


async def test_missing_weights_are_told_in_the_engine_s_words() -> None:
    async with open_workshop() as workshop:
        with pytest.raises(UpstreamError) as caught:
            await every(workshop, "orders_again", "missing")

    assert caught.value.failure is Failure.NOT_READY
    assert caught.value.message == "local: the weights are not here"


async def test_a_refusal_of_a_class_that_is_none_is_unknown() -> None:
    async with open_workshop() as workshop:
        with pytest.raises(UpstreamError) as caught:
            await every(workshop, "orders_again", "odd")

    assert caught.value.failure is Failure.UNKNOWN


async def test_an_engine_that_takes_too_long_to_load_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("gateway.sdk.workshop.hand._START_WITHIN_S", 0.2)

    async with open_workshop() as workshop:
        with pytest.raises(UpstreamError) as caught:
            await every(workshop, "orders_again", "slow")

    assert caught.value.failure is Failure.NOT_READY


async def test_a_process_that_sends_no_frames_is_ended() -> None:
    async with open_workshop() as workshop:
        with pytest.raises(UpstreamError) as caught:
            await every(workshop, "garble")
        again = await every(workshop, "orders_again")

    assert caught.value.failure is Failure.TRANSIENT
    assert again


async def test_a_process_that_does_not_listen_any_more_is_killed_at_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("gateway.sdk.workshop.hand._KILL_AFTER_S", 0.1)

    async with open_workshop() as workshop:
        await every(workshop, "orders_again")
        pid = workshop.pid("demo")
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)

    assert not is_running(pid)


@pytest.mark.parametrize("engine", ["broken", "unheard_of"])
async def test_an_engine_that_cannot_be_loaded_says_no_paths(
    engine: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_workshop() as workshop:
        with pytest.raises(UpstreamError) as caught:
            await every(workshop, "orders_again", engine)

    assert caught.value.failure is Failure.NOT_READY
    assert caught.value.message.startswith(f"local: the {engine} engine cannot be loaded")
    assert "/a/path" not in caught.value.message
    assert "Error: " in caplog.text


async def test_an_idle_process_is_ended_and_the_next_call_starts_another() -> None:
    async with open_workshop(idle_s=0.05) as workshop:
        answers = await every(workshop, "hold", bytes=1, steps=20)
        await until(lambda: not is_running(answers[0][0]["pid"]))
        again = await every(workshop, "orders_again")

    assert again


async def test_calls_that_came_while_it_was_loaded_do_not_start_another_later() -> None:
    async with open_workshop(idle_s=0.05) as workshop:
        async with asyncio.TaskGroup() as group:
            group.create_task(every(workshop, "orders_again"))
            for _ in range(10):  # The first has asked for a process by then; none is there.
                await asyncio.sleep(0)
            group.create_task(every(workshop, "orders_again"))
        await until(lambda: workshop.pid("demo") is None)
        later = []
        for _ in range(25):  # A process takes a third of a second to start.
            await asyncio.sleep(0.02)
            later.append(workshop.pid("demo"))

    assert set(later) == {None}


async def test_a_process_over_its_memory_ends_after_the_calls_at_hand() -> None:
    limit = 200_000_000

    async with open_workshop(memory_bytes=limit) as workshop:
        answers = await every(workshop, "hold", bytes=limit, steps=50)
        pid = answers[0][0]["pid"]
        await until(lambda: not is_running(pid))
        await every(workshop, "orders_again")

    assert [facts["pid"] for facts, _ in answers] == [pid, pid]


async def test_a_process_over_twice_its_memory_is_ended_at_once() -> None:
    async with open_workshop(memory_bytes=50_000_000) as workshop:
        with pytest.raises(UpstreamError) as caught:
            await every(workshop, "hold", bytes=200_000_000, steps=1_000_000)

    assert caught.value.failure is Failure.TRANSIENT


@pytest.mark.parametrize("loop", LOOPS)
def test_no_process_outlives_the_workshop(loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    async def scenario() -> tuple[int | None, UpstreamError]:
        async with open_workshop() as workshop:
            await every(workshop, "orders_again")
            pid = workshop.pid("demo")
        with pytest.raises(UpstreamError) as caught:
            await every(workshop, "orders_again")
        return pid, caught.value

    with asyncio.Runner(loop_factory=loop) as runner:
        pid, error = runner.run(scenario())

    assert pid is not None
    assert not is_running(pid)
    assert error.failure is Failure.TRANSIENT


async def test_calls_that_wait_when_the_workshop_stops_are_told() -> None:
    async def ask() -> UpstreamError:
        with pytest.raises(UpstreamError) as caught:
            await every(workshop, "orders_again")
        return caught.value

    async with asyncio.TaskGroup() as group:
        async with open_workshop() as workshop:
            task = group.create_task(ask())
            await asyncio.sleep(0)
        error = await task

    assert error.failure is Failure.TRANSIENT


@pytest.fixture
def gateway_program(tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    """Run a parent that starts an engine, keeps it at work, and prints its process id."""
    program = tmp_path / "parent.py"
    program.write_text(
        textwrap.dedent(
            f"""
            import asyncio, logging
            from gateway.sdk.clock import SystemClock
            from gateway.sdk.workshop import Workshop

            async def main():
                shop = Workshop(
                    name="local",
                    package={PACKAGE!r},
                    orders={{}},
                    idle_s=60,
                    memory_bytes=1 << 30,
                    clock=SystemClock(),
                    log=logging.getLogger(),
                )
                async with asyncio.TaskGroup() as group:
                    group.create_task(shop.run())
                    async for _ in shop.call("demo", "hang", {{}}):
                        print(shop.pid("demo"), flush=True)

            asyncio.run(main())
            """
        ),
        "utf-8",
    )
    with subprocess.Popen(
        [sys.executable, str(program)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    ) as process:
        yield process
        process.kill()


def test_no_process_outlives_a_gateway_that_is_killed(
    gateway_program: "subprocess.Popen[str]",
) -> None:
    assert gateway_program.stdout is not None
    pid = int(gateway_program.stdout.readline())
    before = is_running(pid)

    gateway_program.send_signal(signal.SIGKILL)
    gateway_program.wait(PATIENCE_S)

    end = time.monotonic() + PATIENCE_S
    while is_running(pid) and time.monotonic() < end:
        time.sleep(0.02)
    assert (before, is_running(pid)) == (True, False)

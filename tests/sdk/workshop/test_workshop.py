"""The workshop: engines in processes of their own, called, cancelled, broken and ended."""

import asyncio
import io
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, asynccontextmanager
from logging import getLogger
from pathlib import Path
from queue import Queue
from threading import Event, Thread
from typing import Any

import pytest
import uvloop

from gateway.background import Background
from gateway.schema.failure import Failure
from gateway.sdk import UpstreamError
from gateway.sdk.clock import SystemClock
from gateway.sdk.workshop import Workshop
from gateway.sdk.workshop.frames import WINDOW, FrameError, pack, read
from gateway.sdk.workshop.worker import Desk

PATIENCE_S = 30.0
PACKAGE = "made_for_workshop_tests"
ENGINE = textwrap.dedent(
    """
    import os, sys, time
    from gateway.sdk.workshop import EngineRefusal

    class Engine:
        def __init__(self, orders):
            self.orders = orders

        def orders_again(self, arguments, blobs):
            print("libraries print")
            return self.orders, b""

        def echo(self, arguments, blobs):
            for blob in blobs:
                yield {**arguments, "pid": os.getpid()}, blob

        def count(self, arguments, blobs):
            try:
                for number in range(arguments["to"]):
                    yield {"number": number}, b""
            finally:
                note(arguments, "closed")

        def pause(self, arguments, blobs):
            note(arguments, "begun")
            while True:
                time.sleep(0.01)
                yield None

        def wait(self, arguments, blobs):
            yield {}, b""
            note(arguments, "waiting")
            while not os.path.exists(arguments["until"]):
                time.sleep(0.01)
            yield {}, b""

        def hang(self, arguments, blobs):
            yield {}, b""
            note(arguments, "hanging")
            time.sleep(600)

        def hold(self, arguments, blobs):
            self.held = b"1" * arguments["bytes"]
            yield {"pid": os.getpid()}, b""
            for _ in range(arguments["steps"]):
                time.sleep(0.01)
                yield None
            yield {"pid": os.getpid()}, b""

        def refuse(self, arguments, blobs):
            raise EngineRefusal("caller_fault", "that is no picture", "image")

        def fail(self, arguments, blobs):
            yield {}, b""
            raise ValueError("secret words of a caller")

        def garble(self, arguments, blobs):
            yield {}, b""
            for fd in range(3, 20):
                try:
                    os.write(fd, b"\\xff" * 8)
                except OSError:
                    pass
            yield None

        def die(self, arguments, blobs):
            yield {}, b""
            os._exit(3)

    def note(arguments, word):
        if "notes" in arguments:
            with open(arguments["notes"], "a") as file:
                file.write(word + "\\n")

    def load(orders):
        if orders.get("weights") == "missing":
            raise EngineRefusal("not_ready", "the weights are not here")
        if orders.get("weights") == "slow":
            time.sleep(600)
        if orders.get("weights") == "odd":
            raise EngineRefusal("no such class", "this engine is odd")
        if orders.get("weights") == "broken":
            raise OSError("/a/path/of/this/machine")
        return Engine(orders)
    """
)
LOOPS: list[Callable[[], asyncio.AbstractEventLoop]] = [
    asyncio.new_event_loop,
    uvloop.new_event_loop,
]


@pytest.fixture(autouse=True)
def engines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a package of engines that the worker can import."""
    folder = tmp_path / "path" / PACKAGE
    folder.mkdir(parents=True)
    (folder / "__init__.py").touch()
    for name in ("demo", "missing", "broken", "slow", "odd"):
        (folder / f"{name}.py").write_text(ENGINE, "utf-8")
    monkeypatch.syspath_prepend(folder.parent)
    monkeypatch.setattr("gateway.sdk.workshop.bench._PAUSE_MIN_S", 0.01)
    monkeypatch.setattr("gateway.sdk.workshop.bench._LOOK_S", 0.02)


@asynccontextmanager
async def open_workshop(
    *, idle_s: float = 60.0, memory_bytes: int = 1 << 30
) -> AsyncGenerator[Workshop]:
    orders = {
        "demo": {"greeting": "hello"},
        "missing": {"weights": "missing"},
        "broken": {"weights": "broken"},
        "slow": {"weights": "slow"},
        "odd": {"weights": "odd"},
    }
    workshop = Workshop(
        name="local",
        package=PACKAGE,
        orders=orders,
        idle_s=idle_s,
        memory_bytes=memory_bytes,
        clock=SystemClock(),
        log=getLogger("dynagate.test"),
    )
    background = Background()
    stop = background.start("workshop", workshop.run())
    try:
        yield workshop
    finally:
        stop()
        await workshop.stopped()
        await background.aclose()


async def every(
    workshop: Workshop, method: str, engine: str = "demo", **arguments: Any
) -> list[tuple[dict[str, Any], bytes]]:
    async with aclosing(workshop.call(engine, method, arguments)) as items:
        return [item async for item in items]


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def until(happened: Callable[[], bool]) -> None:
    """Wait for what has no event: a file that is written, a process that ends."""
    async with asyncio.timeout(PATIENCE_S):
        while not happened():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


def words(notes: Path) -> list[str]:
    return notes.read_text("utf-8").split() if notes.exists() else []


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


class Steps:
    """An engine whose steps wait for the test."""

    def __init__(self) -> None:
        self.begun, self.go, self.closed = Event(), Event(), Event()

    def slow(self, arguments: dict[str, Any], blobs: list[bytes]) -> Iterator[Any]:
        try:
            while True:
                self.begun.set()
                assert self.go.wait(PATIENCE_S)
                yield None
        finally:
            self.closed.set()

    def closing_badly(self, arguments: dict[str, Any], blobs: list[bytes]) -> Iterator[Any]:
        try:
            while True:
                yield {}, b""
        finally:
            raise RuntimeError

    def plain(self, arguments: dict[str, Any], blobs: list[bytes]) -> tuple[Any, bytes]:
        return arguments, b"".join(blobs)


@pytest.fixture
def desk() -> Iterator[tuple[Desk, Steps, "Queue[tuple[Any, ...]]"]]:
    """Run a desk as the worker does, in a thread of this process."""
    sent: Queue[tuple[Any, ...]] = Queue()
    desk, engine = Desk(lambda header, *blobs: sent.put((header, *blobs))), Steps()
    thread = Thread(target=desk.serve, args=(engine,))
    thread.start()
    yield desk, engine, sent
    engine.go.set()
    desk.close()
    thread.join(PATIENCE_S)
    assert not thread.is_alive()


def call(number: int, method: str, **arguments: Any) -> dict[str, Any]:
    return {"call": number, "method": method, "arguments": arguments}


def test_a_waiting_call_is_cancelled_at_once_while_another_is_at_work(
    desk: tuple[Desk, Steps, "Queue[tuple[Any, ...]]"],
) -> None:
    board, engine, sent = desk
    board.take(call(1, "slow"), [])
    board.take(call(2, "plain"), [])
    assert engine.begun.wait(PATIENCE_S)

    board.take({"cancel": 2}, [])
    while_at_work = [sent.get(timeout=PATIENCE_S) for _ in range(2)]
    board.take({"cancel": 1}, [])
    engine.go.set()
    last = sent.get(timeout=PATIENCE_S)

    assert while_at_work == [({"call": 1, "begun": True},), ({"call": 2, "done": True},)]
    assert last == ({"call": 1, "done": True},)
    assert engine.closed.is_set()


def test_a_generator_that_closes_badly_harms_nobody(
    desk: tuple[Desk, Steps, "Queue[tuple[Any, ...]]"],
) -> None:
    board, _, sent = desk
    board.take(call(1, "closing_badly"), [])
    for _ in range(1 + WINDOW):
        sent.get(timeout=PATIENCE_S)

    board.take({"cancel": 1}, [])
    board.take({"cancel": 1}, [])
    board.take({"more": 1}, [])
    board.take(call(2, "plain", name="Zoë"), [b"a", b"b"])
    rest = [sent.get(timeout=PATIENCE_S) for _ in range(4)]

    assert rest == [
        ({"call": 1, "done": True},),
        ({"call": 2, "begun": True},),
        ({"call": 2, "item": {"name": "Zoë"}}, b"ab"),
        ({"call": 2, "done": True},),
    ]


def test_frames_that_break_off_end_and_others_are_no_frames() -> None:
    whole = pack({"call": 1}, [b"blob", b""])

    assert read(io.BytesIO(whole)) == ({"call": 1}, [b"blob", b""])
    assert [read(io.BytesIO(whole[:size])) for size in range(len(whole))] == [None] * len(whole)
    for wrong in (b"\xff" * 8, b"\0\0\0\2\0\0\0\0[]"):
        with pytest.raises(FrameError):
            read(io.BytesIO(wrong))


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

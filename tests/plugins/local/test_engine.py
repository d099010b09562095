"""The supervised worker: waited for, restarted, replaced, ended."""

import asyncio
import os
import signal
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.schema.chat import ChatRequest, Message, Sampling, TextPart
from gateway.schema.failure import Failure
from gateway.sdk import Attempt, UpstreamError
from gateway.sdk.clock import SystemClock
from gateway.testing.deps import make_deps
from gateway_local import connect
from gateway_local.catalogue import TINY_ID, catalogue, models_dir
from gateway_local.engine import Endpoint, Engine
from gateway_local.provider import Local
from gateway_local.settings import LocalSettings
from gateway_local.shelf import Shelf

CLOCK = SystemClock()
PATIENCE_S = 30.0
# Two threads that wait for each other on two busy cores are slower than one.
ONE_THREAD = {"threads": 1, "prompt_threads": 1, "context": 2048}


def put(weights_dir: Path, cache_dir: Path) -> Path:
    """Let the tiny weights lie in `cache_dir` too."""
    entry = catalogue().by_id()[TINY_ID]
    models_dir(cache_dir).mkdir(parents=True, exist_ok=True)
    entry.place(cache_dir).symlink_to(entry.place(weights_dir))
    return entry.place(cache_dir)


def request(tokens: int = 4) -> ChatRequest:
    return ChatRequest(
        "chat",
        (Message("user", (TextPart("Count to a thousand."),)),),
        Sampling(temperature=0.0, max_output_tokens=tokens),
    )


def attempt(patience_s: float = PATIENCE_S) -> Attempt:
    return Attempt("request", 1, CLOCK.monotonic() + patience_s)


async def ask(provider: Local) -> str:
    async with aclosing(provider.chat(request(), attempt())) as events:
        return "".join([event.text async for event in events if hasattr(event, "text")])


@asynccontextmanager
async def local(
    folder: Path,
    **settings: Any,  # Any: what a configuration may hold.
) -> AsyncGenerator[Local]:
    chosen = LocalSettings.model_validate({"model": TINY_ID, **ONE_THREAD, **settings})
    async with (
        make_deps("local", folder, clock=CLOCK) as deps,
        connect(chosen, deps) as provider,
    ):
        yield provider


@asynccontextmanager
async def running(weights_dir: Path, **settings: Any) -> AsyncGenerator[Engine]:
    """Run an engine of which nobody but the test asks."""
    chosen = LocalSettings.model_validate({"model": TINY_ID, **ONE_THREAD, **settings})
    shelf = Shelf(chosen, weights_dir)
    async with make_deps("local", weights_dir / "unused", clock=CLOCK) as deps:
        engine = Engine(chosen, shelf, clock=CLOCK, log=deps.log)
        stop = deps.background.start("engine", engine.run())
        try:
            yield engine
        finally:
            stop()
            await engine.stopped()


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def ready(engine: Engine) -> Endpoint:
    return await engine.ready(CLOCK.monotonic() + PATIENCE_S)


async def test_requests_wait_for_the_model_while_it_loads(
    weights_dir: Path, tmp_path: Path
) -> None:
    put(weights_dir, tmp_path / "cache")

    async with local(tmp_path) as provider:
        answers = await asyncio.gather(ask(provider), ask(provider))

    assert all(answers)


async def test_a_request_gives_up_at_its_deadline_while_the_model_loads(
    weights_dir: Path, tmp_path: Path
) -> None:
    put(weights_dir, tmp_path)

    async with running(tmp_path) as engine:
        with pytest.raises(UpstreamError) as caught:
            await engine.ready(CLOCK.monotonic())

    assert caught.value.failure is Failure.TIMEOUT


async def test_a_dead_worker_is_started_again(weights_dir: Path, tmp_path: Path) -> None:
    put(weights_dir, tmp_path)

    async with running(tmp_path, restart_min_s=0.01) as engine:
        first = await ready(engine)
        os.kill(first.pid, signal.SIGKILL)
        async with asyncio.timeout(PATIENCE_S):
            while engine.endpoint is first:  # noqa: ASYNC110 - the end of a process has no event
                await asyncio.sleep(0.01)
        second = await ready(engine)

    assert second.pid != first.pid
    assert second.key != first.key
    assert second.key not in repr(second)


async def test_a_call_that_loses_its_worker_may_be_tried_elsewhere(
    weights_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(weights_dir, tmp_path / "cache")
    pids: list[int] = []
    ready_of_old = Engine.ready

    async def noted(engine: Engine, deadline: float) -> Endpoint:
        endpoint = await ready_of_old(engine, deadline)
        pids.append(endpoint.pid)
        return endpoint

    monkeypatch.setattr(Engine, "ready", noted)
    async with (
        local(tmp_path, restart_min_s=0.01) as provider,
        aclosing(provider.chat(request(tokens=900), attempt())) as events,
    ):
        await anext(events)
        os.kill(pids[0], signal.SIGKILL)
        with pytest.raises(UpstreamError) as caught:
            async for _ in events:
                pass
        again = await ask(provider)

    assert caught.value.failure is Failure.TRANSIENT
    assert again


async def test_no_worker_outlives_its_provider(weights_dir: Path, tmp_path: Path) -> None:
    put(weights_dir, tmp_path)

    async with running(tmp_path) as engine:
        pid = (await ready(engine)).pid
        before = is_running(pid)

    assert (before, is_running(pid)) == (True, False)


async def test_a_worker_that_does_not_listen_any_more_is_killed(
    weights_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway_local.engine._KILL_AFTER_S", 0.1)
    put(weights_dir, tmp_path)

    async with running(tmp_path) as engine:
        pid = (await ready(engine)).pid
        os.kill(pid, signal.SIGSTOP)

    assert not is_running(pid)


async def test_a_stopped_engine_says_so(weights_dir: Path, tmp_path: Path) -> None:
    put(weights_dir, tmp_path)
    async with running(tmp_path) as engine:
        await ready(engine)

    with pytest.raises(UpstreamError, match="has been stopped"):
        await ready(engine)


async def test_a_worker_that_was_doubted_for_nothing_is_offered_again(
    weights_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway_local.engine._DOUBT_S", 0.05)
    put(weights_dir, tmp_path)

    async with running(tmp_path) as engine:
        first = await ready(engine)
        engine.doubt(first)
        while_doubted = engine.endpoint
        second = await ready(engine)

    assert while_doubted is None
    assert second is first


async def test_without_weights_calls_say_what_to_do_until_the_weights_appear(
    weights_dir: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with local(tmp_path) as provider:
        with pytest.raises(UpstreamError, match="dynagate models pull") as caught:
            await ask(provider)
        # Until the engine has looked, too: only its log says so.
        while "not on this machine" not in caplog.text:  # noqa: ASYNC110
            await asyncio.sleep(0)
        put(weights_dir, tmp_path / "cache")
        answer = await ask(provider)

    assert caught.value.failure is Failure.NOT_READY
    assert answer


async def test_a_smaller_tier_stands_in_and_the_card_says_so(
    weights_dir: Path, tmp_path: Path
) -> None:
    put(weights_dir, tmp_path / "cache")

    async with local(tmp_path, model="qwen2.5-coder-1.5b") as provider:
        before = provider.card("chat")
        answer = await ask(provider)
        card = provider.card("chat")

    assert answer
    assert before.tools is True
    assert card.tools is False
    assert "in place of qwen2.5-coder-1.5b" in str(card.description)


async def test_any_gguf_of_the_user_s_can_be_run(weights_dir: Path, tmp_path: Path) -> None:
    own = put(weights_dir, tmp_path / "elsewhere").rename(tmp_path / "own.gguf")

    async with local(tmp_path, path=own) as provider:
        answer = await ask(provider)
        card = provider.card("chat")

    assert answer
    assert str(card.description).startswith("own, run on this machine.")
    assert (card.tools, card.licence) == (None, None)


async def test_a_path_without_a_file_is_said(tmp_path: Path) -> None:
    async with local(tmp_path, path=tmp_path / "gone.gguf") as provider:
        with pytest.raises(UpstreamError, match=r"there is no file gone\.gguf"):
            await ask(provider)


async def test_a_file_that_is_no_model_fails_calls_at_once(tmp_path: Path) -> None:
    (tmp_path / "bad.gguf").write_bytes(b"GGUF" + bytes(1000))

    async with local(tmp_path, path=tmp_path / "bad.gguf", restart_min_s=30) as provider:
        with pytest.raises(UpstreamError, match=r"bad\.gguf cannot be loaded") as caught:
            await ask(provider)
        with pytest.raises(UpstreamError, match="cannot be loaded"):
            await ask(provider)

    assert caught.value.failure is Failure.NOT_READY


async def test_a_start_that_takes_too_long_is_given_up(weights_dir: Path, tmp_path: Path) -> None:
    put(weights_dir, tmp_path / "cache")

    async with local(tmp_path, start_timeout_s=0.01, restart_min_s=30) as provider:
        with pytest.raises(UpstreamError, match=r"no answer in 0\.01 s"):
            await ask(provider)


async def test_an_engine_that_never_ran_is_left_at_once(tmp_path: Path) -> None:
    settings = LocalSettings(model=TINY_ID)
    async with make_deps("local", tmp_path, clock=CLOCK) as deps:
        engine = Engine(settings, Shelf(settings, tmp_path), clock=CLOCK, log=deps.log)
        stop = deps.background.start("engine", engine.run())
        stop()

        await engine.stopped()

    assert engine.endpoint is None

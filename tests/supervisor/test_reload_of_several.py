"""Two workers and their host whose file changes: all of them swap, or none."""

import asyncio
import os
import signal
from collections.abc import Iterator

import aiohttp
import pytest

from tests.cli.command_line import CommandLine
from tests.registry.distributions import install
from tests.supervisor.several import Several, running, until
from tests.supervisor.test_reload import (
    BROKEN,
    ONE,
    SECRET,
    STREAMS,
    Caller,
    log_of,
    with_model,
    write,
)

pytestmark = pytest.mark.slow
TWO = ONE.replace("workers: 1", "workers: 2")
CLAIMING = """
import os
from contextlib import asynccontextmanager
from gateway.sdk import ProviderKind, hookimpl
from gateway_chaos.provider import Chaos, ChaosSettings

@asynccontextmanager
async def connect(settings, deps):
    deps.state_dir.mkdir(parents=True, exist_ok=True)
    claim = deps.state_dir / "claimed"
    with claim.open("x"):
        pass
    try:
        yield Chaos(settings)
    finally:
        claim.unlink()

@hookimpl
def gateway_provider_kinds():
    return [ProviderKind(name="claiming", settings=ChaosSettings, connect=connect)]
"""
"""A kind that only one process can be connected to at a time."""


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[CommandLine, Several]]:
    """A gateway of two workers for the tests of this file, and its command line."""
    folder = tmp_path_factory.mktemp("two")
    for name in ("here", "site"):
        (folder / name).mkdir()
    dynagate = CommandLine(folder / "here", folder / "site")
    install(dynagate.site, "claiming-kind", {"claiming": CLAIMING})
    with running(dynagate, TWO) as gateway:
        yield dynagate, gateway


def client() -> aiohttp.ClientSession:
    """Return a client with a connection for each call, so that both workers are asked."""
    connector = aiohttp.TCPConnector(limit=0, force_close=True)
    return aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=60))


async def everywhere(caller: Caller, model: str) -> set[int]:
    """Return the statuses of so many calls that both workers have had some."""
    return set(await asyncio.gather(*(caller.status(model) for _ in range(30))))


async def test_streams_end_and_no_call_fails_while_files_are_read(
    two: tuple[CommandLine, Several],
) -> None:
    dynagate, gateway = two
    async with client() as session:
        caller = Caller(gateway, session)
        before = (await caller.admin("GET", "/admin/config"))["generation"]
        async with asyncio.TaskGroup() as group:
            streams = [group.create_task(caller.stream("some")) for _ in range(STREAMS)]
            await asyncio.to_thread(until, lambda: caller.begun == STREAMS)
            for number, text in enumerate(BROKEN.values()):
                dynagate.write(text)
                refused = await caller.admin("POST", "/admin/reload")
                assert refused["error"]["code"] == "invalid_configuration", refused
                write(dynagate, gateway, with_model(TWO, f"new{number}"))
                taken = await caller.admin("POST", "/admin/reload")
                assert taken["generation"] == before + number + 1
                assert await everywhere(caller, f"new{number}") == {200}
            assert all(await asyncio.gather(*streams))
        ready = await caller.admin("GET", "/health/readiness")
        assert ready["configuration"] == {"generation": before + 6, "reload_failed": False}
        text = await (await session.get(f"{gateway.admin_url}/metrics")).text()
        assert f"dynagate_config_generation {before + 6}.0" in text


async def test_what_one_process_cannot_do_none_does(two: tuple[CommandLine, Several]) -> None:
    dynagate, gateway = two
    provider = "  claimed: {{kind: claiming}}\nmodels:\n"
    model = "  claimed: {{targets: [{{provider: claimed, model: echo}}]}}\n"
    write(dynagate, gateway, TWO.replace("models:\n", provider) + model)
    async with client() as session:
        caller = Caller(gateway, session)
        before = (await caller.admin("GET", "/admin/config"))["generation"]

        refused = await caller.admin("POST", "/admin/reload")

        (problem,) = refused["error"]["details"]["problems"]
        assert problem["key"] == "providers.claimed"
        assert "FileExistsError" in problem["message"]
        assert await everywhere(caller, "claimed") == {404}
        standing = await caller.admin("GET", "/admin/config")
        assert standing["generation"] == before
        assert standing["last_failed"]["problems"] == [problem]
        claims = dynagate.folder / ".local/state/dynagate/providers/claimed/claimed"
        await asyncio.to_thread(until, lambda: not claims.exists())


async def test_an_engine_that_is_new_runs_in_the_host_for_both(
    two: tuple[CommandLine, Several],
) -> None:
    dynagate, gateway = two
    provider = "  second: {{kind: engine}}\nmodels:\n"
    model = "  second: {{targets: [{{provider: second, model: pid}}]}}\n"
    write(dynagate, gateway, TWO.replace("models:\n", provider) + model)
    gateway.process.send_signal(signal.SIGHUP)
    await asyncio.to_thread(until, lambda: "added models.second" in log_of(dynagate))

    async with client() as session:
        document = {"model": "second", "messages": [{"role": "user", "content": "x"}]}
        url = f"{gateway.url}/v1/chat/completions"
        said = set()
        for _ in range(16):
            async with session.post(url, json=document) as answer:
                said.add((await answer.json())["choices"][0]["message"]["content"])

    assert said == {str(gateway.host)}


async def test_whoever_is_started_again_has_the_newest(two: tuple[CommandLine, Several]) -> None:
    dynagate, gateway = two
    write(dynagate, gateway, with_model(TWO, "newest"))
    async with client() as session:
        caller = Caller(gateway, session)
        generation = (await caller.admin("POST", "/admin/reload"))["generation"]
        old = [*gateway.workers, gateway.host]

        for pid in old:
            os.kill(pid, signal.SIGKILL)

        def are_back() -> bool:
            log = log_of(dynagate)
            return all(f"{name} is back" in log for name in ("worker 1", "worker 2", "host"))

        await asyncio.to_thread(until, are_back)
        assert await everywhere(caller, "newest") == {200}
        assert (await caller.admin("GET", "/admin/config"))["generation"] == generation
        write(dynagate, gateway, with_model(TWO, "after"))
        await caller.admin("POST", "/admin/reload")
        assert await everywhere(caller, "after") == {200}


async def test_a_signal_to_a_worker_is_nothing_to_it(two: tuple[CommandLine, Several]) -> None:
    _, gateway = two
    workers = gateway.workers

    for pid in workers:
        os.kill(pid, signal.SIGHUP)

    async with client() as session:
        assert await everywhere(Caller(gateway, session), "echo") == {200}
    assert gateway.workers == workers


async def test_a_trial_says_what_would_change_and_changes_nothing(
    two: tuple[CommandLine, Several],
) -> None:
    dynagate, gateway = two
    write(dynagate, gateway, with_model(TWO, "tried"))
    async with client() as session:
        caller = Caller(gateway, session)

        told = await caller.admin("POST", "/admin/reload?dry_run=true")

        assert "models.tried" in [one["key"] for one in told["changes"]]
        assert SECRET not in str(told)
        assert await everywhere(caller, "tried") == {404}


async def test_a_model_that_is_new_at_an_engine_has_its_card_in_each_worker(
    two: tuple[CommandLine, Several],
) -> None:
    dynagate, gateway = two
    target = "{{{{targets: [{{{{provider: {}, model: words:4}}}}]}}}}\n"
    more = f"  near: {target.format('chaos')}  far: {target.format('engine')}"
    write(dynagate, gateway, TWO + more)
    async with client() as session:
        caller = Caller(gateway, session)
        taken = await caller.admin("POST", "/admin/reload")
        assert {one["key"] for one in taken["changes"]} >= {"models.near", "models.far"}

        async def card(name: str) -> dict[str, object]:
            async with session.get(f"{gateway.url}/v1/models/{name}") as answer:
                told = await answer.json()
            return {key: told[key] for key in told.keys() - {"id", "name", "provider", "owned_by"}}

        near = await card("near")
        assert near["description"]
        assert all([await card("far") == near for _ in range(8)])

"""A file that is read again while callers are answered."""

import asyncio
import gc
from pathlib import Path
from typing import Any

import pytest

from gateway.config.load import load
from gateway.pipeline.call import Services
from gateway.registry import Registry, configured_providers
from gateway.schema.failure import Failure
from gateway.snapshots.connections import Connection
from gateway.testing.http_wire import UpstreamRequest
from gateway.testing.script import stream
from gateway.testing.upstream import FakeUpstream, reply, status
from gateway.web.snapshot import Snapshot
from tests.contract.administering import administer
from tests.contract.asking import Asker, assert_refused, gate_of
from tests.contract.conftest import Begin
from tests.contract.reloading import RELOAD, Reloadable, reloadable
from tests.web.raw_http import becomes

OTHER_KEY = "sk-another-key-0123456789"
BROKEN = {
    "syntax": ("providers: {up: [", "config.yaml:1:18", ""),
    "an unknown key": ("provders: {}\n", "config.yaml:1:1", "provders"),
    "a tag": ("providers: !!python/object:os.system {}\n", "config.yaml:1:12", "providers"),
    "a variable that is not set": (
        "logs: {level: '${NOT_SET}'}\n",
        "config.yaml:1:15",
        "logs.level",
    ),
    "a provider that is not there": (
        "providers: {c: {kind: chaos}}\nmodels: {m: {targets: [{provider: d, model: echo}]}}\n",
        "config.yaml:2:35",
        "models.m.targets.0.provider",
    ),
    "nothing": ("", "config.yaml:1:1", "providers"),
}


@pytest.fixture
async def gateway_file(begin: Begin, upstream: FakeUpstream, tmp_path: Path) -> Reloadable:
    """A gateway whose file can be changed."""
    return await reloadable(begin, upstream, tmp_path)


async def test_a_model_that_is_added_answers_and_one_that_is_removed_does_not(
    gateway_file: Reloadable,
) -> None:
    caller = gateway_file.caller
    new = {"new": {"targets": [{"provider": "chaos", "model": "echo"}]}}

    added = await gateway_file.reloaded(models=new)
    assert (await caller.chat(model="new")).status == 200
    removed = await gateway_file.reloaded()

    assert added["changes"] == [{"what": "added", "key": "models.new", "was": None, "now": None}]
    assert removed["changes"][0]["what"] == "removed"
    assert (added["generation"], removed["generation"]) == (2, 3)
    assert_refused(await caller.chat(model="new"), 404, "model_not_found")
    listed = (await caller.get("/v1/models")).json()["data"]
    assert "new" not in {one["id"] for one in listed}


async def test_a_change_shows_what_it_was_and_is(gateway_file: Reloadable) -> None:
    told = await gateway_file.reloaded(deadlines={"total_s": 30}, up={"concurrent": 3})

    assert told["changes"] == [
        {"what": "changed", "key": "deadlines.total_s", "was": 600.0, "now": 30.0},
        {"what": "changed", "key": "providers.up.concurrent", "was": 64, "now": 3},
    ]


@pytest.mark.parametrize("what", BROKEN)
async def test_a_broken_file_changes_nothing_and_says_where_it_is_wrong(
    gateway_file: Reloadable, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    text, place, key = BROKEN[what]
    caller = gateway_file.caller
    services = caller.gateway.gateway.serving.services
    gateway_file.write(text)

    refused = await gateway_file.reload()

    error = assert_refused(refused, 400, "invalid_configuration")
    problem = error["details"]["problems"][0]
    assert problem["place"].endswith(place), problem
    assert problem["key"] == key
    assert caller.gateway.gateway.serving.services is services
    assert (await caller.chat()).status == 200
    told = await gateway_file.told()
    assert (told["generation"], told["last_failed"]["problems"][0]) == (1, problem)


async def test_a_failed_reload_is_seen_by_who_watches_until_a_good_one(
    gateway_file: Reloadable,
) -> None:
    async def shown() -> tuple[Any, ...]:
        metrics = (await administer(gateway_file.caller, "GET", "/metrics")).text
        ready = (await gateway_file.caller.get("/readyz")).json()["configuration"]
        named = dict(
            line.split() for line in metrics.splitlines() if "dynagate_config_" in line[:16]
        )
        return (
            float(named["dynagate_config_generation"]),
            float(named["dynagate_config_reload_failed"]),
            ready,
        )

    gateway_file.write("{")
    await gateway_file.reload()
    assert await shown() == (1, 1, {"generation": 1, "reload_failed": True})

    await gateway_file.reloaded(deadlines={"total_s": 30})

    assert await shown() == (2, 0, {"generation": 2, "reload_failed": False})
    assert (await gateway_file.told())["last_failed"] is None


@pytest.mark.parametrize(
    ("sections", "key"),
    [
        ({"server": {"port": 1234}}, "server.port"),
        ({"server": {"bounds": {"body_bytes": 2048}}}, "server.bounds.body_bytes"),
        ({"state": {"url": "sqlite:///$XDG_STATE_HOME/dynagate/other.sqlite"}}, "state.url"),
        ({"feeds": {"enabled": False}}, "feeds.enabled"),
    ],
)
async def test_what_needs_a_restart_is_refused_by_name_with_all_else(
    gateway_file: Reloadable, sections: dict[str, Any], key: str
) -> None:
    gateway_file.change(**sections, deadlines={"total_s": 30})

    error = assert_refused(await gateway_file.reload(), 400, "invalid_configuration")

    (problem,) = error["details"]["problems"]
    assert problem["key"] == key
    assert "restart" in problem["message"]
    document = gateway_file.caller.gateway.gateway.serving.services.document
    assert document.deadlines.total_s == 600


async def test_a_trial_says_what_would_change_and_changes_nothing(gateway_file: Reloadable) -> None:
    gateway_file.change(deadlines={"total_s": 30})

    told = (await gateway_file.reload("?dry_run=true")).json()
    gateway_file.write("{")
    refused = await gateway_file.reload("?dry_run=true")

    assert [one["key"] for one in told["changes"]] == ["deadlines.total_s"]
    assert (told["generation"], told["is_dry_run"]) == (1, True)
    assert_refused(refused, 400, "invalid_configuration")
    assert (await gateway_file.told())["last_failed"] is None


async def test_a_file_that_says_the_same_is_no_new_generation(gateway_file: Reloadable) -> None:
    before = gateway_file.caller.gateway.gateway.serving.snapshot

    told = (await gateway_file.reload()).json()

    assert (told["generation"], told["changes"]) == (1, [])
    assert gateway_file.caller.gateway.gateway.serving.snapshot is before


async def test_a_secret_that_changes_is_used_and_never_told(
    gateway_file: Reloadable, capfd: pytest.CaptureFixture[str]
) -> None:
    settings = {"base_url": gateway_file.upstream.url, "api_key": OTHER_KEY}

    told = await gateway_file.reloaded(up={"settings": settings})
    await gateway_file.caller.chat()

    key = "providers.up.settings.api_key"
    assert told["changes"] == [{"what": "changed", "key": key, "was": None, "now": None}]
    assert gateway_file.upstream.requests[-1].headers["authorization"] == f"Bearer {OTHER_KEY}"
    redact = gateway_file.caller.gateway.gateway.serving.services.redact
    assert redact(f"it is {OTHER_KEY}") == "it is [redacted]"
    assert redact("it is sk-canary-upstream") == "it is [redacted]"
    assert OTHER_KEY not in capfd.readouterr().err


async def test_a_provider_whose_section_is_the_same_is_not_connected_again(
    gateway_file: Reloadable,
) -> None:
    serving = gateway_file.caller.gateway.gateway.serving
    before = serving.snapshot.connected

    await gateway_file.reloaded(up={"concurrent": 3}, chat={}, deadlines={"total_s": 30})

    after = serving.snapshot.connected
    assert after["up"].provider is before["up"].provider
    assert after["up"].gate is before["up"].gate


async def test_a_stream_ends_on_the_provider_it_began_with(
    gateway_file: Reloadable, second: FakeUpstream
) -> None:
    caller, going_on = gateway_file.caller, asyncio.Event()
    gateway_file.upstream.will(stream("one", " two", hold=going_on))
    document = {"model": "openai", "stream": True, "messages": [{"role": "user", "content": "hi"}]}
    url = f"{caller.gateway.url}/v1/chat/completions"
    async with caller.session.post(url, json=document) as answer:
        first = await answer.content.readuntil(b"one")

        settings = {"base_url": second.url, "api_key": OTHER_KEY}
        await gateway_file.reloaded(up={"settings": settings})
        assert (await caller.chat()).status == 200
        assert len(second.requests) == 1
        assert caller.gateway.gateway.snapshots.old == 1
        going_on.set()
        rest = await answer.content.read()

    assert b"two" in first + rest
    assert b"data: [DONE]" in rest
    await gateway_file.upstream.wait_closed()
    await becomes(lambda: caller.gateway.gateway.snapshots.old == 0)


async def test_places_at_a_provider_are_counted_on_over_a_reload(gateway_file: Reloadable) -> None:
    await gateway_file.reloaded(up={"concurrent": 1, "queue": 0})
    going_on = asyncio.Event()
    gateway_file.upstream.will(stream("slow", "ly", hold=going_on))
    async with asyncio.TaskGroup() as group:
        slow = group.create_task(gateway_file.caller.chat(stream=True))
        await gateway_file.upstream.wait_requests(1)
        settings = {"base_url": gateway_file.upstream.url, "api_key": OTHER_KEY}

        await gateway_file.reloaded(up={"concurrent": 1, "queue": 0, "settings": settings})

        assert_refused(await gateway_file.caller.chat(), 503, "unavailable")
        await gateway_file.reloaded(up={"concurrent": 2, "queue": 0, "settings": settings})
        assert (await gateway_file.caller.chat()).status == 200
        going_on.set()
    assert slow.result().status == 200
    assert gate_of(gateway_file.caller.gateway).in_flight == 0


async def test_what_a_caller_has_used_is_counted_on_over_a_reload(gateway_file: Reloadable) -> None:
    first = await gateway_file.caller.chat()

    await gateway_file.reloaded(limits={"anonymous": {"requests": "50/hour"}})

    second = await gateway_file.caller.chat()
    assert first.headers["X-RateLimit-Remaining"] == "99"
    assert second.headers["X-RateLimit-Remaining"] == "48"


async def test_an_open_target_stays_open_and_is_probed_once_its_provider_is_another(
    gateway_file: Reloadable,
) -> None:
    health = gateway_file.caller.gateway.gateway.serving.services.health
    target = health.of("up/upstream-model")
    for _ in range(health.settings.failures):
        target.failed(target.epoch, Failure.CREDENTIAL)

    await gateway_file.reloaded(deadlines={"total_s": 30})
    assert target.told()["state"] == "open"
    assert_refused(await gateway_file.caller.chat(), 503, "unavailable")
    settings = {"base_url": gateway_file.upstream.url, "api_key": OTHER_KEY}
    await gateway_file.reloaded(up={"settings": settings})

    assert (await gateway_file.caller.chat()).status == 200
    assert health.of("up/upstream-model") is target
    assert target.told()["state"] == "closed"


async def test_who_looks_at_targets_is_the_provider_in_force_after_a_reload_that_came_to_nothing(
    gateway_file: Reloadable,
) -> None:
    gateway = gateway_file.caller.gateway.gateway
    settings = {"base_url": gateway_file.upstream.url, "api_key": OTHER_KEY}
    gateway_file.change(up={"settings": settings})
    loaded = load(gateway_file.file, {})
    providers = configured_providers(loaded, Registry.discover())

    def looks() -> object:
        probe = gateway.serving.services.health.of("up/upstream-model").probe
        return None if probe is None else getattr(probe, "func").__self__  # noqa: B009 - a partial.

    before = looks()
    gateway.snapshots.abandon(await gateway.snapshots.prepare(loaded, providers, 2))
    abandoned = looks()
    await gateway_file.reload()

    assert before is abandoned is not None
    assert looks() is gateway.serving.snapshot.connected["up"].provider is not before


async def test_keys_rest_on_over_a_reload_until_they_are_others(gateway_file: Reloadable) -> None:
    upstream = gateway_file.upstream
    settings = {"base_url": upstream.url}
    refused, good = "refused-key-0123", "good-key-4567890"

    def answer(request: UpstreamRequest) -> Any:  # Any: what the answer plays.
        is_good = request.headers["authorization"].endswith(good)
        return (reply("hello") if is_good else status(401))(request)

    upstream.default = answer
    keyed = {"settings": settings, "keys": [refused, good]}
    await gateway_file.reloaded(more={"up": {"kind": "openai", **keyed}})
    assert (await gateway_file.caller.chat()).status == 200
    before = len(upstream.requests)

    await gateway_file.reloaded(more={"up": {"kind": "openai", **keyed}}, deadlines={"total_s": 30})
    assert (await gateway_file.caller.chat()).status == 200
    assert len(upstream.requests) - before == 1

    await gateway_file.reloaded(
        more={"up": {"kind": "openai", "settings": settings, "keys": [good, refused]}}
    )
    assert (await gateway_file.caller.chat()).status == 200
    assert upstream.requests[-1].headers["authorization"].endswith(good)


async def test_targets_that_are_gone_are_told_of_no_more(gateway_file: Reloadable) -> None:
    new = {"new": {"targets": [{"provider": "chaos", "model": "words:3"}]}}
    await gateway_file.reloaded(models=new)
    health = gateway_file.caller.gateway.gateway.serving.services.health
    assert "chaos/words:3" in health.open_targets()

    await gateway_file.reloaded()

    assert "chaos/words:3" not in health.open_targets()


async def test_reloads_at_once_come_one_after_another(gateway_file: Reloadable) -> None:
    gateway_file.change(deadlines={"total_s": 30})

    replies = await asyncio.gather(*(gateway_file.reload() for _ in range(8)))

    assert {one.status for one in replies} == {200}
    assert sorted(len(one.json()["changes"]) for one in replies) == [0] * 7 + [1]
    assert (await gateway_file.told())["generation"] == 2


async def test_too_many_reloads_at_once_are_refused(gateway_file: Reloadable) -> None:
    replies = await asyncio.gather(*(gateway_file.reload() for _ in range(40)))

    assert {one.status for one in replies} == {200, 503}


@pytest.mark.parametrize("query", ["?dry=true", "?dry_run=maybe"])
async def test_a_parameter_that_is_not_known_is_refused(
    gateway_file: Reloadable, query: str
) -> None:
    assert_refused(await gateway_file.reload(query), 400, "invalid_parameter")


@pytest.mark.parametrize(("method", "path"), [("POST", RELOAD), ("GET", "/admin/config")])
async def test_nobody_but_the_operator_may(
    gateway_file: Reloadable, method: str, path: str
) -> None:
    refused = await administer(gateway_file.caller, method, path, secret="x" * 20)

    assert_refused(refused, 401, "invalid_api_key")
    assert_refused(await gateway_file.caller.ask(method, path), 404, "not_found")


async def test_no_call_fails_while_good_and_bad_files_are_read(gateway_file: Reloadable) -> None:
    limits = {"anonymous": {"requests": "100000/hour", "concurrent": 100}}
    await gateway_file.reloaded(limits=limits)
    is_over = False
    statuses: list[int] = []
    done: list[bool] = []

    async def call(caller: Asker, *, is_stream: bool) -> None:
        while not is_over:
            answer = await caller.chat(model="chaos/words:20", stream=is_stream)
            statuses.append(answer.status)
            done.append(answer.is_done or not is_stream)

    async with asyncio.TaskGroup() as group:
        for number in range(12):
            group.create_task(call(gateway_file.caller, is_stream=bool(number % 2)))
        for number in range(6):
            gateway_file.write(list(BROKEN.values())[number][0])
            assert (await gateway_file.reload()).status == 400
            more = {f"own{number}": {"kind": "chaos"}}
            await gateway_file.reloaded(limits=limits, more=more)
        is_over = True

    assert set(statuses) == {200}
    assert all(done)


@pytest.mark.slow
async def test_twenty_reloads_leave_nothing_behind(gateway_file: Reloadable) -> None:
    gc.collect()
    before = {kind: _count(kind) for kind in (Services, Snapshot, Connection)}

    for number in range(20):
        settings = {"base_url": gateway_file.upstream.url, "api_key": f"{OTHER_KEY}{number}"}
        models = {f"m{number}": {"targets": [{"provider": "up", "model": f"m{number}"}]}}
        await gateway_file.reloaded(up={"settings": settings}, models=models)
        assert (await gateway_file.caller.chat(model=f"m{number}")).status == 200
    await becomes(lambda: gateway_file.caller.gateway.gateway.snapshots.old == 0)
    await becomes(lambda: _providers() == ["provider chaos", "provider up"])
    gc.collect()

    assert all(_count(kind) <= count for kind, count in before.items())
    health = gateway_file.caller.gateway.gateway.serving.services.health
    assert {one.family for one in health} <= {
        "up/upstream-model",
        "up/*",
        "chaos/echo",
        "chaos/*",
        "up/m19",
    }


def _providers() -> list[str]:
    names = (task.get_name() for task in asyncio.all_tasks())
    return sorted(name for name in names if name.startswith("provider "))


def _count(kind: type) -> int:
    return sum(type(one) is kind for one in gc.get_objects())

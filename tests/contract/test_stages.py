"""Stages that a plugin brings, in front of any target, streams included."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import ClientSession

from gateway.config.problems import ConfigError
from gateway.testing.upstream import FakeUpstream, reply, status
from tests.cli.command_line import CommandLine
from tests.contract.asking import Asker, assert_refused
from tests.contract.conftest import configuration
from tests.registry.distributions import install
from tests.running import run_gateway

SHOUT = """\
from dataclasses import replace
from gateway.schema.chat import Message, TextPart
from gateway.schema.events import Finish, TextDelta
from gateway.sdk import hookimpl
from gateway.sdk.stages import StageKind

class Shout:
    def __init__(self):
        self.held = ""

    def on_request(self, request):
        told = Message("system", (TextPart("shout"),))
        return replace(request, messages=(told, *request.messages))

    def on_event(self, event):
        if isinstance(event, TextDelta):
            self.held += event.text.upper()
            return ()
        if isinstance(event, Finish):
            return (TextDelta(event.index, self.held + "!"), event)
        return (event,)

    def on_end(self):
        return ()

@hookimpl
def gateway_stages():
    return [StageKind("KIND", Shout)]
"""
BROKEN = SHOUT.replace("self.held += event.text.upper()", 'raise KeyError("a canary text")')
NONE = "from gateway.sdk import hookimpl\n"
TARGETS = [{"provider": "up", "model": "m"}, {"provider": "chaos", "model": "echo"}]


def model(*stages: str) -> dict[str, object]:
    """Return a `models` section whose `staged` has stages."""
    return {"staged": {"targets": TARGETS, "stages": list(stages)}}


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a distribution of stages, which is found."""
    folder = tmp_path / "site"
    sources = {"shout": SHOUT, "broken": BROKEN, "none": NONE, "unreadable": "1 / 0\n"}
    assert SHOUT != BROKEN
    install(folder, "dynagate-stages", sources, group="dynagate.stages")
    monkeypatch.syspath_prepend(folder)
    return folder


@pytest.fixture
async def caller(site: Path, upstream: FakeUpstream, tmp_path: Path) -> AsyncIterator[Asker]:
    """Somebody who asks a gateway with `shout`, and one that is `broken`."""
    models = {**model("shout"), "odd": {"targets": TARGETS, "stages": ["broken"]}}
    text = configuration(upstream, models=models)
    async with run_gateway(text, tmp_path) as running, ClientSession() as session:
        yield Asker(session, running)


async def test_a_stage_changes_request_and_answer_in_every_dialect(
    caller: Asker, upstream: FakeUpstream
) -> None:
    upstream.default = reply("well said")

    whole = await caller.chat("hi", model="staged")
    streamed = await caller.chat("hi", model="staged", stream=True)
    plain = await caller.get("/api/generate_response?user_input=hi&model=staged")

    assert whole.json()["choices"][0]["message"]["content"] == "WELL SAID!"
    assert (streamed.words, plain.text) == ("WELL SAID!", "WELL SAID!")
    first = [request.document["messages"][0] for request in upstream.requests]
    assert first == [{"role": "system", "content": "shout"}] * 3
    assert '"path":"events"' in caller.gateway.lines()


async def test_each_attempt_goes_through_stages_of_its_own(
    caller: Asker, upstream: FakeUpstream
) -> None:
    upstream.will(status(500))

    answer = await caller.chat("hi", model="staged")

    assert answer.headers["X-Provider"] == "chaos"
    content = answer.json()["choices"][0]["message"]["content"]
    assert content.endswith("!")
    assert content == content.upper()


async def test_a_stage_that_fails_is_no_targets_failure(
    caller: Asker, upstream: FakeUpstream, caplog: pytest.LogCaptureFixture
) -> None:
    upstream.default = reply("well")

    whole = await caller.chat("hi", model="odd")
    streamed = await caller.chat("hi", model="odd", stream=True)

    for answer in (whole, streamed):
        assert_refused(answer, 500, "internal_error")
    assert upstream.attempts == ["m", "m"]
    health = caller.gateway.gateway.serving.services.health
    assert all(one.failures == 0 for one in health)


@pytest.mark.parametrize(
    ("stage", "said"),
    [
        ("shuot", "no plugin brings stage shuot; did you mean shout?"),
        ("none", "stage none of dynagate-stages 1.0 has no @hookimpl gateway_stages"),
        ("unreadable", "stage unreadable of dynagate-stages 1.0 does not load: ZeroDivisionError"),
    ],
)
async def test_a_stage_that_cannot_be_used_is_said_where_it_is_named(
    site: Path, upstream: FakeUpstream, tmp_path: Path, stage: str, said: str
) -> None:
    text = configuration(upstream, models=model(stage))

    with pytest.raises(ConfigError) as caught:
        async with run_gateway(text, tmp_path):
            pass

    assert "models.staged.stages.0" in str(caught.value)
    assert said in str(caught.value)


async def test_check_finds_it_too(site: Path, upstream: FakeUpstream, tmp_path: Path) -> None:
    folder = tmp_path / "here"
    folder.mkdir()
    dynagate = CommandLine(folder, site)
    dynagate.write(configuration(upstream, models=model("unreadable")))

    done = await asyncio.to_thread(dynagate, "check")

    assert done.returncode == 2
    assert "ZeroDivisionError" in done.stderr

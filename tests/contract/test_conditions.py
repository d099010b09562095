"""Which targets are there for a call: by plan, tag, length, stream and hour."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gateway.state.key_fields import KeyFields
from gateway.state.sql.key_book import open_key_book
from gateway.testing.clock import ManualClock
from gateway.testing.upstream import FakeUpstream
from tests.contract.asking import Asker, Reply, assert_refused
from tests.contract.conftest import Begin
from tests.contract.test_keys import SQLITE, bearer
from tests.docs.pages import blocks, page, section
from tests.running import run_gateway

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
LONG = "word " * 1000  # 1,250 tokens, as they are estimated.


@pytest.fixture
def clock() -> ManualClock:
    """A clock that stands at noon."""
    return ManualClock(start=NOON)


@pytest.fixture
async def held(tmp_path: Path) -> dict[str, str]:
    """Keys, by what they are for."""
    book = open_key_book(tmp_path / "state/dynagate/state.sqlite")
    wanted: dict[str, KeyFields] = {
        "pro": {"plan": "pro"},
        "free": {"plan": "free"},
        "gone": {"plan": "of-last-year"},
        "legal": {"tags": ("legal", "berlin")},
        "other": {"tags": ("berlin",)},
    }
    return {
        name: (await book.create({**fields, "name": name}))[1] for name, fields in wanted.items()
    }


@pytest.fixture
async def shown(  # noqa: PLR0917 - fixtures.
    session: Any,  # Any: the fixture's own type.
    upstream: FakeUpstream,
    second: FakeUpstream,
    held: dict[str, str],
    clock: ManualClock,
    tmp_path: Path,
) -> AsyncIterator[Asker]:
    """A gateway with the models that docs/routing.md shows, and keys."""
    (example,) = blocks(section(page("docs/routing.md"), "For some calls only"), "yaml")
    hosts = {"a": upstream, "b": second}
    rest = {
        "providers": {
            name: {"kind": "openai", "settings": {"base_url": host.url}}
            for name, host in hosts.items()
        },
        "state": {"url": SQLITE},
    }
    text = example + "".join(f"{name}: {json.dumps(value)}\n" for name, value in rest.items())
    async with run_gateway(text, tmp_path, clock=clock) as running:
        yield Asker(session, running)


async def ask(caller: Asker, model: str, key: str = "", text: str = "hi", **more: object) -> Reply:
    """Ask for a completion, with a key or without."""
    document = {"model": model, "messages": [{"role": "user", "content": text}], **more}
    headers = bearer(key) if key else {}
    return await caller.ask("POST", "/v1/chat/completions", json=document, headers=headers)


@pytest.mark.parametrize(
    ("who", "answers"), [("pro", "a"), ("free", "b"), ("gone", "b"), ("", "b")]
)
async def test_the_callers_plan_decides_who_answers(
    shown: Asker, held: dict[str, str], who: str, answers: str
) -> None:
    reply = await ask(shown, "by-plan", held.get(who, ""))

    assert reply.headers["X-Provider"] == answers


@pytest.mark.parametrize(("who", "answers"), [("legal", "a"), ("other", "b"), ("", "b")])
async def test_a_tag_of_the_callers_key_decides_who_answers(
    shown: Asker, held: dict[str, str], who: str, answers: str
) -> None:
    reply = await ask(shown, "by-tag", held.get(who, ""))

    assert reply.headers["X-Provider"] == answers


@pytest.mark.parametrize("is_stream", [True, False], ids=["streamed", "whole"])
async def test_the_length_of_what_is_read_decides_who_answers(
    shown: Asker, *, is_stream: bool
) -> None:
    short = await ask(shown, "by-length", stream=is_stream)
    long = await ask(shown, "by-length", text=LONG, stream=is_stream)

    assert [one.headers["X-Provider"] for one in (short, long)] == ["a", "b"]
    assert all(one.is_done == is_stream for one in (short, long))


async def test_whether_a_stream_is_asked_for_decides_who_answers(shown: Asker) -> None:
    streamed = await ask(shown, "by-stream", stream=True)
    whole = await ask(shown, "by-stream")

    assert (streamed.headers["X-Provider"], whole.headers["X-Provider"]) == ("a", "b")


async def test_a_target_of_the_night_is_there_from_its_hour_on_and_says_so_before(
    shown: Asker, clock: ManualClock
) -> None:
    refused = await ask(shown, "at-night")
    clock.advance(10 * 3600)
    evening = await ask(shown, "at-night")
    clock.advance(8 * 3600 - 1)
    last = await ask(shown, "at-night")
    clock.advance(1)
    morning = await ask(shown, "at-night")

    error = assert_refused(refused, 503, "unavailable", "model")
    assert "22:00-06:00 UTC" in error["message"]
    assert refused.headers["Retry-After"] == "36000"
    assert (evening.status, last.status, morning.status) == (200, 200, 503)


def only(**when: object) -> dict[str, Any]:
    """Return a model `m` whose only target has these conditions."""
    return {"m": {"targets": [{"provider": "up", "model": "x", "when": when}]}}


@pytest.mark.parametrize(
    ("when", "call", "status", "code", "param", "says"),
    [
        ({"plans": ["default"]}, {}, 403, "model_not_allowed", "model", "callers without a key"),
        ({"tags": ["legal"]}, {}, 403, "model_not_allowed", "model", "send a key"),
        ({"streams": True}, {}, 400, "unsupported_feature", "stream", "no whole answers"),
        ({"streams": False}, {"stream": True}, 400, "unsupported_feature", "stream", "no streamed"),
        ({"min_input_tokens": 9}, {}, 400, "invalid_parameter", "messages", "9 at least"),
        (
            {"max_input_tokens": 9},
            {"text": LONG},
            400,
            "context_length_exceeded",
            "messages",
            "about 1250 tokens",
        ),
    ],
)
async def test_a_call_that_no_target_is_there_for_is_told_why(  # noqa: PLR0917 - a table's columns.
    begin: Begin,
    upstream: FakeUpstream,
    when: dict[str, Any],
    call: dict[str, Any],
    status: int,
    code: str,
    param: str,
    says: str,
) -> None:
    caller = await begin(models=only(**when))

    refused = await ask(caller, "m", **call)

    assert says in assert_refused(refused, status, code, param)["message"]
    assert upstream.requests == []


async def test_the_reason_that_is_told_is_the_one_nearest_to_letting_the_call_in(
    begin: Begin,
) -> None:
    targets = [
        {"provider": "up", "model": "x", "when": {"plans": ["default"]}},
        {"provider": "up", "model": "y", "when": {"plans": ["anonymous"], "max_input_tokens": 5}},
    ]
    caller = await begin(models={"m": {"targets": targets}})

    refused = await ask(caller, "m", text=LONG)

    message = assert_refused(refused, 400, "context_length_exceeded")["message"]
    assert "5 at most" in message
    assert "default" not in message


async def test_a_prompt_by_url_meets_the_same_conditions(begin: Begin) -> None:
    caller = await begin(models=only(max_input_tokens=3))

    short = await caller.get("/api/text/hi?model=m")
    long = await caller.get("/api/text/what%20is%20the%20answer?model=m")
    head = await caller.ask("HEAD", "/api/text/what%20is%20the%20answer?model=m")

    assert short.status == 200
    assert_refused(long, 400, "context_length_exceeded")
    assert head.status == 400


def windows(first: int, second: int | None) -> dict[str, Any]:
    """Return a model `m` of two targets with contexts of so many tokens."""
    cards = [{"context": first}, {} if second is None else {"context": second}]
    names = ("up", "second")
    return {
        "m": {
            "targets": [
                {"provider": name, "model": "x", "card": card}
                for name, card in zip(names, cards, strict=True)
            ]
        }
    }


@pytest.mark.parametrize("other", [4000, None])
async def test_what_has_no_room_in_one_target_goes_to_another(
    begin: Begin, upstream: FakeUpstream, second: FakeUpstream, other: int | None
) -> None:
    caller = await begin(second, models=windows(1000, other))

    short = await ask(caller, "m")
    long = await ask(caller, "m", text=LONG)
    long_answer = await ask(caller, "m", max_tokens=1000)

    told = [one.headers["X-Provider"] for one in (short, long, long_answer)]
    assert told == ["up", "second", "second"]
    assert len(upstream.requests) == 1


async def test_where_nothing_has_room_the_upstream_decides(
    begin: Begin, upstream: FakeUpstream, second: FakeUpstream
) -> None:
    caller = await begin(second, models=windows(100, 200))

    reply = await ask(caller, "m", text=LONG)

    assert (reply.status, reply.headers["X-Provider"]) == (200, "up")

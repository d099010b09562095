"""`/admin/usage`: what has been used, asked of a gateway that runs."""

import asyncio
import csv
import io
import threading
from typing import Any

import pytest

from gateway.state.sql import reports
from gateway.state.sql import usage as queries
from gateway.state.sql.keys import find_keys
from gateway.testing.upstream import FakeUpstream
from tests.contract.administering import ADMINISTERED, SECRET, administer, made
from tests.contract.asking import Asker, assert_refused
from tests.contract.conftest import Begin
from tests.contract.test_keys import GENERATE, bearer

USAGE = "/admin/usage"


@pytest.fixture
async def caller(begin: Begin) -> Asker:
    """Somebody who knows a gateway that can be administered."""
    return await begin(**ADMINISTERED)


async def told(caller: Asker, query: str = "") -> Any:
    """Return a report as JSON."""
    reply = await administer(caller, "GET", f"{USAGE}?{query}")
    assert reply.status == 200, reply.text
    return reply.json()


async def called(caller: Asker, **key: Any) -> Any:
    """Call twice as nobody, once with a new key, and once for what there is not; return the key."""
    found = await made(caller, **key)
    for _ in range(2):
        await caller.chat()
    await caller.ask("GET", f"{GENERATE}&model=chaotic", headers=bearer(found["key"]))
    return found


async def test_a_report_tells_apart_what_is_asked_for(caller: Asker) -> None:
    key = await called(caller, owner="Alice", tags=["ci", "eu"])

    whole = await told(caller)
    by_key = await told(caller, "by=key&by=model")
    by_tag = await told(caller, "by=tag")

    assert (whole["by"], whole["rows"], whole["is_cut"]) == ([], [], False)
    assert whole["total"]["calls"] == 3
    rows = {(row["key"], row["model"]): row["calls"] for row in by_key["rows"]}
    assert rows == {("-", "openai"): 2, (key["id"], "chaotic"): 1}
    assert by_key["total"] == whole["total"]
    assert {row["tag"]: row["calls"] for row in by_tag["rows"]} == {"-": 2, "ci": 1, "eu": 1}


async def test_a_report_can_be_of_one_key_or_of_nobody(caller: Asker) -> None:
    key = await called(caller)

    calls = [
        (await told(caller, f"key={name}"))["total"]["calls"]
        for name in (key["id"], key["prefix"], "-")
    ]

    assert calls == [1, 1, 2]


async def test_a_report_can_be_of_a_time(caller: Asker) -> None:
    await called(caller)

    periods = ("since=1h", "until=1h", "since=2020-01-01", "until=2020-01-01T00:00:00Z")
    calls = [(await told(caller, period))["total"]["calls"] for period in periods]

    assert calls == [3, 0, 3, 0]


@pytest.mark.parametrize(
    ("query", "accept"),
    [("format=csv", "application/json"), ("", "text/csv"), ("", "text/csv, */*;q=0.1")],
)
async def test_a_report_for_spreadsheets_is_one(caller: Asker, query: str, accept: str) -> None:
    await called(caller)

    reply = await administer(caller, "GET", f"{USAGE}?by=model&{query}", Accept=accept)

    assert reply.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert "X-Rows-Cut" not in reply.headers
    rows = list(csv.DictReader(io.StringIO(reply.text)))
    assert {row["model"]: row["calls"] for row in rows} == {"openai": "2", "chaotic": "1"}


@pytest.mark.parametrize(("query", "accept"), [("format=json", "text/csv"), ("", "*/*")])
async def test_a_report_is_json_for_whoever_does_not_want_csv_most(
    caller: Asker, query: str, accept: str
) -> None:
    reply = await administer(caller, "GET", f"{USAGE}?{query}", Accept=accept)

    assert reply.json()["total"]["calls"] == 0


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("by=colour", "by"),
        ("by=day,model", "by"),
        ("by=", "by"),
        ("since=soon", "since"),
        ("since=1d&since=2d", "since"),
        ("until=2030-13-01", "until"),
        ("since=99999999999999999999d", "since"),
        ("since=1h&until=2h", "since"),
        ("since=a%00b", "since"),
        ("key=key_000000000000", "key"),
        ("key=%00", "key"),
        ("key='%20OR%201=1", "key"),
        ("key=", "key"),
        ("format=xml", "format"),
        ("format=json&format=csv", "format"),
        ("group=day", "group"),
        ("BY=day", "BY"),
    ],
)
async def test_a_question_that_cannot_be_meant_is_refused(
    caller: Asker, query: str, param: str
) -> None:
    reply = await administer(caller, "GET", f"{USAGE}?{query}")

    error = assert_refused(reply, 400, "invalid_parameter", param)
    assert error["message"].startswith(f"{param}: ")


async def test_a_shown_prefix_that_several_keys_have_is_refused(
    caller: Asker, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = await made(caller)

    async def twice(connection: Any, name: str) -> Any:
        return [*await find_keys(connection, name)] * 2

    monkeypatch.setattr(reports, "find_keys", twice)

    reply = await administer(caller, "GET", f"{USAGE}?key={key['prefix']}")

    assert "several keys" in assert_refused(reply, 400, "invalid_parameter", "key")["message"]


async def test_of_too_many_lines_the_dearest_are_told_and_that_there_are_more(
    caller: Asker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "MAX_LINES", 1)
    await called(caller)

    found = await told(caller, "by=model")
    table = await administer(caller, "GET", f"{USAGE}?by=model&format=csv")

    assert [row["model"] for row in found["rows"]] == ["openai"]
    assert (found["is_cut"], found["total"]["calls"]) == (True, 3)
    assert table.headers["X-Rows-Cut"] == "true"
    assert len(table.text.splitlines()) == 2


async def test_nothing_waits_for_a_report_that_takes_long(
    caller: Asker, upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, release = threading.Event(), threading.Event()

    async def slow(connection: Any, wanted: Any, **options: Any) -> Any:
        begun.set()
        release.wait(60)
        return await queries.report(connection, wanted, **options)

    monkeypatch.setattr(reports, "report", slow)
    asked = asyncio.ensure_future(told(caller))
    await asyncio.to_thread(begun.wait, 60)

    key = await made(caller)
    reply = await caller.ask("GET", f"{GENERATE}&model=chaotic", headers=bearer(key["key"]))
    is_waiting = not asked.done()
    release.set()

    assert (reply.status, is_waiting) == (200, True)
    assert (await asked)["total"]["calls"] == 1


async def test_a_report_that_takes_too_long_says_what_to_do(
    caller: Asker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reports, "MOST_S", 0.0)

    reply = await administer(caller, "GET", USAGE)

    assert "ask for less" in assert_refused(reply, 504, "deadline_exceeded")["message"]


async def test_what_is_remembered_in_memory_is_reported_as_well(begin: Begin) -> None:
    caller = await begin(admin={"secret": SECRET})
    await caller.chat()
    await caller.ask("GET", f"{GENERATE}&model=chaotic")

    found = await told(caller, "by=model&by=tag&key=-")
    unknown = await administer(caller, "GET", f"{USAGE}?key=key_000000000000")

    assert {(row["model"], row["tag"]): row["calls"] for row in found["rows"]} == {
        ("openai", "-"): 1,
        ("chaotic", "-"): 1,
    }
    assert "memory://" in assert_refused(unknown, 400, "invalid_parameter", "key")["message"]


async def test_a_report_needs_the_secret(caller: Asker) -> None:
    wrong = SECRET.upper()
    assert_refused(await administer(caller, "GET", USAGE, secret=wrong), 401, "invalid_api_key")
    assert_refused(await caller.ask("GET", USAGE), 404, "not_found")
    assert_refused(await administer(caller, "POST", USAGE, {}), 405, "method_not_allowed")

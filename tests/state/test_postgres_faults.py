"""PostgreSQL that fails: callers notice nothing, the operator is told once, and it heals."""

import asyncio
import json
import logging
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import aiohttp
import pytest

from gateway.config.database import PostgresPlace
from gateway.state.counters import Demand, Share
from gateway.state.keys import Key, digest_of, new_key, prefix_of
from gateway.state.memory import MemoryCounters
from gateway.state.sql.database import transact
from gateway.state.sql.keeper import KeptState, open_kept
from gateway.state.sql.key_book import open_key_book
from gateway.state.sql.keys import add_key
from gateway.testing.clock import ManualClock
from tests.postgres import PASSWORD, statement
from tests.running import Running, run_gateway
from tests.state.contract.databases import made
from tests.state.faults import (
    Faulty,
    allow,
    change_password,
    deny,
    deny_writing,
    empty,
    fill,
    restore_password,
)

KEY = new_key()


class Heard(logging.Handler):
    """What the gateway logs of its state."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[tuple[str, str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append((record.levelname, record.getMessage()))


class Served:
    """A gateway on that database, and somebody who calls it."""

    def __init__(self, running: Running, session: aiohttp.ClientSession, heard: Heard) -> None:
        self.running = running
        self.heard = heard
        self._session = session

    async def call(self, key: str | None = None) -> int:
        """Return the status of one call."""
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        url = f"{self.running.url}/api/generate_response?user_input=hi"
        async with self._session.get(url, headers=headers) as answer:
            await answer.read()
            return answer.status

    async def becomes(self, state: str) -> None:
        """Wait until the probe says that the state is `failing` or `ok`; it is 200 all the time."""
        async with asyncio.timeout(40):
            while True:
                async with self._session.get(f"{self.running.url}/readyz") as answer:
                    assert answer.status == 200
                    if (await answer.json())["state"] == state:
                        return
                await asyncio.sleep(0.05)


def a_key() -> Key:
    """Return what is kept of `KEY`."""
    return Key("key_1", digest_of(KEY), prefix_of(KEY), "n", "", (), "default", 1.0)


@pytest.fixture
async def served(faulty: Faulty, tmp_path: Path) -> AsyncIterator[Served]:
    """A gateway that knows `KEY`."""
    place = PostgresPlace(faulty.url)
    await made(place)
    await transact(place, lambda connection: add_key(connection, a_key()))
    configuration = {
        "state": {"url": faulty.url},
        "limits": {"anonymous": {"requests": "10000/hour"}},
        "providers": {"c": {"kind": "chaos"}},
        "models": {"openai": {"targets": [{"provider": "c", "model": "echo"}]}},
    }
    logger, heard = logging.getLogger("dynagate.state"), Heard()
    logger.addHandler(heard)
    try:
        async with (
            run_gateway(json.dumps(configuration), tmp_path) as running,
            aiohttp.ClientSession() as session,
        ):
            yield Served(running, session, heard)
    finally:
        logger.removeHandler(heard)


FAULTS: dict[str, tuple[Callable[[Faulty], None], Callable[[Faulty], None]]] = {
    "killed": (lambda one: one.server.kill(), lambda one: one.server.start()),
    "ended": (lambda one: one.server.stop(), lambda one: one.server.start()),
    "stopped": (
        lambda one: one.server.signal(signal.SIGSTOP),
        lambda one: one.server.signal(signal.SIGCONT),
    ),
    "permission denied": (deny, allow),
    "no writing": (deny_writing, allow),
    "another password": (change_password, restore_password),
    "too many connections": (fill, empty),
}


QUICK = ("killed", "no writing")
"""One that the server tells of, and one that it does not: the others are of the slow tier."""


@pytest.mark.parametrize(
    "fault",
    [pytest.param(one, marks=() if one in QUICK else pytest.mark.slow) for one in FAULTS],
)
async def test_callers_notice_nothing_and_the_operator_is_told_once(
    served: Served, faulty: Faulty, fault: str
) -> None:
    breaks, heals = FAULTS[fault]
    before = [await served.call(), await served.call(KEY)]

    await asyncio.to_thread(breaks, faulty)
    try:
        during = [await served.call(key) for key in (None, KEY) * 10]
        await served.becomes("failing")
        during += [await served.call(key) for key in (None, KEY) * 10]
    finally:
        await asyncio.to_thread(heals, faulty)
    await served.becomes("ok")

    assert set(before + during) == {200}
    said = served.heard.said
    # The ledger has a connection of its own, and fails by itself.
    of_calls = [message for _, message in said if "calls" in message]
    said = [(level, message) for level, message in said if "calls" not in message]
    assert [level for level, _ in said] == ["WARNING", "INFO"], said
    # How often it was slow is the machine's business as well.
    assert sum("fails, so calls" in message for message in of_calls) <= 1
    assert PASSWORD not in str(served.heard.said)
    assert ("did not answer within 2 s" in said[0][1]) == (fault == "stopped")
    # What changes from here on is noticed, and what was counted is kept.
    await open_key_book(PostgresPlace(faulty.url)).revoke(a_key().id)
    async with asyncio.timeout(20):
        while await served.call(KEY) != 401:
            pass


async def test_a_gateway_ends_although_its_server_has_stopped(faulty: Faulty) -> None:
    place = PostgresPlace(faulty.url)
    await made(place)
    clock = ManualClock()
    state = await open_kept(place, MemoryCounters(clock, is_kept=True), clock)
    await state.counters.take(Demand("a", 10, (Share("requests", "a", 1, 3, 3600, 3600),)))
    faulty.server.signal(signal.SIGSTOP)
    try:
        await state.aclose()
    finally:
        faulty.server.signal(signal.SIGCONT)

    again = await open_kept(place, MemoryCounters(clock), clock)
    await again.aclose()
    assert state.is_failing


async def test_a_restart_that_nobody_waits_for_keeps_what_was_counted(
    served: Served, faulty: Faulty
) -> None:
    for _ in range(7):
        await served.call(KEY)
    await asyncio.to_thread(faulty.server.stop)
    await asyncio.to_thread(faulty.server.start)

    async with asyncio.timeout(40):
        rows: list[tuple[int]] = []
        while rows != [(7,)]:
            await asyncio.sleep(0.05)
            found = statement(faulty.admin_url, "SELECT used FROM windows WHERE key LIKE '%key_1'")
            rows = [(row[0],) for row in found]


async def test_a_gateway_whose_place_was_taken_writes_nothing_until_it_is_free(
    served: Served, faulty: Faulty
) -> None:
    fill(faulty)
    await served.becomes("failing")
    as_admin = PostgresPlace(faulty.admin_url)
    other = await open_kept(as_admin, MemoryCounters(ManualClock()), ManualClock())
    empty(faulty)
    await served.call()
    state = served.running.gateway.serving.state
    assert isinstance(state, KeptState)

    await state.write()

    assert state.is_failing
    assert statement(faulty.admin_url, "SELECT * FROM windows") == []
    await other.aclose()
    await served.becomes("ok")

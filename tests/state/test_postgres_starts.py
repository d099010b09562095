"""What a start says of a PostgreSQL server that refuses it, and what else a URL may say."""

import asyncio
import signal
import socket
from urllib.parse import urlsplit

import asyncpg
import pytest

from gateway.config.database import PostgresPlace
from gateway.state.errors import StateError
from gateway.state.memory import MemoryCounters
from gateway.state.sql.keeper import open_kept
from gateway.testing.clock import ManualClock
from tests.postgres import PASSWORD, statement
from tests.state.contract.databases import made
from tests.state.faults import USER, Faulty, allow, deny, empty, fill


async def refusal(url: str) -> str:
    """Return what a start says; never the password."""
    with pytest.raises(StateError) as refused:
        await open_kept(PostgresPlace(url), MemoryCounters(ManualClock()), ManualClock())
    said = str(refused.value)
    assert said.startswith(f"{PostgresPlace(url)} cannot be used: ")
    assert PASSWORD not in said
    assert "@" not in said
    return said


async def test_a_start_says_what_the_server_refuses(faulty: Faulty) -> None:
    parts = urlsplit(faulty.url)
    await made(PostgresPlace(faulty.url))

    wrong = await refusal(faulty.url.replace(PASSWORD, "a-wrong-password"))
    missing = await refusal(parts._replace(path="/nowhere").geturl())
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        closed = await refusal(f"postgresql://u:{PASSWORD}@127.0.0.1:{port}/x")
    no_socket = await refusal(f"postgresql://u:{PASSWORD}@/x?host=/nowhere")
    deny(faulty)
    denied = await refusal(faulty.url)
    allow(faulty)
    fill(faulty)
    full = await refusal(faulty.url)
    empty(faulty)

    assert "password authentication failed" in wrong
    assert "a-wrong-password" not in wrong
    assert "user and password of state.url" in wrong
    assert "createdb" in missing
    assert "it cannot be reached" in closed
    assert "it cannot be reached" in no_socket
    assert "permission denied" in denied
    assert "grant" in denied
    assert "too many connections" in full


@pytest.mark.parametrize("parameters", ["sslmode=sometimes", "sslmode=verify-full&sslrootcert=/no"])
async def test_a_parameter_that_the_driver_refuses_is_told(faulty: Faulty, parameters: str) -> None:
    assert "state.url" in await refusal(f"{faulty.url}?{parameters}")


async def test_a_server_without_tls_is_refused_where_tls_is_demanded(faulty: Faulty) -> None:
    said = await refusal(f"{faulty.url}?sslmode=require")

    assert "SSL" in said
    assert "put the parameters of state.url right" in said


@pytest.mark.slow
async def test_a_server_that_does_not_answer_ends_the_start(faulty: Faulty) -> None:
    await made(PostgresPlace(faulty.url))
    faulty.server.signal(signal.SIGSTOP)
    try:
        said = await refusal(faulty.url)
    finally:
        faulty.server.signal(signal.SIGCONT)

    assert "it did not answer within 5 s" in said


async def test_a_unix_socket_does_as_well(faulty: Faulty) -> None:
    parts = urlsplit(faulty.url)
    host = f"host={faulty.server.folder}&port={faulty.server.port}"
    place = PostgresPlace(f"postgresql://{USER}:{PASSWORD}@{parts.path}?{host}")

    assert await made(place) == ""
    assert str(place) == f"postgresql://{parts.path}?host={faulty.server.folder}"


async def test_an_upgrade_waits_for_another_one(faulty: Faulty) -> None:
    place = PostgresPlace(faulty.url)
    waits = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    other = await asyncpg.connect(faulty.url)
    await other.execute(
        "BEGIN; SELECT pg_advisory_xact_lock(1734440037, hashtext(current_schema()))"
    )

    upgrading = asyncio.ensure_future(made(place))
    async with asyncio.timeout(20):
        while not statement(faulty.admin_url, waits):  # noqa: ASYNC110 - the server knows, not we.
            await asyncio.sleep(0.05)
    await other.close()

    assert await upgrading == ""

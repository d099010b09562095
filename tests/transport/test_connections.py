"""What becomes of connections: those that idle, that are left, that are closed under a reader."""

import asyncio

import pytest
from aiohttp.client_proto import ResponseHandler

from gateway.config.upstreams import ProviderHttp
from gateway.sdk.http import HttpClient, HttpError, HttpResponse, Timeouts
from gateway.sdk.providers import Clock
from gateway.testing.http_conformance import POOL
from gateway.testing.http_probe import AMPLE_S, BRIEF_S, ask, failure, spin, wait_gone
from gateway.testing.raw_server import (
    CHUNKED,
    HALF,
    OK,
    Peer,
    answer,
    answer_once,
    die_when_reused,
    raw_server,
)
from gateway.transport import pool
from gateway.transport.client import connect_http


async def test_a_connection_that_has_more_to_send_is_closed_instead_of_used_again(
    http_client: HttpClient,
) -> None:
    heads: list[int] = []
    release = asyncio.Event()

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(len(await reader.readuntil(b"\r\n\r\n")))
        writer.write(OK)
        await release.wait()
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        async with asyncio.timeout(AMPLE_S):
            await ask(http_client, url, method="POST", body=bytes(32 * 1024 * 1024))
            await ask(http_client, url)
    finally:
        release.set()
        server.close()

    assert len(heads) == 2


async def test_a_connection_that_idles_too_long_is_closed(
    http_client: HttpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "_KEPT_S", BRIEF_S)
    async with raw_server(answer(OK)) as server:
        await ask(http_client, server.url)
        await wait_gone(server.peers[0])
        answered = await ask(http_client, server.url)

    assert (answered.body, len(server.peers)) == (b"ok", 2)


async def test_a_connection_that_has_idled_too_long_is_not_used_again(
    http_client: HttpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with raw_server(answer(OK)) as server:
        await ask(http_client, server.url)
        monkeypatch.setattr(pool, "_KEPT_S", -1.0)
        answered = await ask(http_client, server.url)

    assert (answered.body, len(server.peers)) == (b"ok", 2)


async def test_a_replay_closes_the_connections_that_idle(http_client: HttpClient) -> None:
    async with raw_server(die_when_reused()) as server:
        await asyncio.gather(*(ask(http_client, server.url) for _ in range(POOL)))
        await ask(http_client, server.url, replay=True)
        for peer in server.peers[:POOL]:
            await wait_gone(peer)

    assert len(server.peers) == POOL + 1


async def test_a_replay_that_finds_no_place_in_time_is_not_called_unsent(clock: Clock) -> None:
    asked_again, release = asyncio.Event(), asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.ask()
        if peer.number > 1:
            await peer.send(HALF)
            await peer.wait_gone()
            return
        await peer.send(OK)
        await peer.ask()
        asked_again.set()
        await release.wait()

    async with (
        connect_http(ProviderHttp(connections=1), clock=clock) as client,
        raw_server(script) as server,
        asyncio.TaskGroup() as group,
    ):
        await ask(client, server.url)
        late = Timeouts(connect=BRIEF_S)
        replayed = group.create_task(failure(client, server.url, replay=True, timeouts=late))
        await asked_again.wait()
        other = group.create_task(failure(client, server.url))
        await spin()
        release.set()
        error = await replayed
        other.cancel()

    assert (error.phase, error.unsent, error.is_timeout) == ("pool", False, True)


async def test_leaving_fails_who_still_reads(http_client: HttpClient) -> None:
    async def read(response: HttpResponse) -> HttpError | None:
        try:
            async with asyncio.timeout(AMPLE_S):
                await response.read(100)
        except HttpError as error:
            return error
        return None

    async with raw_server(answer_once(HALF)) as server, asyncio.TaskGroup() as group:
        async with http_client.request("GET", server.url) as response:
            reader = group.create_task(read(response))
            await spin()
        error = await reader

    assert error is not None
    assert (error.phase, error.unsent) == ("body", False)


async def test_a_body_that_was_never_paused_is_not_resumed(
    http_client: HttpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    resumed: list[object] = []
    monkeypatch.setattr(ResponseHandler, "resume_reading", lambda *call: resumed.append(call))
    async with raw_server(answer(CHUNKED + b"2\r\nab\r\n", b"2\r\ncd\r\n0\r\n\r\n")) as server:
        answered = await ask(http_client, server.url)

    assert (answered.body, resumed) == (b"abcd", [])


async def test_closing_the_client_fails_what_reads_a_body(clock: Clock) -> None:
    reading = asyncio.Event()

    async def read(client: HttpClient, url: str) -> HttpError | None:
        try:
            async with asyncio.timeout(AMPLE_S), client.request("GET", url) as response:
                reading.set()
                await response.read(100)
        except HttpError as error:
            return error
        return None

    async with raw_server(answer_once(HALF)) as server, asyncio.TaskGroup() as group:
        async with connect_http(ProviderHttp(), clock=clock) as client:
            task = group.create_task(read(client, server.url))
            await reading.wait()
            await spin()
        error = await task

    assert error is not None
    assert (error.phase, error.is_timeout) == ("body", False)

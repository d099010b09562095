"""What an `HttpClient` does with its connections: places, reuse, replay, closing."""

import asyncio
from contextlib import AsyncExitStack
from typing import Literal

import pytest

from gateway.sdk.http import HttpClient, Timeouts
from gateway.testing.http_probe import (
    AMPLE_S,
    BRIEF_S,
    HTTP_OK,
    POOL,
    ask,
    expect,
    failure,
    spin,
    wait_gone,
)
from gateway.testing.raw_server import (
    HALF,
    OK,
    Peer,
    answer,
    answer_once,
    die_when_reused,
    raw_server,
)


class HttpConnections:
    """A pool of `POOL`, and connections that die."""

    async def test_a_body_that_was_read_gives_its_connection_back(
        self, http_client: HttpClient
    ) -> None:
        """The next request goes over it."""
        async with raw_server(answer(OK)) as server:
            for _ in range(3):
                await ask(http_client, server.url)

        expect((len(server.peers), len(server.asked)), (1, 3))

    async def test_leaving_with_an_unread_body_closes_the_connection(
        self, http_client: HttpClient
    ) -> None:
        """Nobody will ever read the rest."""
        async with raw_server(answer_once(HALF)) as server:
            await _head(http_client, server.url)
            await wait_gone(server.peers[0])

    async def test_a_request_waits_for_a_place_and_gets_it(self, http_client: HttpClient) -> None:
        """The pool is a bound, not an error."""
        async with raw_server(answer_once(HALF)) as server, asyncio.TaskGroup() as group:
            async with AsyncExitStack() as holders:
                await _fill(http_client, server.url, holders)
                waiting = group.create_task(_head(http_client, server.url))
                await spin()
                held = (waiting.done(), len(server.peers))
            async with asyncio.timeout(AMPLE_S):
                status = await waiting

        expect((held, status), ((False, POOL), HTTP_OK))

    async def test_a_place_that_does_not_come_in_time_fails_in_the_pool(
        self, http_client: HttpClient
    ) -> None:
        """Waiting for it is part of connecting."""
        async with raw_server(answer_once(HALF)) as server, AsyncExitStack() as holders:
            await _fill(http_client, server.url, holders)
            error = await failure(http_client, server.url, timeouts=Timeouts(connect=BRIEF_S))

        expect((error.phase, error.unsent, error.is_timeout), ("pool", True, True))
        expect(len(server.peers), POOL)

    async def test_a_waiter_that_is_cancelled_as_its_place_comes_passes_it_on(
        self, http_client: HttpClient
    ) -> None:
        """Else a free place stays empty while others wait for it."""
        async with raw_server(answer_once(HALF)) as server, asyncio.TaskGroup() as group:
            async with AsyncExitStack() as holders:
                await _fill(http_client, server.url, holders)
                first = group.create_task(_head(http_client, server.url))
                second = group.create_task(_head(http_client, server.url))
                await spin()
            first.cancel()
            async with asyncio.timeout(AMPLE_S):
                status = await second

        expect((first.cancelled(), status), (True, HTTP_OK))

    async def test_failures_free_their_places(self, http_client: HttpClient) -> None:
        """More of them than the pool has places."""
        async with raw_server(answer_once(HALF, then="reset")) as server:
            phases = [
                (await failure(http_client, server.url, timeouts=Timeouts(AMPLE_S))).phase
                for _ in range(POOL * 3)
            ]

        expect(phases, ["body"] * POOL * 3)

    async def test_connections_that_were_not_made_free_their_places(
        self, http_client: HttpClient
    ) -> None:
        """An upstream that was down must be reachable when it is up again."""
        async with raw_server(answer(OK)) as server, raw_server(answer(OK)) as other:
            server.refuse()
            phases = [(await failure(http_client, server.url)).phase for _ in range(POOL + 1)]
            answered = await ask(http_client, other.url)

        expect((phases, answered.body), (["connect"] * (POOL + 1), b"ok"))

    @pytest.mark.parametrize("method", ["GET", "POST"])
    async def test_a_request_on_a_dead_connection_is_not_sent_again(
        self, http_client: HttpClient, method: str
    ) -> None:
        """Not even a GET: whether that is safe, the caller knows."""
        async with raw_server(die_when_reused()) as server:
            await ask(http_client, server.url)
            error = await failure(http_client, server.url, method=method)

        expect((error.phase, error.unsent), ("head", False))
        expect((len(server.peers), len(server.asked)), (1, 2))

    @pytest.mark.parametrize("then", ["close", "reset"])
    @pytest.mark.parametrize("size", [4, 2 * 1024 * 1024])
    async def test_with_replay_it_is_sent_once_more_on_a_new_connection(
        self, http_client: HttpClient, size: int, then: Literal["close", "reset"]
    ) -> None:
        """The same bytes."""
        body = b"x" * size
        async with raw_server(die_when_reused(then=then)) as server:
            await ask(http_client, server.url)
            answered = await ask(http_client, server.url, method="POST", body=body, replay=True)

        expect((answered.body, len(server.peers)), (b"ok", 2))
        expect(server.asked[1] == server.asked[2], wanted=True)
        expect(server.asked[2].endswith(b"\r\n\r\n" + body), wanted=True)

    async def test_a_replay_does_not_try_the_next_kept_connection(
        self, http_client: HttpClient
    ) -> None:
        """When a server restarts all of them are dead."""
        async with raw_server(die_when_reused()) as server:
            await asyncio.gather(*(ask(http_client, server.url) for _ in range(POOL)))
            answered = await ask(http_client, server.url, replay=True)

        expect((answered.body, len(server.peers)), (b"ok", POOL + 1))

    async def test_a_new_connection_that_dies_is_not_replayed(
        self, http_client: HttpClient
    ) -> None:
        """It was not stale: the server did not want the request."""
        async with raw_server(answer_once(then="close")) as server:
            error = await failure(http_client, server.url, replay=True)

        expect((error.phase, len(server.asked)), ("head", 1))

    async def test_an_answer_that_had_begun_is_not_replayed(self, http_client: HttpClient) -> None:
        """The server has acted on the request."""
        async with raw_server(die_when_reused(b"HTTP/1.1 200 OK\r\nX-Be")) as server:
            await ask(http_client, server.url)
            error = await failure(http_client, server.url, replay=True)

        expect((error.phase, len(server.asked)), ("head", 2))

    async def test_a_replay_that_cannot_connect_is_not_called_unsent(
        self, http_client: HttpClient
    ) -> None:
        """The first try was sent."""

        async def script(peer: Peer) -> None:
            await peer.ask()
            await peer.send(OK)
            await peer.ask()
            peer.server.refuse()

        async with raw_server(script) as server:
            await ask(http_client, server.url)
            error = await failure(http_client, server.url, replay=True)

        expect((error.phase, error.unsent), ("connect", False))

    async def test_what_a_server_says_unasked_is_not_the_next_answer(
        self, http_client: HttpClient
    ) -> None:
        """It could be somebody else's."""
        speak = asyncio.Event()

        async def script(peer: Peer) -> None:
            await peer.ask()
            await peer.send(OK)
            if peer.number == 1:
                await speak.wait()
                await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
                await peer.wait_gone()

        async with raw_server(script) as server, raw_server(answer(OK)) as other:
            await ask(http_client, server.url)
            speak.set()
            await ask(http_client, other.url)  # A round trip, in which the unasked bytes arrive.
            answered = await ask(http_client, server.url)

        expect((answered.body, len(server.peers)), (b"ok", 2))

    @pytest.mark.parametrize("begun", [b"", HALF])
    async def test_cancelling_passes_through_and_closes(
        self, http_client: HttpClient, begun: bytes
    ) -> None:
        """While the head or the body is being waited for."""
        reached = asyncio.Event()

        async def script(peer: Peer) -> None:
            await peer.ask()
            await peer.send(begun)
            reached.set()
            await peer.wait_gone()

        async with raw_server(script) as server:
            async with asyncio.TaskGroup() as group:
                task = group.create_task(ask(http_client, server.url))
                await reached.wait()
                await spin()
                task.cancel()
            await wait_gone(server.peers[0])

        expect(task.cancelled(), wanted=True)

    async def test_an_error_of_the_readers_closes(self, http_client: HttpClient) -> None:
        """And is not changed."""
        async with raw_server(answer_once(HALF)) as server:
            with pytest.raises(LookupError, match="mine"):
                await _raise_inside(http_client, server.url)
            await wait_gone(server.peers[0])


async def _fill(http: HttpClient, url: str, holders: AsyncExitStack) -> None:
    for _ in range(POOL):
        await holders.enter_async_context(http.request("GET", url))


async def _head(http: HttpClient, url: str) -> int:
    async with http.request("GET", url) as response:
        return response.status


async def _raise_inside(http: HttpClient, url: str) -> None:
    msg = "mine"
    async with http.request("GET", url):
        raise LookupError(msg)

"""How an `HttpClient` fails, and when it gives up."""

import asyncio
import time
import traceback
from typing import Literal

import pytest

from gateway.sdk.http import HttpClient, HttpError, Timeouts
from gateway.testing.http_probe import AMPLE_S, BRIEF_S, DUE_S, ask, expect, failure, wait_gone
from gateway.testing.raw_server import CHUNKED, HALF, OK, Peer, answer, answer_once, raw_server

_NO_HEADS = [
    pytest.param(b"SSH-2.0-OpenSSH_9.6\r\n\r\n", id="another protocol"),
    pytest.param(b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n", id="malformed header"),
    pytest.param(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000 + b"\r\n\r\n", id="huge header"),
]
_NO_URLS = ["ftp://127.0.0.1/", "http://", "nonsense", "http://127.0.0.1:99999/", "http://[::"]
_WORD = "open-sesame"
"""What must not be seen again once it was sent."""


class HttpFailures:
    """Phases, messages and bounds in time."""

    @pytest.mark.parametrize("then", ["reset", "close"])
    async def test_a_connection_that_breaks_before_the_head_fails_in_the_head(
        self, http_client: HttpClient, then: Literal["reset", "close"]
    ) -> None:
        """The request may have been acted on."""
        async with raw_server(answer_once(then=then)) as server:
            error = await failure(http_client, server.url)

        expect(_facts(error), ("head", "sent", "in time"))

    @pytest.mark.parametrize("head", _NO_HEADS)
    async def test_a_head_that_is_none_fails_in_the_head(
        self, http_client: HttpClient, head: bytes
    ) -> None:
        """And is not read to its end, if it has one."""
        async with raw_server(answer_once(head)) as server:
            error = await failure(http_client, server.url)

        expect(_facts(error), ("head", "sent", "in time"))

    @pytest.mark.parametrize("then", ["reset", "close"])
    @pytest.mark.parametrize("begun", [HALF, CHUNKED + b"5\r\nhalf!\r\n"])
    async def test_a_body_that_ends_early_fails_in_the_body(
        self, http_client: HttpClient, begun: bytes, then: Literal["reset", "close"]
    ) -> None:
        """Half an answer must not pass for a whole one."""
        async with raw_server(answer_once(begun, then=then)) as server:
            error = await failure(http_client, server.url)

        expect(_facts(error), ("body", "sent", "in time"))

    async def test_a_port_where_nobody_listens_fails_unsent(self, http_client: HttpClient) -> None:
        """Another try is safe."""
        async with raw_server(answer(OK)) as server:
            url = server.url

        error = await failure(http_client, url)

        expect(_facts(error), ("connect", "unsent", "in time"))

    async def test_a_name_that_nobody_has_fails_unsent(self, http_client: HttpClient) -> None:
        """The resolver refuses a label of 64 letters without asking anybody."""
        error = await failure(http_client, f"http://{'a' * 64}.invalid/")

        expect(_facts(error), ("connect", "unsent", "in time"))

    @pytest.mark.parametrize("url", _NO_URLS)
    async def test_what_is_no_http_url_fails_unsent(
        self, http_client: HttpClient, url: str
    ) -> None:
        """With the error that callers expect, whatever the URL parser raised."""
        error = await failure(http_client, url)

        expect(_facts(error), ("connect", "unsent", "in time"))

    async def test_only_http_and_https_are_spoken(self, http_client: HttpClient) -> None:
        """Whatever else the library underneath knows."""
        async with raw_server(answer(OK)) as server:
            await failure(http_client, server.url.replace("http:", "ws:"))

        expect(len(server.peers), 0)

    @pytest.mark.parametrize("then", ["reset", "hang"])
    @pytest.mark.parametrize("begun", [b"", b"HTTP/1.1 200 " + b"\0" * 9 + b"\r\n", HALF])
    async def test_no_message_has_a_secret_of_the_request(
        self, http_client: HttpClient, begun: bytes, then: Literal["reset", "hang"]
    ) -> None:
        """Nor does what a traceback would print as its cause."""
        async with raw_server(answer_once(begun, then=then)) as server:
            url = server.url.replace("//", f"//{_WORD}:{_WORD}@")
            error = await failure(
                http_client,
                f"{url}/{_WORD}?key={_WORD}",
                method="POST",
                headers={"X-Key": _WORD},
                body=_WORD.encode(),
                timeouts=Timeouts(AMPLE_S, BRIEF_S, BRIEF_S),
            )

        expect(_WORD in _printed(error), wanted=False)

    @pytest.mark.parametrize("url", [f"http://h:99999/{_WORD}", f"http://[{_WORD}/", f"x:{_WORD}"])
    async def test_no_message_has_a_url_that_cannot_be_parsed(
        self, http_client: HttpClient, url: str
    ) -> None:
        """Any part of it may be the secret one."""
        error = await failure(http_client, url)

        expect(_WORD in _printed(error), wanted=False)

    async def test_no_message_has_a_header_that_cannot_be_sent(
        self, http_client: HttpClient
    ) -> None:
        """A key with a line break at its end is a common mistake."""
        async with raw_server(answer(OK)) as server:
            error = await failure(http_client, server.url, headers={"X-Key": f"{_WORD}\n"})

        expect(_WORD in _printed(error), wanted=False)

    async def test_a_reset_amid_the_request_fails_in_the_head_without_its_url(
        self, http_client: HttpClient
    ) -> None:
        """What was sent may have been enough to act on."""

        async def script(peer: Peer) -> None:
            peer.reset()

        async with raw_server(script) as server:
            url = f"{server.url}/?key={_WORD}"
            error = await failure(http_client, url, method="POST", body=bytes(2**23))

        expect(_facts(error), ("head", "sent", "in time"))
        expect(_WORD in _printed(error), wanted=False)

    async def test_reading_after_leaving_fails(self, http_client: HttpClient) -> None:
        """With the error that readers expect."""
        async with raw_server(answer_once(HALF)) as server:
            async with http_client.request("GET", server.url) as response:
                pass
            with pytest.raises(HttpError) as caught:
                await response.read(10)

        expect(_facts(caught.value), ("body", "sent", "in time"))

    async def test_a_silent_server_is_a_timeout_in_the_head(self, http_client: HttpClient) -> None:
        """And its connection is closed."""
        async with raw_server(answer_once()) as server:
            error = await failure(http_client, server.url, timeouts=Timeouts(first_byte=BRIEF_S))
            await wait_gone(server.peers[0])

        expect(_facts(error), ("head", "sent", "late"))

    async def test_a_slow_answer_does_not_use_up_the_bound_on_connecting(
        self, http_client: HttpClient
    ) -> None:
        """From the connection on it is the head's own."""

        async def script(peer: Peer) -> None:
            await peer.ask()
            await asyncio.sleep(DUE_S * 1.5)
            await peer.send(OK)

        async with raw_server(script) as server:
            answered = await ask(http_client, server.url, timeouts=Timeouts(connect=DUE_S))

        expect(answered.body, b"ok")

    async def test_a_body_that_stops_coming_is_a_timeout_in_the_body(
        self, http_client: HttpClient
    ) -> None:
        """And its connection is closed."""
        async with raw_server(answer_once(HALF)) as server:
            error = await failure(http_client, server.url, timeouts=Timeouts(idle=BRIEF_S))
            await wait_gone(server.peers[0])

        expect(_facts(error), ("body", "sent", "late"))

    async def test_a_steady_body_may_take_longer_than_the_idle_bound(
        self, http_client: HttpClient
    ) -> None:
        """The bound is on each wait, not on their sum."""

        async def script(peer: Peer) -> None:
            await peer.ask()
            await peer.send(CHUNKED)
            for _ in range(8):
                await asyncio.sleep(DUE_S / 4)
                await peer.send(b"1\r\nx\r\n")
            await peer.send(b"0\r\n\r\n")

        async with raw_server(script) as server:
            answered = await ask(http_client, server.url, timeouts=Timeouts(idle=DUE_S))

        expect(answered.body, b"x" * 8)

    async def test_a_slow_reader_does_not_use_up_the_idle_bound(
        self, http_client: HttpClient
    ) -> None:
        """It runs only while the body is being waited for."""
        release = asyncio.Event()

        async def script(peer: Peer) -> None:
            await peer.ask()
            await peer.send(CHUNKED + b"1\r\na\r\n")
            await release.wait()
            await peer.send(b"1\r\nb\r\n0\r\n\r\n")

        async with (
            raw_server(script) as server,
            http_client.request("GET", server.url, timeouts=Timeouts(idle=DUE_S)) as response,
        ):
            first = await anext(aiter(response))
            await asyncio.sleep(DUE_S * 1.5)
            release.set()
            rest = await response.read(10)

        expect((first, rest), (b"a", b"b"))

    async def test_the_deadline_ends_the_wait_for_the_head(self, http_client: HttpClient) -> None:
        """Although the bound on that wait is far."""
        async with raw_server(answer_once()) as server:
            error = await failure(http_client, server.url, deadline=time.monotonic() + DUE_S)

        expect(_facts(error), ("head", "sent", "late"))

    async def test_the_deadline_ends_a_body_that_never_pauses(
        self, http_client: HttpClient
    ) -> None:
        """No wait is long, and yet it ends."""

        async def script(peer: Peer) -> None:
            await peer.ask()
            await peer.send(b"HTTP/1.1 200 OK\r\n\r\n")
            while True:
                await peer.send(b"x")
                await asyncio.sleep(0.001)

        async with raw_server(script) as server:
            error = await failure(http_client, server.url, deadline=time.monotonic() + DUE_S)

        expect(_facts(error), ("body", "sent", "late"))

    async def test_the_deadline_holds_for_a_reader_that_comes_back_after_it(
        self, http_client: HttpClient
    ) -> None:
        """Even for what has come meanwhile."""
        async with (
            raw_server(answer_once(HALF)) as server,
            http_client.request("GET", server.url, deadline=time.monotonic() + DUE_S) as response,
        ):
            await asyncio.sleep(DUE_S * 1.5)
            with pytest.raises(HttpError) as caught:
                await response.read(10)

        expect(_facts(caught.value), ("body", "sent", "late"))

    async def test_nothing_is_sent_after_the_deadline(self, http_client: HttpClient) -> None:
        """Not even a connection is made."""
        async with raw_server(answer(OK)) as server:
            error = await failure(http_client, server.url, deadline=time.monotonic() - 1)

        expect((error.unsent, error.is_timeout, len(server.peers)), (True, True, 0))

    async def test_a_callers_own_timeout_stays_the_callers(self, http_client: HttpClient) -> None:
        """A cancellation from outside is not taken for the client's own."""
        async with raw_server(answer_once()) as server:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(BRIEF_S):
                    await ask(http_client, server.url)
            await wait_gone(server.peers[0])

    async def test_a_timeout_leaves_no_cancellation_behind(self, http_client: HttpClient) -> None:
        """Or the next `asyncio.timeout` of the caller would misread it."""
        async with raw_server(answer_once()) as server:
            await failure(http_client, server.url, timeouts=Timeouts(first_byte=BRIEF_S))

        task = asyncio.current_task()
        expect(task.cancelling() if task else None, 0)


def _printed(error: HttpError) -> str:
    """Return what a log would show of it."""
    return "".join(traceback.format_exception(error))


def _facts(error: HttpError) -> tuple[str, str, str]:
    return (
        error.phase,
        "unsent" if error.unsent else "sent",
        "late" if error.is_timeout else "in time",
    )

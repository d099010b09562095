"""What an `HttpClient` sends, and what an answer becomes."""

import asyncio
import gzip
import tracemalloc

import pytest

from gateway.sdk.http import HttpClient, TooLargeError
from gateway.testing.http_probe import BODY_BYTES, HTTP_OK, ask, expect, failure, spin, wait_gone
from gateway.testing.raw_server import CHUNKED, OK, Peer, answer, answer_once, raw_server

_FRAMINGS = [
    pytest.param((b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabcdef",), id="length"),
    pytest.param((CHUNKED, b"2\r\nab\r\n", b"4\r\ncd", b"ef\r\n0\r\n\r\n"), id="chunked"),
    pytest.param((b"HTTP/1.1 200 OK\r\n\r\nabc", b"def"), id="until close"),
]
_BODILESS = [
    ("GET", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
    ("GET", b"HTTP/1.1 204 No Content\r\n\r\n"),
    ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n"),
]
_TOO_LARGE = [
    pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n", id="said"),
    pytest.param(CHUNKED + b"3e8\r\n" + b"x" * 1000 + b"\r\n", id="found out"),
]
_BOMB_BYTES = 64 * 1024 * 1024


class HttpAnswers:
    """Statuses, headers, bodies and their sizes."""

    @pytest.mark.parametrize("status", [200, 201, 302, 401, 404, 429, 500, 503])
    async def test_every_status_is_a_value(self, http_client: HttpClient, status: int) -> None:
        """None raises, and none is acted on."""
        head = f"HTTP/1.1 {status} Whatever\r\nLocation: /x\r\nContent-Length: 2\r\n\r\nok"
        async with raw_server(answer(head.encode())) as server:
            answered = await ask(http_client, server.url)

        expect((answered.status, answered.body, len(server.asked)), (status, b"ok", 1))

    async def test_informational_heads_are_passed_over(self, http_client: HttpClient) -> None:
        """The response is entered at the final head."""
        early = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
        async with raw_server(answer(early, OK)) as server:
            answered = await ask(http_client, server.url)

        expect(answered.status, HTTP_OK)
        expect(list(answered.headers), ["content-length"])

    async def test_header_names_are_lower_case_and_repeats_joined(
        self, http_client: HttpClient
    ) -> None:
        """In the order in which they came."""
        head = b"HTTP/1.1 200 OK\r\nX-One: a\r\nVARY: b\r\nx-oNe: c\r\nContent-Length: 0\r\n\r\n"
        async with raw_server(answer(head)) as server:
            answered = await ask(http_client, server.url)

        expect(answered.headers, {"x-one": "a, c", "vary": "b", "content-length": "0"})

    async def test_header_bytes_that_are_no_text_become_text_that_can_be_encoded(
        self, http_client: HttpClient
    ) -> None:
        """A lone surrogate would fail far from here, when somebody logs or relays it."""
        head = b"HTTP/1.1 200 OK\r\nX-Bytes: caf\xe9\r\nContent-Length: 0\r\n\r\n"
        async with raw_server(answer(head)) as server:
            answered = await ask(http_client, server.url)

        expect(answered.headers["x-bytes"].encode()[:3], b"caf")

    @pytest.mark.parametrize("pieces", _FRAMINGS)
    async def test_every_framing_gives_the_same_body(
        self, http_client: HttpClient, pieces: tuple[bytes, ...]
    ) -> None:
        """Length, chunks, or until the connection closes."""
        async with raw_server(answer_once(*pieces, then="close")) as server:
            answered = await ask(http_client, server.url)

        expect(answered.body, b"abcdef")

    @pytest.mark.parametrize(("method", "head"), _BODILESS)
    async def test_an_answer_without_a_body_is_empty(
        self, http_client: HttpClient, method: str, head: bytes
    ) -> None:
        """Iterated or read, whatever its length header says."""
        async with (
            raw_server(answer(head)) as server,
            http_client.request(method, server.url) as response,
        ):
            pieces = [piece async for piece in response]
            body = await response.read(10)

        expect((pieces, body), ([], b""))

    async def test_a_body_that_comes_byte_by_byte_is_the_same(
        self, http_client: HttpClient
    ) -> None:
        """And no piece of it is empty."""
        text = "data: héllo ✓\n\n".encode()
        wire = CHUNKED + b"%x\r\n%s\r\n0\r\n\r\n" % (len(text), text)
        async with (
            raw_server(answer(*(wire[i : i + 1] for i in range(len(wire))))) as server,
            http_client.request("GET", server.url) as response,
        ):
            pieces = [piece async for piece in response]

        expect((b"".join(pieces), all(pieces)), (text, True))

    async def test_what_iterating_left_over_can_be_read(self, http_client: HttpClient) -> None:
        """There is one body, however it is taken."""
        release = asyncio.Event()

        async def script(peer: Peer) -> None:
            await peer.ask()
            await peer.send(CHUNKED + b"2\r\nab\r\n")
            await release.wait()
            await peer.send(b"2\r\ncd\r\n0\r\n\r\n")

        async with (
            raw_server(script) as server,
            http_client.request("GET", server.url) as response,
        ):
            first = await anext(aiter(response))
            release.set()
            rest = await response.read(100)

        expect((first, rest), (b"ab", b"cd"))

    @pytest.mark.parametrize("size", [0, 10, 3 * 1024 * 1024])
    async def test_the_request_arrives_whole_with_its_length(
        self, http_client: HttpClient, size: int
    ) -> None:
        """Never in chunks: some upstreams don't take them."""
        async with raw_server(answer(OK)) as server:
            url = f"{server.url}/v1/x?a=b%20c"
            await ask(http_client, url, method="POST", headers={"X-Mine": "1"}, body=b"z" * size)

        head, _, body = server.asked[0].partition(b"\r\n\r\n")
        lines = head.lower().split(b"\r\n")
        expect(head.split(b"\r\n")[0], b"POST /v1/x?a=b%20c HTTP/1.1")
        expect(b"x-mine: 1" in lines, wanted=True)
        expect(b"content-length: %d" % size in lines, wanted=True)
        expect(b"transfer-encoding" in head.lower(), wanted=False)
        expect(body == b"z" * size, wanted=True)

    async def test_a_header_that_would_begin_another_is_never_sent(
        self, http_client: HttpClient
    ) -> None:
        """A line break in a value is a failure."""
        async with raw_server(answer(OK)) as server:
            await failure(http_client, server.url, headers={"X-A": "1\r\nX-Evil: 2"})

        expect(server.asked, [])

    @pytest.mark.parametrize("name", ["Content-Length", "transfer-encoding"])
    async def test_a_header_that_frames_the_body_is_never_sent(
        self, http_client: HttpClient, name: str
    ) -> None:
        """Two opinions on where a request ends are how another is smuggled."""
        async with raw_server(answer(OK)) as server:
            error = await failure(http_client, server.url, headers={name: "5"}, body=b"hello")

        expect((error.phase, error.unsent, server.asked), ("connect", True, []))

    async def test_headers_that_were_changed_since_are_sent_as_they_are(
        self, http_client: HttpClient
    ) -> None:
        """Although it is the same mapping: a key may have been renewed."""
        headers = {"X-Key": "old"}
        async with raw_server(answer(OK)) as server:
            await ask(http_client, server.url, headers=headers)
            headers["X-Key"] = "new"
            await ask(http_client, server.url, headers=headers)

        expect([b"x-key: new" in asked.lower() for asked in server.asked], [False, True])

    async def test_what_differs_is_sent_as_it_is(self, http_client: HttpClient) -> None:
        """Method, path and headers, on one connection."""
        async with raw_server(answer(OK)) as server:
            await ask(http_client, f"{server.url}/a", headers={"X-Key": "1"})
            await ask(http_client, f"{server.url}/b", headers={"X-Key": "2"})
            await ask(http_client, f"{server.url}/b", method="POST", headers={"X-Key": "3"})

        asked = [
            (head.split(b" HTTP")[0], head.partition(b"X-Key: ")[2][:1]) for head in server.asked
        ]
        expect(asked, [(b"GET /a", b"1"), (b"GET /b", b"2"), (b"POST /b", b"3")])

    async def test_a_user_in_the_url_is_sent_as_credentials(self, http_client: HttpClient) -> None:
        """And not as part of the host (RFC 7617)."""
        async with raw_server(answer(OK)) as server:
            await ask(http_client, server.url.replace("//", "//me:it%3As@"))

        expect(b"\r\nAuthorization: Basic bWU6aXQ6cw==\r\n" in server.asked[0], wanted=True)
        expect(b"@" in server.asked[0], wanted=False)

    async def test_a_body_that_no_buffer_holds_arrives_whole(self, http_client: HttpClient) -> None:
        """Reading it is what lets more come."""
        size = 8 * 1024 * 1024
        pieces = (b"%x\r\n%s\r\n" % (2**16, b"x" * 2**16) for _ in range(size // 2**16))
        async with (
            raw_server(answer_once(CHUNKED, *pieces, b"0\r\n\r\n")) as server,
            http_client.request("GET", server.url) as response,
        ):
            got = sum([len(piece) async for piece in response])

        expect(got, size)

    async def test_cookies_are_not_kept(self, http_client: HttpClient) -> None:
        """One caller's upstream session is not the next one's."""
        head = b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Length: 2\r\n\r\nok"
        async with raw_server(answer(head)) as server:
            await ask(http_client, server.url)
            await ask(http_client, server.url)

        expect(b"cookie" in server.asked[1].lower(), wanted=False)

    async def test_proxies_of_the_environment_are_not_used(
        self, http_client: HttpClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What leads requests elsewhere stands in the configuration."""
        async with raw_server(answer(OK)) as server, raw_server(answer(OK)) as proxy:
            for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
                monkeypatch.setenv(name, proxy.url)
            await ask(http_client, server.url)

        expect((len(server.asked), len(proxy.peers)), (1, 0))

    async def test_a_body_of_exactly_the_limit_is_read(self, http_client: HttpClient) -> None:
        """The limit is what may come."""
        async with raw_server(answer(OK)) as server:
            answered = await ask(http_client, server.url, limit=2)

        expect(answered.body, b"ok")

    @pytest.mark.parametrize("begun", _TOO_LARGE)
    async def test_a_body_over_the_limit_is_refused_and_its_connection_closed(
        self, http_client: HttpClient, begun: bytes
    ) -> None:
        """Whether the head says so or not."""
        async with raw_server(answer_once(begun)) as server:
            error = await failure(http_client, server.url, limit=999)
            await wait_gone(server.peers[0])

        expect((type(error), getattr(error, "limit", None)), (TooLargeError, 999))

    async def test_the_clients_own_bound_holds_when_the_reader_allows_more(
        self, http_client: HttpClient
    ) -> None:
        """It is the operator's."""
        head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (BODY_BYTES + 1)
        async with raw_server(answer_once(head)) as server:
            error = await failure(http_client, server.url, limit=BODY_BYTES * 10)

        expect((type(error), getattr(error, "limit", None)), (TooLargeError, BODY_BYTES))

    async def test_a_compressed_body_is_inflated(self, http_client: HttpClient) -> None:
        """Some servers compress for those who did not ask."""
        async with raw_server(answer(_gzipped(b"hello"))) as server:
            answered = await ask(http_client, server.url)

        expect(answered.body, b"hello")

    async def test_a_bomb_is_refused_by_its_inflated_size(self, http_client: HttpClient) -> None:
        """64 KB on the wire, 64 MB of zeros."""
        async with raw_server(answer_once(_gzipped(bytes(_BOMB_BYTES)))) as server:
            error = await failure(http_client, server.url)

        expect(type(error), TooLargeError)

    async def test_a_bomb_inflates_no_further_than_it_is_pulled(
        self, http_client: HttpClient
    ) -> None:
        """One piece costs a few MB at most, however long the reader then waits."""
        async with (
            raw_server(answer_once(_gzipped(bytes(_BOMB_BYTES)))) as server,
            http_client.request("GET", server.url) as response,
        ):
            tracemalloc.start()
            try:
                piece = await anext(aiter(response))
                await spin()
                _, peak_bytes = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()

        expect(0 < len(piece) <= 2 * BODY_BYTES, wanted=True)
        expect(peak_bytes < 8 * BODY_BYTES, wanted=True)


def _gzipped(body: bytes) -> bytes:
    packed = gzip.compress(body)
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed)
    return head + packed

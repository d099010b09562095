"""Callers' URLs against a canary on loopback that must never be hit, unless it is allowed."""

import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from gateway.sdk.http import HttpClient, HttpError, Timeouts, TooLargeError
from gateway.sdk.providers import Clock
from gateway.testing.http_probe import BRIEF_S, DUE_S, ask, failure
from gateway.testing.raw_server import HALF, OK, Peer, RawServer, answer, answer_once, raw_server
from gateway.transport.fetch import MAX_REDIRECTS, connect_fetch


class Names(AbstractResolver):
    """A resolver with a script: each look-up of a name takes the next of its answers."""

    def __init__(self, answers: Mapping[str, Sequence[Sequence[str]]]) -> None:
        self._answers = {name: list(scripted) for name, scripted in answers.items()}

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=0,
            )
            for address in self._answers[host].pop(0)
        ]

    async def close(self) -> None:
        """Nothing is open."""


@pytest.fixture
async def canary() -> AsyncIterator[RawServer]:
    async with raw_server(answer(OK)) as server:
        yield server


@asynccontextmanager
async def fetching(
    clock: Clock, *allowed: RawServer, names: Mapping[str, Sequence[Sequence[str]]] | None = None
) -> AsyncIterator[HttpClient]:
    """A client that may reach `allowed`, and knows `names`."""
    async with connect_fetch(
        [f"127.0.0.1:{server.port}" for server in allowed],
        clock=clock,
        resolver=None if names is None else Names(names),
    ) as fetch:
        yield fetch


def redirect(location: str, status: int = 302) -> bytes:
    return f"HTTP/1.1 {status} Go\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode()


# Spellings of this machine. Where the phase is `connect` the URL itself is refused.
LOOPBACK_HOSTS = [
    ("127.0.0.1", "guard"),
    ("127.0.0.2", "guard"),
    ("localhost", "guard"),
    ("LOCALHOST", "guard"),
    ("0.0.0.0", "guard"),  # noqa: S104 - as a host in a URL.
    ("2130706433", "connect"),
    ("127.1", "connect"),
    ("0177.0.0.1", "connect"),
    ("0x7f000001", "guard"),
    ("0x7f.1", "guard"),
    ("①②⑦.⓪.⓪.①", "guard"),
    ("[::1]", "guard"),
    ("[::]", "guard"),
    ("[::ffff:127.0.0.1]", "guard"),
    ("[::ffff:7f00:1]", "guard"),
    ("[::127.0.0.1]", "guard"),
    ("[64:ff9b::7f00:1]", "guard"),
    ("[64:ff9b:1::7f00:1]", "guard"),
    ("[2002:7f00:1::]", "guard"),
    ("[2001:0:7f00:1::]", "guard"),
    ("[::1%25lo]", "guard"),
]
OTHER_URLS = [
    "http://169.254.169.254/latest/meta-data/",
    "http://[fd00:ec2::254]/",
    "http://100.100.100.200/",
    "http://10.0.0.1/",
    "http://192.168.0.1/",
    "http://224.0.0.1/",
    "http://user@127.0.0.1/",
    "http://example.com:80@127.0.0.1/",
    "http://:secret@127.0.0.1/",
    "file:///etc/passwd",
    "gopher://127.0.0.1:70/_x",
    "ftp://127.0.0.1/",
    "dict://127.0.0.1:11211/stats",
    "ws://127.0.0.1/",
    "data:text/plain,hello",
    "//127.0.0.1/",
    "/etc/passwd",
    "http:127.0.0.1",
    "http://",
    "http://[::",
    "",
]


@pytest.mark.parametrize(("host", "phase"), LOOPBACK_HOSTS)
@pytest.mark.parametrize("on_web_port", [True, False])
async def test_no_spelling_of_this_machine_reaches_it(
    clock: Clock, canary: RawServer, host: str, phase: str, *, on_web_port: bool
) -> None:
    async with fetching(clock) as fetch:
        error = await failure(fetch, f"http://{host}:{80 if on_web_port else canary.port}/")

    assert (error.phase, error.unsent) == (phase, True)
    assert canary.peers == []


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0x7f000001", "[::ffff:127.0.0.1]"])
async def test_the_same_spellings_do_reach_it_when_it_is_allowed(
    clock: Clock, canary: RawServer, host: str
) -> None:
    async with fetching(clock, canary) as fetch:
        answered = await ask(fetch, f"http://{host}:{canary.port}/")

    assert (answered.body, len(canary.asked)) == (b"ok", 1)


@pytest.mark.parametrize("url", OTHER_URLS)
async def test_what_is_not_of_the_open_web_is_refused(
    clock: Clock, canary: RawServer, url: str
) -> None:
    async with fetching(clock, canary) as fetch:
        error = await failure(fetch, url)

    assert (error.phase, error.unsent) == ("guard", True)
    assert canary.peers == []


@pytest.mark.parametrize("user", ["user", "user:word", ":word"])
async def test_a_url_with_a_user_is_refused_wherever_it_leads(
    clock: Clock, canary: RawServer, user: str
) -> None:
    async with fetching(clock, canary) as fetch:
        error = await failure(fetch, canary.url.replace("//", f"//{user}@"))

    assert (error.phase, error.unsent) == ("guard", True)
    assert canary.peers == []


# Names.


async def test_a_name_that_leads_inside_is_refused(clock: Clock, canary: RawServer) -> None:
    names = {"evil.test": [["127.0.0.1"]]}
    async with fetching(clock, names=names) as fetch:
        error = await failure(fetch, f"http://evil.test:{canary.port}/")

    assert (error.phase, canary.peers) == ("guard", [])
    assert "127.0.0.1" not in str(error)


async def test_a_name_that_changes_its_mind_is_judged_anew(clock: Clock, canary: RawServer) -> None:
    names = {"rebind.test": [["127.0.0.1"], ["127.0.0.2"]]}
    url = f"http://rebind.test:{canary.port}/"
    async with fetching(clock, canary, names=names) as fetch:
        first = await ask(fetch, url)
        error = await failure(fetch, url)

    assert (first.body, error.phase, len(canary.peers)) == (b"ok", "guard", 1)


async def test_a_name_is_reached_at_those_of_its_addresses_that_may_be(
    clock: Clock, canary: RawServer
) -> None:
    names = {"mixed.test": [["127.0.0.2", "::1", "127.0.0.1"]]}
    async with fetching(clock, canary, names=names) as fetch:
        answered = await ask(fetch, f"http://mixed.test:{canary.port}/")

    assert answered.body == b"ok"


async def test_a_name_with_several_inner_addresses_is_refused(
    clock: Clock, canary: RawServer
) -> None:
    names = {"evil.test": [["127.0.0.1", "::1", "10.0.0.1"]]}
    async with fetching(clock, names=names) as fetch:
        error = await failure(fetch, f"http://evil.test:{canary.port}/")

    assert (error.phase, canary.peers) == ("guard", [])


# Redirects.


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_followed_with_a_get(
    clock: Clock, canary: RawServer, status: int
) -> None:
    go = redirect(f"{canary.url}/there?x=1", status)
    async with raw_server(answer(go)) as first, fetching(clock, first, canary) as fetch:
        answered = await ask(fetch, first.url)

    assert answered.body == b"ok"
    assert canary.asked[0].startswith(b"GET /there?x=1 HTTP/1.1\r\n")


async def test_a_redirect_may_be_relative(clock: Clock) -> None:
    async def script(peer: Peer) -> None:
        asked = await peer.ask()
        await peer.send(OK if b" /b/d " in asked else redirect("../b/d"))

    async with raw_server(script) as server, fetching(clock, server) as fetch:
        answered = await ask(fetch, f"{server.url}/a/c")

    assert answered.body == b"ok"


async def test_a_redirect_inside_is_refused(clock: Clock, canary: RawServer) -> None:
    go = redirect(f"{canary.url}/")
    async with raw_server(answer(go)) as first, fetching(clock, first) as fetch:
        error = await failure(fetch, first.url)

    assert (error.phase, error.unsent, canary.peers) == ("guard", False, [])


@pytest.mark.parametrize(
    "location", ["file:///etc/passwd", "gopher://127.0.0.1/", "http://me@127.0.0.1/", "http://[::"]
)
async def test_a_redirect_to_what_is_no_web_url_fails(clock: Clock, location: str) -> None:
    async with raw_server(answer(redirect(location))) as server, fetching(clock, server) as fetch:
        error = await failure(fetch, server.url)

    assert (error.phase in {"guard", "head"}, error.unsent) == (True, False)
    assert len(server.asked) == 1


async def test_a_loop_of_redirects_ends(clock: Clock) -> None:
    async with raw_server(answer(redirect("/"))) as server, fetching(clock, server) as fetch:
        error = await failure(fetch, server.url)

    assert (error.phase, error.unsent) == ("head", False)
    assert len(server.asked) == MAX_REDIRECTS + 1


async def test_a_redirect_that_leads_nowhere_is_a_value(clock: Clock) -> None:
    head = b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n"
    async with raw_server(answer(head)) as server, fetching(clock, server) as fetch:
        answered = await ask(fetch, server.url)

    assert answered.status == 302


# What is sent, and how much may come.


async def test_a_stranger_sees_no_credential_and_no_cookie(clock: Clock) -> None:
    go = b"HTTP/1.1 302 Go\r\nLocation: /x\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n"
    headers = {"Accept": "image/*", "Authorization": "Bearer x", "Cookie": "a=b", "X-Api-Key": "x"}
    async with (
        raw_server(answer_once(go, then="close")) as server,
        fetching(clock, server) as fetch,
    ):
        await failure(fetch, server.url, headers=headers)
        await failure(fetch, server.url, headers=headers)

    names = {line.split(b":")[0].lower() for ask in server.asked for line in ask.split(b"\r\n")[1:]}
    assert names == {b"", b"accept", b"accept-encoding", b"connection", b"host", b"user-agent"}


async def test_no_connection_outlives_its_request(clock: Clock, canary: RawServer) -> None:
    async with fetching(clock, canary) as fetch:
        await ask(fetch, canary.url)
        await ask(fetch, canary.url)

    assert len(canary.peers) == 2


@pytest.mark.parametrize(("method", "body"), [("POST", b""), ("HEAD", b""), ("GET", b"x")])
async def test_only_a_get_without_a_body_can_be_asked_for(
    clock: Clock, canary: RawServer, method: str, body: bytes
) -> None:
    async with fetching(clock, canary) as fetch:
        with pytest.raises(ValueError, match="GET, without a body"):
            fetch.request(method, canary.url, body=body)

    assert canary.peers == []


async def test_a_body_over_the_operators_bound_is_refused(clock: Clock, canary: RawServer) -> None:
    allow = [f"127.0.0.1:{canary.port}"]
    async with connect_fetch(allow, clock=clock, body_bytes=1) as fetch:
        error = await failure(fetch, canary.url)

    assert isinstance(error, TooLargeError)


async def test_the_bounds_in_time_hold(clock: Clock) -> None:
    async with raw_server(answer_once(HALF)) as server, fetching(clock, server) as fetch:
        idle = await failure(fetch, server.url, timeouts=Timeouts(idle=BRIEF_S))
        total = await failure(fetch, server.url, deadline=clock.monotonic() + DUE_S)

    assert [(error.phase, error.is_timeout) for error in (idle, total)] == [("body", True)] * 2


async def test_a_malformed_entry_of_the_configuration_stops_the_start(clock: Clock) -> None:
    with pytest.raises(ValueError, match=r"images\.internal"):
        async with connect_fetch(["images.internal"], clock=clock):
            pass


async def test_a_hop_that_fails_to_answer_is_an_http_error(clock: Clock) -> None:
    async with raw_server(answer_once(then="reset")) as server, fetching(clock, server) as fetch:
        with pytest.raises(HttpError) as caught:
            await ask(fetch, server.url)

    assert (caught.value.phase, caught.value.unsent) == ("head", False)

"""The conformance suite on aiohttp's client, and what is this client's own."""

import asyncio
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

import pytest

from gateway.config.upstreams import ProviderHttp
from gateway.sdk.http import HttpClient, HttpError, Timeouts
from gateway.sdk.providers import Clock
from gateway.testing.http_conformance import HttpConformance
from gateway.testing.http_probe import BRIEF_S, ask, failure, spin
from gateway.testing.raw_server import (
    HALF,
    OK,
    Peer,
    Script,
    answer,
    answer_once,
    raw_server,
)
from gateway.transport.client import connect_http

PROXY_WORD = "open-sesame"
DESCRIPTORS = Path("/proc/self/fd")


class TestConformance(HttpConformance):
    """aiohttp's client behaves as every `HttpClient` must."""


async def test_bodies_are_asked_for_uncompressed(http_client: HttpClient) -> None:
    async with raw_server(answer(OK)) as server:
        await ask(http_client, server.url)

    assert b"\r\naccept-encoding: identity\r\n" in server.asked[0].lower()


async def test_the_providers_connect_bound_holds_when_the_call_sets_none(clock: Clock) -> None:
    settings = ProviderHttp(connections=1, connect_s=BRIEF_S)
    async with (
        raw_server(answer_once(HALF)) as server,
        connect_http(settings, clock=clock) as client,
        client.request("GET", server.url),
    ):
        error = await failure(client, server.url)

    assert (error.phase, error.is_timeout) == ("pool", True)


async def test_closing_the_client_fails_what_is_in_flight(clock: Clock) -> None:
    reached = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.ask()
        reached.set()
        await peer.wait_gone()

    async with raw_server(script) as server, asyncio.TaskGroup() as group:
        async with connect_http(ProviderHttp(), clock=clock) as client:
            task = group.create_task(failure(client, server.url))
            await reached.wait()
        error = await task

    assert (error.phase, error.unsent) == ("head", False)


@pytest.mark.asyncio(loop_factories=["asyncio"])  # uvloop asks libuv, not Python's socket module.
async def test_closing_the_client_fails_what_waits_for_a_name(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = asyncio.get_running_loop()
    asked = asyncio.Event()
    release = threading.Event()

    def getaddrinfo(*_: object, **__: object) -> NoReturn:
        loop.call_soon_threadsafe(asked.set)
        release.wait()
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    async with asyncio.TaskGroup() as group:
        async with connect_http(ProviderHttp(), clock=clock) as client:
            task = group.create_task(failure(client, "http://slow.test/"))
            await asked.wait()
        error = await task
        release.set()

    assert (error.phase, error.unsent, error.is_timeout) == ("connect", True, False)


async def test_a_closed_client_fails_unsent(clock: Clock) -> None:
    async with connect_http(ProviderHttp(), clock=clock) as client:
        pass

    async with raw_server(answer(OK)) as server:
        error = await failure(client, server.url)

    assert (error.phase, error.unsent) == ("connect", True)
    assert server.peers == []


@pytest.mark.skipif(not DESCRIPTORS.exists(), reason="needs /proc")
async def test_a_peer_that_takes_nothing_costs_no_descriptor_once_given_up(
    http_client: HttpClient,
) -> None:
    reached = asyncio.Event()
    release = asyncio.Event()

    async def script(_: Peer) -> None:
        reached.set()
        await release.wait()

    async with raw_server(script) as server, asyncio.TaskGroup() as group:
        task = group.create_task(
            failure(
                http_client,
                server.url,
                method="POST",
                body=bytes(16 * 1024 * 1024),
                timeouts=Timeouts(first_byte=BRIEF_S),
            )
        )
        await reached.wait()
        during = _open_descriptors()
        error = await task
        await spin()
        after = _open_descriptors()
        release.set()

    assert error.is_timeout
    assert after == during - 1


def _open_descriptors() -> int:
    return len(list(DESCRIPTORS.iterdir()))


# Proxies.


async def test_a_proxy_gets_the_whole_url_and_its_own_credentials(clock: Clock) -> None:
    async with raw_server(answer(OK)) as proxy:
        url = proxy.url.replace("//", f"//me:{PROXY_WORD}@")
        async with connect_http(ProviderHttp(proxy=url), clock=clock) as client:
            answered = await ask(client, "http://upstream.invalid/v1/x")

    assert answered.body == b"ok"
    assert proxy.asked[0].startswith(b"GET http://upstream.invalid/v1/x HTTP/1.1\r\n")
    assert b"\r\nproxy-authorization: basic " in proxy.asked[0].lower()


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (answer(b"HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n"), "answered 407"),
        (answer_once(then="reset"), "the connection broke"),
    ],
)
async def test_a_proxy_that_opens_no_tunnel_fails_unsent_and_unnamed(
    clock: Clock, script: Script, reason: str
) -> None:
    async with raw_server(script) as proxy:
        url = proxy.url.replace("//", f"//me:{PROXY_WORD}@")
        async with connect_http(ProviderHttp(proxy=url), clock=clock) as client:
            error = await failure(client, "https://upstream.invalid/")

    assert (error.phase, error.unsent) == ("connect", True)
    assert reason in str(error)
    assert PROXY_WORD not in str(error)
    assert proxy.asked[0].startswith(b"CONNECT upstream.invalid:443 HTTP/1.1\r\n")


async def test_a_proxy_tunnels_what_is_encrypted(
    clock: Clock, certificate: Path, tls_url: str
) -> None:
    opened: list[bytes] = []

    async def tunnel(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        opened.append(await reader.readuntil(b"\r\n\r\n"))
        host, _, port = opened[0].split()[1].decode().partition(":")
        there, back = await asyncio.open_connection(host, int(port))
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        await asyncio.gather(_pipe(reader, back), _pipe(there, writer))

    server = await asyncio.start_server(tunnel, "127.0.0.1", 0)
    proxy = f"http://me:{PROXY_WORD}@127.0.0.1:{server.sockets[0].getsockname()[1]}"
    settings = ProviderHttp(proxy=proxy, ca_file=str(certificate))
    async with connect_http(settings, clock=clock) as client:
        answered = await ask(client, tls_url)
    server.close()

    assert answered.body == b"ok"
    assert b"\r\nproxy-authorization: basic " in opened[0].lower()


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(2**16):
            writer.write(data)
    writer.close()


async def test_a_proxy_that_is_not_there_fails_unsent(clock: Clock) -> None:
    async with raw_server(answer(OK)) as proxy:
        url = proxy.url

    async with connect_http(ProviderHttp(proxy=url), clock=clock) as client:
        error = await failure(client, "http://upstream.invalid/")

    assert (error.phase, error.unsent) == ("connect", True)
    assert "the proxy cannot be reached" in str(error)


@pytest.mark.parametrize("value", ["socks5://h:1", "h:3128", "http://", f"http://{PROXY_WORD}@h:x"])
async def test_a_proxy_that_cannot_be_used_is_refused_without_being_shown(
    clock: Clock, value: str
) -> None:
    with pytest.raises(ValueError, match=r"http\.proxy") as caught:
        async with connect_http(ProviderHttp(proxy=value), clock=clock):
            pass

    assert PROXY_WORD not in str(caught.value)


# Trust.


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate for 127.0.0.1, signed by itself, and its key in the same file."""
    if (openssl := shutil.which("openssl")) is None:
        pytest.skip("needs openssl")
    key, cert, both = tmp_path / "key.pem", tmp_path / "cert.pem", tmp_path / "both.pem"
    subprocess.run(
        [
            *(openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-keyout", key, "-out", cert, "-days", "1", "-subj", "/CN=test"),
            *("-addext", "subjectAltName=IP:127.0.0.1"),
        ],
        check=True,
        capture_output=True,
    )
    both.write_text(cert.read_text() + key.read_text())
    return both


@pytest.fixture
async def tls_url(certificate: Path) -> AsyncIterator[str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    server.close()


async def test_a_certificate_of_the_ca_file_is_trusted(
    clock: Clock, certificate: Path, tls_url: str
) -> None:
    async with connect_http(ProviderHttp(ca_file=str(certificate)), clock=clock) as client:
        answered = await ask(client, tls_url)

    assert answered.body == b"ok"


async def test_a_certificate_that_nobody_signed_is_not_trusted(clock: Clock, tls_url: str) -> None:
    async with connect_http(ProviderHttp(), clock=clock) as client:
        error = await failure(client, tls_url)

    assert (error.phase, error.unsent) == ("connect", True)
    assert "not trusted: self-signed certificate" in str(error)


async def test_tls_to_a_server_without_it_fails_unsent(http_client: HttpClient) -> None:
    async with raw_server(answer_once(OK, then="close")) as server:
        error = await failure(
            http_client,
            server.url.replace("http://", "https://"),
            timeouts=Timeouts(connect=BRIEF_S),
        )

    assert (error.phase, error.unsent) == ("connect", True)


async def test_a_ca_file_that_is_not_there_is_named(clock: Clock, tmp_path: Path) -> None:
    path = str(tmp_path / "absent.pem")

    with pytest.raises(ValueError, match=r"absent\.pem"):
        async with connect_http(ProviderHttp(ca_file=path), clock=clock):
            pass


async def test_an_error_from_outside_is_an_http_error_once(http_client: HttpClient) -> None:
    with pytest.raises(HttpError) as caught:
        await ask(http_client, "nonsense")

    assert str(caught.value) == "the URL: the URL is not one of http or https"

"""The head of a request, as the bytes that go out."""

import re
from base64 import b64encode
from collections.abc import Iterator, Mapping
from typing import Final

from yarl import URL

from gateway.transport.faults import UrlError

_TOKEN: Final = re.compile(r"[-!#$%&'*+.^_`|~0-9A-Za-z]+")
_BREAK: Final = re.compile(r"[\r\n\0]")
_LENGTHLESS: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
"""They have no body unless one is given (RFC 9110, 8.6)."""

_FRAMING: Final = frozenset({"content-length", "transfer-encoding"})
"""How long the body is, its bytes say; a second opinion is how requests are smuggled."""


def parse_web_url(text: str) -> URL:
    """Return `text` parsed; raise `UrlError` unless it is http or https and has a host."""
    try:
        url = URL(text)
    except ValueError:
        raise UrlError from None
    if url.scheme not in {"http", "https"} or not url.raw_host:
        raise UrlError
    return url


def head_of(
    method: str, url: URL, headers: Mapping[str, str], *, proxy: URL | None, is_kept: bool
) -> bytes:
    """Return the request line and the headers, each with its line end.

    Not the length and the blank line, which change from request to request. `headers` win over
    what is sent by default and over a user in `url`. `proxy` is one that sees the request: not a
    tunnel. Raises ValueError, without the text, for what cannot be sent.
    """
    target = url.raw_path_qs if proxy is None else str(url.with_user(None).with_fragment(None))
    given = {name.lower() for name in headers}
    if not _TOKEN.fullmatch(method) or not given.isdisjoint(_FRAMING):
        raise _unsendable()
    lines = [f"{method} {target} HTTP/1.1"]
    lines += (
        f"{name}: {value}"
        for name, value in _defaults(url, proxy, is_kept=is_kept)
        if name.lower() not in given
    )
    for name, value in headers.items():
        if not _TOKEN.fullmatch(name):
            raise _unsendable()
        lines.append(f"{name}: {value}")
    if any(map(_BREAK.search, lines)):
        raise _unsendable()
    return "".join(f"{line}\r\n" for line in lines).encode()


def request_bytes(head: bytes, method: str, body: bytes) -> bytes:
    """Return `head` ended by the blank line, with the length of `body` if that has to be said."""
    if body or method not in _LENGTHLESS:
        return b"%bContent-Length: %d\r\n\r\n" % (head, len(body))
    return head + b"\r\n"


def _defaults(url: URL, proxy: URL | None, *, is_kept: bool) -> Iterator[tuple[str, str]]:
    yield "Host", url.host_port_subcomponent or ""
    yield "Accept", "*/*"
    # Identity costs no CPU, and a body that needs no inflating cannot be a bomb.
    yield "Accept-Encoding", "identity"
    yield "User-Agent", "dynagate"
    if not is_kept:
        yield "Connection", "close"
    if (basic := _basic(url)) is not None:
        yield "Authorization", basic
    if proxy is not None and (basic := _basic(proxy)) is not None:
        yield "Proxy-Authorization", basic


def _basic(url: URL) -> str | None:
    """Return the credentials of `url` (RFC 7617)."""
    if url.user is None and url.password is None:
        return None
    pair = f"{url.user or ''}:{url.password or ''}"
    return f"Basic {b64encode(pair.encode()).decode()}"


def _unsendable() -> ValueError:
    # Without the method or header: that a key ends in a line break is a common mistake.
    return ValueError("a header that cannot be sent")

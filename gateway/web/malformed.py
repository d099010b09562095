"""What is wrong with bytes that are no request we take, in the contract's codes.

Nothing here repeats what the caller sent: not the answer, not the log.
"""

from typing import NamedTuple

from aiohttp.http import HttpVersion10, HttpVersion11, RawRequestMessage
from aiohttp.http_exceptions import LineTooLong
from yarl import URL

from gateway.config.listeners import Bounds
from gateway.schema.failure import CallError

_VERSIONS = (HttpVersion11, HttpVersion10)


class ParserLimits(NamedTuple):
    """What the parser is told to refuse: bytes of a request's target and of a header's value."""

    target: int
    field: int


def parser_limits(bounds: Bounds) -> ParserLimits:
    """Return the limits that `bounds` mean, never equal.

    The parser raises one and the same error for both and says only which number was passed, so one
    byte more for headers tells them apart where the operator set both alike.
    """
    target, field = bounds.request_line_bytes, bounds.header_bytes
    return ParserLimits(target, field + 1 if field == target else field)


def complaint(error: BaseException, bounds: Bounds) -> CallError:
    """Return what the caller is told about an error that aiohttp's parser raised."""
    if isinstance(error, LineTooLong):
        if error.args[1] == parser_limits(bounds).target:
            return CallError(
                "uri_too_long",
                f"the request line is longer than {bounds.request_line_bytes} bytes; "
                "send long texts in the body of a POST",
            )
        return CallError(
            "headers_too_large", f"a header is longer than {bounds.header_bytes} bytes"
        )
    # The parser has no class of its own for this one (aiohttp 3.14.5, _http_parser.pyx).
    if getattr(error, "message", "") == "Too many headers received":
        return CallError("headers_too_large", f"there are more than {bounds.headers} headers")
    return bad_request("this is not a valid HTTP/1.1 request")


def bad_request(message: str) -> CallError:
    """Return a 400 that says `message`."""
    return CallError("bad_request", message)


def objection(message: RawRequestMessage) -> CallError | None:
    """Return why a request that the parser let pass is refused, if it is.

    The parser takes HTTP/0.9 and 2.0, chunks in HTTP/1.0 (RFC 9112, 6.1: faulty framing) and
    codings under the chunks that nobody would undo (aiohttp 3.14.5, tried). Each of them is a way
    for a proxy in front of us to see other requests than we do.
    """
    if message.version not in _VERSIONS:
        return bad_request("the HTTP version is neither 1.1 nor 1.0")
    if message.chunked and (
        message.version == HttpVersion10
        or message.headers["Transfer-Encoding"].strip().lower() != "chunked"
    ):
        return bad_request("the only transfer coding is chunked, in HTTP/1.1")
    if message.upgrade and (
        message.method == "CONNECT" or message.headers.get("Upgrade", "").lower() == "websocket"
    ):
        return bad_request("neither tunnels nor WebSockets are offered")
    # aiohttp repeats the value in an answer, which fails when it is no text.
    if not message.headers.get("Expect", "").isascii():
        return bad_request("the only expectation is 100-continue")
    if message.path[0] != "/" and message.path != "*" and not _names_its_host(message):
        return bad_request("the request's target and its Host header name different servers")
    return None


def _names_its_host(message: RawRequestMessage) -> bool:
    """Tell whether an absolute target (`GET http://…`) and `Host` agree.

    Whoever checks the `Host` header must not be got round by a second name in the target.
    """
    target, host = message.url, message.headers.get("Host")
    if target.scheme not in {"http", "https"} or target.raw_user is not None:
        return False
    try:
        return host is None or _place(target) == _place(
            URL.build(scheme=target.scheme, authority=host)
        )
    except ValueError:
        return False


def _place(url: URL) -> tuple[str, int | None]:
    """Return host and port; the parser's own URLs keep the case that they came in."""
    return (url.raw_host or "").lower(), url.port

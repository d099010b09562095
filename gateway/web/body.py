"""Reading a caller's body: one bound on its size, one on its time, and no encodings."""

import asyncio

from aiohttp import hdrs, web
from aiohttp.web_protocol import RequestPayloadError

from gateway.schema.failure import CallError
from gateway.web.malformed import bad_request
from gateway.web.protocol import Protocol
from gateway.web.sameness import note_body


async def read_body(request: web.BaseRequest, limit: int, timeout_s: float) -> bytes:
    """Return the whole body, of at most `limit` bytes, received within `timeout_s`.

    Raises `CallError`: `too_large` (before reading where `Content-Length` tells),
    `request_timeout`, `unsupported_media_type` for a `Content-Encoding`, `bad_request` for
    malformed chunks. The connection is closed after the answer to any of them.
    """
    try:
        check_head(request, limit)
        # Most bodies come with their head; those cost no timer.
        if request.content.is_eof():
            body = await _read(request, limit)
        else:
            async with asyncio.timeout(timeout_s):
                body = await _read(request, limit)
    except TimeoutError:
        error = CallError("request_timeout", f"the body was not complete after {timeout_s:g} s")
        raise last_answer(request, error) from None
    except RequestPayloadError:
        raise last_answer(request, bad_request("the body is malformed")) from None
    except CallError as error:
        raise last_answer(request, error) from None
    note_body(request, body)
    return body


def check_head(request: web.BaseRequest, limit: int) -> None:
    """Refuse what the head says already: an encoding, or a body over `limit` bytes."""
    if hdrs.CONTENT_ENCODING in request.headers:
        encodings = request.headers.getall(hdrs.CONTENT_ENCODING)
        if any(encoding.strip().lower() not in {"", "identity"} for encoding in encodings):
            raise CallError("unsupported_media_type", "send the body without a Content-Encoding")
    if request.content_length is not None and request.content_length > limit:
        raise _too_large(limit)


async def _read(request: web.BaseRequest, limit: int) -> bytes:
    content = request.content
    first = await content.readany()
    if content.at_eof() and len(first) <= limit:  # As mostly: it came with its head.
        return first
    body = bytearray(first)
    while len(body) <= limit:
        chunk = await content.readany()
        if not chunk:
            return bytes(body)
        body += chunk
    raise _too_large(limit)


def _too_large(limit: int) -> CallError:
    return CallError("too_large", f"the body is larger than {limit} bytes")


def last_answer(request: web.BaseRequest, error: CallError) -> CallError:
    """Return `error`, after whose answer the connection is closed: the body was not read."""
    if isinstance(request.protocol, Protocol):
        request.protocol.close_after_response()
    return error

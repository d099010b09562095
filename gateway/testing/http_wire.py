"""HTTP/1.1 as the server of a test speaks it: requests taken from bytes, heads and chunks made."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

from gateway.schema.json import JsonObject, read_object

_MAX_REQUEST_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class UpstreamRequest:
    """What the gateway sent; header names are in lower case.

    `document` is {} unless `body` is a JSON object.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes = b""
    document: JsonObject = field(default_factory=dict)

    @property
    def model(self) -> str:
        """The model that was asked for."""
        return str(self.document.get("model", ""))

    @property
    def is_stream(self) -> bool:
        """Whether a stream was asked for."""
        return self.document.get("stream") is True

    @property
    def is_usage_wanted(self) -> bool:
        """Whether a stream's last chunk is to hold the usage."""
        options = self.document.get("stream_options")
        return isinstance(options, dict) and options.get("include_usage") is True

    @property
    def choices(self) -> int:
        """How many answers were asked for."""
        n = self.document.get("n")
        return n if isinstance(n, int) else 1


def take_request(buffer: bytearray) -> UpstreamRequest | None:
    """Take the next whole request off the front of `buffer`; None while it is incomplete.

    Raises `ValueError` for what is no HTTP/1.1 request or has more than 64 MiB.
    """
    if len(buffer) > _MAX_REQUEST_BYTES:
        msg = f"the request has more than {_MAX_REQUEST_BYTES} bytes"
        raise ValueError(msg)
    head_end = buffer.find(b"\r\n\r\n")
    if head_end < 0:
        return None
    request_line, *lines = bytes(buffer[:head_end]).decode("latin-1").split("\r\n")
    method, path, _version = request_line.split(" ")
    headers: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    body_start = head_end + 4
    if headers.get("transfer-encoding", "").lower() == "chunked":
        found = _take_chunked(buffer, body_start)
        if found is None:
            return None
        body, end = found
    else:
        end = body_start + int(headers.get("content-length", "0"))
        if len(buffer) < end:
            return None
        body = bytes(buffer[body_start:end])
    del buffer[:end]
    return UpstreamRequest(method, path, headers, body, read_object(body) or {})


def head(status: int, headers: Mapping[str, str]) -> bytes:
    """Return a status line and headers, blank line included."""
    try:
        reason = HTTPStatus(status).phrase
    except ValueError:
        reason = "Unknown"
    lines = [f"HTTP/1.1 {status} {reason}", *(f"{name}: {text}" for name, text in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def chunk(data: bytes) -> bytes:
    """Return `data`, which is not empty, as one piece of a chunked body."""
    return b"%x\r\n%s\r\n" % (len(data), data)


LAST_CHUNK = b"0\r\n\r\n"
"""The end of a chunked body without trailers."""


def _take_chunked(buffer: bytearray, start: int) -> tuple[bytes, int] | None:
    body = bytearray()
    while (line_end := buffer.find(b"\r\n", start)) >= 0:
        size = int(bytes(buffer[start:line_end]).partition(b";")[0], 16)
        data_start = line_end + 2
        end = data_start + size + 2
        if len(buffer) < end:
            return None
        if size == 0:
            return bytes(body), end
        body += buffer[data_start : end - 2]
        start = end
    return None

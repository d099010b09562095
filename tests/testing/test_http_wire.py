"""HTTP/1.1 as a test's server reads and writes it."""

import pytest

from gateway.testing import http_wire
from gateway.testing.http_wire import head, take_request

POST = b"POST /v1/x HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\n"
CHUNKED = b"POST /v1/x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    "message", [POST + b'{"n": 2}', CHUNKED + b'3\r\n{"n\r\n5;x=y\r\n": 2}\r\n0\r\n\r\n']
)
def test_a_request_is_taken_once_it_is_whole_however_it_is_cut(message: bytes) -> None:
    buffer = bytearray()
    taken = []
    for byte in message + b"GET ":
        buffer.append(byte)
        taken.append(take_request(buffer))

    found = [request for request in taken if request is not None]
    assert len(found) == 1
    assert found[0].body == b'{"n": 2}'
    assert found[0].choices == 2
    assert bytes(buffer) == b"GET "


def test_a_body_that_is_no_object_has_no_document() -> None:
    request = take_request(bytearray(POST + b"[1,2,3 ]"))

    assert request is not None
    assert request.document == {}
    assert (request.model, request.is_stream, request.choices) == ("", False, 1)


def test_a_request_that_never_ends_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_wire, "_MAX_REQUEST_BYTES", 10)

    with pytest.raises(ValueError, match="more than 10 bytes"):
        take_request(bytearray(b"GET / HTTP/1.1\r\n"))


def test_a_status_that_nobody_registered_can_be_answered() -> None:
    assert head(599, {"a": "b"}) == b"HTTP/1.1 599 Unknown\r\na: b\r\n\r\n"

"""How a request is changed, byte by byte, into one that nobody would send."""

import random
from collections.abc import Sequence

_BAD_BYTES = (b"\r\n", b"\n", b"\x00", b"\xff", b"%00", b"%ff", b"\xed\xa0\x80", b'"', b"{", b"[")
_HEADERS = (
    b"Content-Length: 5\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Content-Type: multipart/form-data; boundary=x\r\n",
    b"Content-Type: application/x-www-form-urlencoded\r\n",
    b"Content-Encoding: gzip\r\n",
    b"Expect: 100-continue\r\n",
    b"Range: bytes=0-\r\n",
    b"If-None-Match: *\r\n",
    b"X-Deadline-Ms: -1\r\n",
    b"X-Deadline-Ms: 1e9\r\n",
    b"Authorization: Bearer dg-\r\n",
    b"Authorization: Basic \xff\r\n",
    b"Accept: */*;q=x, image/*;q=0\r\n",
    b"Last-Event-ID: 9999999999999999999999\r\n",
    b"Idempotency-Key: \r\n",
    b"Origin: null\r\n",
    b"Host: [::1\r\n",
    b"Connection: upgrade\r\nUpgrade: h2c\r\n",
    b"A: " + b"a" * 20_000 + b"\r\n",
)


def changed(pool: Sequence[bytes], chance: random.Random) -> bytes:
    """Return one of the requests, changed in one to four places."""
    data = chance.choice(pool)
    for _ in range(chance.randrange(1, 5)):
        at = chance.randrange(len(data) + 1)
        match chance.randrange(8):
            case 0:
                data = data[:at] + bytes([chance.randrange(256)]) + data[at + 1 :]
            case 1:
                data = data[:at] + chance.choice(_BAD_BYTES) + data[at:]
            case 2:
                data = data[:at]
            case 3:
                data = data[:at] + data[at + chance.randrange(1, 40) :]
            case 4:
                data = data[:at] + data[max(0, at - 30) : at] * chance.randrange(1, 50) + data[at:]
            case 5:
                other = chance.choice(pool)
                data = data[:at] + other[chance.randrange(len(other) + 1) :]
            case 6:
                first, line, rest = data.partition(b"\r\n")
                data = first + line + chance.choice(_HEADERS) + rest
            case _:
                data = data.replace(b"Content-Length: ", b"Content-Length: 1", 1)
    return data or b"\r\n"

"""The frames between the gateway and the worker process of an engine.

A frame is two big-endian 32-bit lengths, a JSON header of the first length, and the frame's blobs
end to end, of the second; the header's `blobs` holds their sizes. Headers from the gateway:
`{"module", "orders"}` once, then `{"call", "method", "arguments"}`, `{"more"}` (one more answer of
that call may be sent) and `{"cancel"}`. From the worker: `{"ready"}` once, then for a call
`{"call", "begun"}`, `{"call", "item"}` with one blob, and last of all `{"call", "done"}`,
`{"call", "refusal", "message", "param"}` or `{"call", "error"}`. A refusal or an error without a
call is one of loading.
"""

import struct
from asyncio import IncompleteReadError, StreamReader
from collections.abc import Sequence
from typing import BinaryIO

import orjson

from gateway.schema.json import JsonObject, read_object

WINDOW = 4
"""Answers of one call that may be under way before the reader asks for more."""
_SIZES = struct.Struct(">II")
_HEADER_BYTES = 64 * 1024 * 1024
_BLOBS_BYTES = 512 * 1024 * 1024

Frame = tuple[JsonObject, list[bytes]]


class FrameError(Exception):
    """The other side sent something that is no frame."""


def pack(header: JsonObject, blobs: Sequence[bytes] = ()) -> bytes:
    """Return the bytes of a frame; a `TypeError` says that `header` cannot be written as JSON."""
    body = b"".join(blobs)
    head = orjson.dumps({**header, "blobs": [len(blob) for blob in blobs]})
    if len(head) > _HEADER_BYTES or len(body) > _BLOBS_BYTES:
        raise FrameError(f"a frame of {len(head)} + {len(body)} bytes is too large")
    return b"".join((_SIZES.pack(len(head), len(body)), head, body))


async def receive(reader: StreamReader) -> Frame | None:
    """Return the next frame, None at the end of the stream, in the middle of a frame too."""
    try:
        head, body = _sizes(await reader.readexactly(_SIZES.size))
        return _frame(await reader.readexactly(head), await reader.readexactly(body))
    except IncompleteReadError:
        return None


def read(file: BinaryIO) -> Frame | None:
    """Do as `receive`, blocking; `file` is buffered, so that a read is short only at the end."""
    sizes = file.read(_SIZES.size)
    if len(sizes) < _SIZES.size:
        return None
    head, body = _sizes(sizes)
    header, blobs = file.read(head), file.read(body)
    return _frame(header, blobs) if len(header) + len(blobs) == head + body else None


def _sizes(data: bytes) -> tuple[int, int]:
    head, body = _SIZES.unpack(data)
    if head > _HEADER_BYTES or body > _BLOBS_BYTES:
        raise FrameError(f"a frame of {head} + {body} bytes is too large")
    return head, body


def _frame(head: bytes, body: bytes) -> Frame:
    header = read_object(head)
    if header is None:
        raise FrameError("a frame without a header")
    blobs, start = [], 0
    for size in header.pop("blobs", ()):
        blobs.append(body[start : start + size])
        start += size
    return header, blobs

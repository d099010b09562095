"""One answer on its way to whoever asked for it, by one key, and to what is kept of it."""

import asyncio
from collections.abc import Callable
from typing import NamedTuple

import orjson

from gateway.pipeline.caching.tee import Reader, Tee
from gateway.pipeline.call import Call
from gateway.schema.failure import CallError, again
from gateway.schema.json import read_object


class Head(NamedTuple):
    """What comes before a body; `is_whole` if that is one piece."""

    headers: dict[str, str]
    is_whole: bool


class Stored(NamedTuple):
    """What is kept under a key: that its call is under way, or the answer.

    `fingerprint` is that of the request. `body` is None while there is no answer yet, and of one
    that was too large; `head` is None until there is one.
    """

    fingerprint: str
    request_id: str
    head: Head | None = None
    body: bytes | None = None

    def packed(self) -> bytes:
        """Return it as bytes."""
        about = {
            "fingerprint": self.fingerprint,
            "request_id": self.request_id,
            "head": self.head,
            "has_body": self.body is not None,
        }
        packed = orjson.dumps(about, default=tuple, option=orjson.OPT_NON_STR_KEYS)
        return packed + b"\n" + (self.body or b"")

    @classmethod
    def unpacked(cls, data: bytes) -> "Stored | None":
        """Return it again; None for what another version may have written."""
        about, _, body = data.partition(b"\n")
        said = read_object(about)
        if said is None or said.keys() != {"fingerprint", "request_id", "head", "has_body"}:
            return None
        try:
            head = None if said["head"] is None else Head(*said["head"])
        except TypeError:
            return None
        held = body if said["has_body"] else None
        return cls(said["fingerprint"], said["request_id"], head, held)


class Recording:
    """Takes one answer in, and lets any number of readers have it from the beginning.

    More than `most_bytes` is not kept, nor held longer than its readers need it.
    """

    def __init__(self, fingerprint: str, request_id: str, *, most_bytes: int) -> None:
        self.fingerprint = fingerprint
        self.request_id = request_id
        self.call: Call | None = None
        """Whose answer it is, once that is known."""
        self.headers: Callable[[], dict[str, str]] = dict
        """Asked once, when the first piece is sent."""
        self._most = most_bytes
        self._tee = Tee(most_bytes)
        self._head: asyncio.Future[Head | CallError] = asyncio.get_running_loop().create_future()
        self._pieces: list[bytes] = []
        self._size = 0
        self._is_good = True

    @classmethod
    async def again(cls, stored: Stored, *, most_bytes: int) -> "Recording":
        """Return the recording of an answer that is kept."""
        recording = cls(stored.fingerprint, stored.request_id, most_bytes=most_bytes)
        if stored.head is not None and stored.body is not None:
            headers, is_whole = stored.head
            recording.headers = lambda: headers
            await recording.send(stored.body, is_whole=is_whole)
        recording.end()
        return recording

    @property
    def can_be_joined(self) -> bool:
        """Whether one more reader can have all of it."""
        return self._tee.is_whole

    @property
    def is_open(self) -> bool:
        """Whether it has begun."""
        return self._head.done()

    def reader(self) -> Reader:
        """Return a reader, who leaves when it is done."""
        return self._tee.reader()

    async def head(self) -> Head:
        """Return what comes before the body, once it is known. Raises the call's error."""
        head = await asyncio.shield(self._head)
        if isinstance(head, CallError):
            raise again(head)
        return head

    # What makes the answer.

    async def send(self, data: bytes, *, is_whole: bool = False) -> None:
        """Take the next piece; waits for readers once much is held."""
        if not self._head.done():
            self._head.set_result(Head(self.headers(), is_whole))
        self._size += len(data)
        if self._size <= self._most:
            self._pieces.append(data)
        else:
            self._pieces.clear()
        await self._tee.put(data, len(data))

    def fail(self, error: CallError) -> None:
        """End with an error, instead of an answer or in the middle of its bytes."""
        self._is_good = False
        if not self._head.done():
            self._head.set_result(error)
        self._tee.end(error)

    def end(self) -> None:
        """End it, after all else that ends the call."""
        if not self._head.done():
            self.fail(CallError("internal_error", "nothing was answered"))
        self._tee.end()

    def kept(self) -> Stored | None:
        """Return what is to be kept of it; None of an error, and of bytes that broke off."""
        if not self._is_good or not self._head.done():
            return None
        head = self._head.result()
        if isinstance(head, CallError):
            return None
        body = b"".join(self._pieces) if self._size <= self._most else None
        return Stored(self.fingerprint, self.request_id, head, body)

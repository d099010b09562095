"""Server-sent events as bytes: whole frames out of any slicing (WHATWG HTML, 9.2.6)."""

from collections.abc import Iterator

DONE = b"data: [DONE]\n\n"
MAX_FRAME_BYTES = 1024 * 1024
_MARK = b"\xef\xbb\xbf"


class FrameTooLargeError(ValueError):
    """A frame that has not ended after the bytes allowed."""


class Splitter:
    r"""Cuts a byte stream into blocks of whole frames, line ends made `\n`.

    However the stream is sliced, the frames are the same. A byte order mark is dropped.
    """

    def __init__(self, max_frame_bytes: int = MAX_FRAME_BYTES) -> None:
        self._max = max_frame_bytes
        self._held = b""
        self._is_first = True
        self._ended_in_cr = False

    def feed(self, data: bytes) -> bytes:
        """Return the frames that `data` completes, joined; empty when there is none.

        Raises `FrameTooLargeError` when an unfinished frame grows past the limit.
        """
        if data.endswith(b"\n\n") and self._is_plain(data):
            return data
        if self._is_first:
            data = self._held + data
            self._held = b""
            if len(data) < len(_MARK) and _MARK.startswith(data):
                self._held = data
                return b""
            data = data.removeprefix(_MARK)
            self._is_first = False
        if self._ended_in_cr or b"\r" in data:
            data = self._unify(data)
        held = self._held
        if not held and data.startswith(b"\n"):
            data = data.lstrip(b"\n")  # More blank lines than one between events mean nothing.
        # Only the seam can complete a separator that neither side holds whole.
        data = held + data if held else data
        end = data.rfind(b"\n\n", max(0, len(held) - 1))
        if end < 0:
            if len(data) > self._max:
                msg = f"an event has more than {self._max} bytes"
                raise FrameTooLargeError(msg)
            self._held = data
            return b""
        end += 2
        self._held = data[end:]
        if len(self._held) > self._max:
            msg = f"an event has more than {self._max} bytes"
            raise FrameTooLargeError(msg)
        return data[:end] if self._held else data

    def _is_plain(self, data: bytes) -> bool:
        """Say whether whole frames came, with nothing left over: most upstreams send just that."""
        return not (
            self._held
            or self._is_first
            or self._ended_in_cr
            or b"\r" in data
            or data.startswith(b"\n")
            or len(data) > self._max
        )

    def rest(self) -> bytes:
        """Return a last frame that lacks only its blank line, else nothing; the stream has ended.

        The standard drops an unfinished event; a last `[DONE]` without its blank line is common.
        """
        held, self._held = self._held, b""
        if (held.endswith(b"\n") and held.strip()) or held == DONE.rstrip():
            return held.rstrip(b"\n") + b"\n\n"
        return b""

    def _unify(self, data: bytes) -> bytes:
        if data and self._ended_in_cr:
            data = data.removeprefix(b"\n")
            self._ended_in_cr = False
        if data:
            self._ended_in_cr = data.endswith(b"\r")
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def event_frame(data: bytes, *, id: str) -> bytes:  # noqa: A002 - the field's name.
    """Return the event whose `data` is one line; neither it nor `id` may hold a line break."""
    return b"id: %b\ndata: %b\n\n" % (id.encode(), data)


def frames_of(block: bytes) -> Iterator[bytes]:
    """Yield the frames of a block one by one, each with its blank line."""
    start = 0
    while (end := block.find(b"\n\n", start)) >= 0:
        yield block[start : end + 2]
        start = end + 2
        while block.startswith(b"\n", start):
            start += 1


def data_of(frame: bytes) -> bytes:
    """Return what a frame's `data:` lines say, joined by line breaks; empty for a comment."""
    if frame.startswith(b"data: ") and frame.find(b"\n") == len(frame) - 2:
        return frame[6:-2]
    lines = [
        line[5:].removeprefix(b" ") for line in frame.split(b"\n") if line.startswith(b"data:")
    ]
    return b"\n".join(lines)

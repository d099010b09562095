"""Sizes in the header of a WAV file."""

import io
import struct
import wave

import pytest

from gateway.schema.wav import sized

SOUND = bytes(range(200))


def wav(size: int, *, extra: bytes = b"") -> bytes:
    """Return a file as it is written into a pipe, its sizes both `size`."""
    head = struct.pack("<4sI4s", b"RIFF", size, b"WAVE")
    kind = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, 24_000, 48_000, 2, 16)
    return head + kind + extra + struct.pack("<4sI", b"data", size) + SOUND


@pytest.mark.parametrize("unknown", [0, 0xFFFFFFFF])
@pytest.mark.parametrize("extra", [b"", struct.pack("<4sI4s", b"LIST", 3, b"abc\0")])
def test_a_file_of_unknown_size_gets_its_size(unknown: int, extra: bytes) -> None:
    whole = sized(wav(unknown, extra=extra))

    with wave.open(io.BytesIO(whole)) as file:
        assert (file.getframerate(), file.getnframes()) == (24_000, len(SOUND) // 2)
        assert file.readframes(file.getnframes()) == SOUND
    assert struct.unpack_from("<I", whole, 4)[0] == len(whole) - 8


@pytest.mark.parametrize("data", [b"", b"RIFF", b"ID3" + SOUND, wav(len(SOUND)), wav(0)[:30]])
def test_what_needs_no_change_gets_none(data: bytes) -> None:
    assert sized(data) == data

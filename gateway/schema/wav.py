"""Facts of WAV files (RIFF): a header written before the sound was known says no size."""

import struct

_RIFF_HEAD = 12
_CHUNK_HEAD = 8
_UNKNOWN = frozenset({0, 0xFFFFFFFF})
_MOST = 0xFFFFFFFF


def sized(wav: bytes) -> bytes:
    """Return a whole file with its true sizes in its header, as simple readers need them.

    What is no WAV, or says its sizes already, comes back as it is.
    """
    if wav[:4] != b"RIFF" or wav[8:12] != b"WAVE" or len(wav) - _CHUNK_HEAD >= _MOST:
        return wav
    at = _RIFF_HEAD
    while at + _CHUNK_HEAD <= len(wav):
        name, size = struct.unpack_from("<4sI", wav, at)
        if name == b"data":
            if size not in _UNKNOWN:
                return wav
            begin = at + _CHUNK_HEAD
            riff, data = len(wav) - _CHUNK_HEAD, len(wav) - begin
            head = struct.pack("<4sI", b"RIFF", riff) + wav[8 : at + 4] + struct.pack("<I", data)
            return head + wav[begin:]
        at += _CHUNK_HEAD + size + size % 2
    return wav

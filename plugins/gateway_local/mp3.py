"""How long a frame of an MP3 says that it is (ISO/IEC 11172-3 and 13818-3, layer III)."""

_SYNC = 0x7FF
_RATES_HZ = (44_100, 48_000, 32_000)
_KBITS_1 = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_KBITS_2 = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_DIVISORS = {3: 1, 2: 2, 0: 4}
"""Of the rates, by version: 1, 2 and 2.5."""

_LAYER_3 = 1
_HEADER_BYTES = 4


def frame_bytes(frame: bytes) -> int | None:
    """Return the length in bytes that the header of `frame` gives; None where it gives none."""
    if len(frame) < _HEADER_BYTES:
        return None
    header = int.from_bytes(frame[:_HEADER_BYTES], "big")
    divisor = _DIVISORS.get(header >> 19 & 3)
    bitrate, rate = header >> 12 & 15, header >> 10 & 3
    is_layer_3 = header >> 21 == _SYNC and header >> 17 & 3 == _LAYER_3
    if divisor is None or not is_layer_3 or bitrate in {0, 15} or rate == len(_RATES_HZ):
        return None
    kbits, samples = (_KBITS_1, 1152) if divisor == 1 else (_KBITS_2, 576)
    hertz = _RATES_HZ[rate] // divisor
    return samples // 8 * kbits[bitrate - 1] * 1000 // hertz + (header >> 9 & 1)

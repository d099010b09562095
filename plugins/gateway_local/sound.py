"""Sound in and out of files, by FFmpeg's libraries. Imported by nobody but worker processes.

Source: PyAV 18.1. What strangers' files may reach of it is listed below: playlists and the like,
which can name other files, are not among it.
"""

import struct
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, cast

import av
import numpy as np
from av.error import FFmpegError
from numpy.typing import NDArray

from gateway.schema.audio import AudioFormat
from gateway_local.mp3 import frame_bytes

Samples = NDArray[np.float32]
"""One channel, -1 to 1."""

SPOKEN_HZ = 24_000
"""The rate that the encoder is fed with."""
HEARD_HZ = 16_000
"""The rate that files are decoded to."""
_HD_HZ = 48_000
_DEMUXERS = "aac,aiff,amr,flac,matroska,webm,mov,mp4,m4a,mp3,ogg,wav,w64,caf"
_DECODERS = (
    "aac,aac_latm,alac,amrnb,amrwb,flac,mp2,mp2float,mp3,mp3float,opus,libopus,vorbis,libvorbis,"
    "adpcm_ms,adpcm_ima_wav,adpcm_ima_qt,gsm_ms,pcm_alaw,pcm_mulaw,pcm_u8,pcm_s8,pcm_s16le,"
    "pcm_s16be,pcm_s24le,pcm_s24be,pcm_s32le,pcm_s32be,pcm_f32le,pcm_f32be,pcm_f64le,pcm_f64be"
)
_NO_SOUND = "it cannot be read as sound; send wav, mp3, flac, ogg, m4a, webm, aac or opus"
_WAV_UNKNOWN = 0xFFFFFFFF
_WAV_HEADER_BYTES = 44


class SoundError(Exception):
    """A file that is no sound, or none that can be read; the message is for the caller."""


class _Coding(NamedTuple):
    container: str
    codec: str
    rate: int
    bit_rate: int
    hd_bit_rate: int


_CODINGS = MappingProxyType(
    {
        "mp3": _Coding("mp3", "libmp3lame", SPOKEN_HZ, 64_000, 128_000),
        "aac": _Coding("adts", "aac", SPOKEN_HZ, 64_000, 128_000),
        "flac": _Coding("flac", "flac", SPOKEN_HZ, 0, 0),
        "opus": _Coding("ogg", "libopus", _HD_HZ, 48_000, 96_000),
    }
)


class Encoder:
    """One file in the making: `feed` and `finish` return the bytes that are ready, maybe none.

    `tempo` above 1 is faster, without a change of pitch. `is_hd` is 48 kHz, but for pcm, and twice
    the bit rate where there is one. The same samples give the same bytes.
    """

    def __init__(self, form: AudioFormat, *, is_hd: bool = False, tempo: float = 1.0) -> None:
        self._tempo = None if tempo == 1.0 else _Tempo(tempo)
        coding = _CODINGS.get(form)
        if coding is not None:
            self._out: _Coded | _Wav | _Pcm = _Coded(coding, is_hd=is_hd)
        elif form == "wav":
            self._out = _Wav(_HD_HZ if is_hd else SPOKEN_HZ)
        else:
            self._out = _Pcm(SPOKEN_HZ)
        self._fed = 0

    def feed(self, samples: Samples) -> bytes:
        """Add samples at `SPOKEN_HZ`."""
        if not len(samples):
            return b""
        whole = (np.clip(samples, -1.0, 1.0) * 32767.0).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(whole[None], format="s16", layout="mono")
        frame.sample_rate = SPOKEN_HZ
        frame.time_base = Fraction(1, SPOKEN_HZ)
        frame.pts = self._fed
        self._fed += len(samples)
        return self._out.add([frame] if self._tempo is None else self._tempo.change(frame))

    def finish(self) -> bytes:
        """Return the end of the file."""
        rest = [] if self._tempo is None else self._tempo.change(None)
        return self._out.add(rest, is_last=True)


class _Tempo:
    """FFmpeg's atempo: another speed at the same pitch."""

    def __init__(self, tempo: float) -> None:
        self._graph = av.filter.Graph()
        source = self._graph.add_abuffer(
            sample_rate=SPOKEN_HZ,
            format="s16",
            layout="mono",
            time_base=Fraction(1, SPOKEN_HZ),
        )
        self._graph.link_nodes(
            source,
            self._graph.add("atempo", f"{tempo:.4f}"),
            self._graph.add("abuffersink"),
        ).configure()

    def change(self, frame: av.AudioFrame | None) -> Iterator[av.AudioFrame]:
        """Yield what is ready; None is the end of the input."""
        self._graph.push(frame)
        while True:
            try:
                changed = self._graph.pull()
            except (BlockingIOError, EOFError):
                return
            if isinstance(changed, av.AudioFrame):
                yield changed


class _Coded:
    """A compressed file; the container is written as to a pipe, never gone back in."""

    def __init__(self, coding: _Coding, *, is_hd: bool) -> None:
        self._sink = _Sink()
        # Without bitexact the library's version and, in ogg, a random number are written.
        self._container = av.open(
            self._sink,
            "w",
            format=coding.container,
            options={"flush_packets": "1", "fflags": "+bitexact"},
        )
        rate = _HD_HZ if is_hd else coding.rate
        # A cast, since the type of a stream goes by the literal name of its codec.
        self._stream = cast("av.AudioStream", self._container.add_stream(coding.codec, rate=rate))
        self._stream.layout = "mono"
        if coding.bit_rate:
            self._stream.bit_rate = coding.hd_bit_rate if is_hd else coding.bit_rate
        self._resampler = av.AudioResampler(
            format=self._stream.format,
            layout="mono",
            rate=rate,
            frame_size=self._stream.codec_context.frame_size,
        )

    def add(self, frames: Iterable[av.AudioFrame], *, is_last: bool = False) -> bytes:
        for frame in (*frames, None) if is_last else frames:
            for changed in self._resampler.resample(frame):
                self._container.mux(self._stream.encode(changed))
        if is_last:
            self._container.mux(self._stream.encode(None))
            self._container.close()
        return self._sink.taken()


class _Pcm:
    """Samples, 16 bits little-endian, and nothing else."""

    def __init__(self, rate: int) -> None:
        self._resampler = av.AudioResampler(format="s16", layout="mono", rate=rate)

    def add(self, frames: Iterable[av.AudioFrame], *, is_last: bool = False) -> bytes:
        return b"".join(
            changed.to_ndarray().astype("<i2").tobytes()
            for frame in ((*frames, None) if is_last else frames)
            for changed in self._resampler.resample(frame)
        )


class _Wav(_Pcm):
    """Samples behind a header.

    The first block is held back until it is known whether there is another: a short file says its
    size, which simple readers count on; a long one says, as is usual in streams, 0xFFFFFFFF.
    """

    def __init__(self, rate: int) -> None:
        super().__init__(rate)
        self._rate = rate
        self._held: bytes | None = b""

    def add(self, frames: Iterable[av.AudioFrame], *, is_last: bool = False) -> bytes:
        data = super().add(frames, is_last=is_last)
        if self._held is None:
            return data
        if not is_last and not self._held:
            self._held = data
            return b""
        data, self._held = self._held + data, None
        return self._header(len(data) if is_last else None) + data

    def _header(self, size: int | None) -> bytes:
        riff = _WAV_UNKNOWN if size is None else size + _WAV_HEADER_BYTES - 8
        size = _WAV_UNKNOWN if size is None else size
        kind = struct.pack("<IHHIIHH", 16, 1, 1, self._rate, 2 * self._rate, 2, 16)
        return (
            struct.pack("<4sI8s", b"RIFF", riff, b"WAVEfmt ")
            + kind
            + struct.pack("<4sI", b"data", size)
        )


class _Sink:
    """What the container writes to; having no `seek`, it is never asked to go back."""

    def __init__(self) -> None:
        self._written = bytearray()

    def write(self, data: bytes) -> int:
        self._written += data
        return len(data)

    def taken(self) -> bytes:
        data = bytes(self._written)
        self._written.clear()
        return data


def decode(path: Path) -> Iterator[Samples]:
    """Yield the sound of a file at `HEARD_HZ`, channels mixed, in blocks of under a second or so.

    Raises `SoundError` when nothing can be read of it, and at the end of an MP3 that was cut off
    within a frame. Any other file that breaks off later yields what there is of it.
    """
    is_heard = False
    with path.open("rb") as file:
        try:
            for samples in _blocks(file):
                is_heard = True
                yield samples
        # A seek to where a broken file points is an OSError.
        except (FFmpegError, ValueError, OSError) as error:
            if not is_heard:
                raise SoundError(_NO_SOUND) from error
    if not is_heard:
        raise SoundError("it holds no sound")


def _blocks(file: Any) -> Iterator[Samples]:  # Any: what PyAV takes for a file has no type.
    options = {"format_whitelist": _DEMUXERS, "codec_whitelist": _DECODERS}
    with av.open(file, "r", options=options, metadata_errors="ignore") as container:
        if not container.streams.audio:
            raise SoundError("it holds no sound")
        stream = container.streams.audio[0]
        resampler = av.AudioResampler(format="fltp", layout="mono", rate=HEARD_HZ)
        last = b""
        for packet in container.demux(stream):
            last = bytes(packet) or last
            try:
                frames = packet.decode()
            except av.error.InvalidDataError:
                continue  # One broken packet of many: players skip it, too.
            for frame in frames:
                frame.pts = None  # Times that jump would make the resampler pad or refuse.
                for changed in resampler.resample(frame):
                    yield changed.to_ndarray()[0].astype(np.float32, copy=False)
        for changed in resampler.resample(None):
            yield changed.to_ndarray()[0].astype(np.float32, copy=False)
        if container.format.name == "mp3" and len(last) < (frame_bytes(last) or 0):
            raise SoundError("it ends within a frame: it was cut off, so send the whole file")

"""Sound written to and read from files."""

import io
import wave
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from gateway.schema.audio import AudioFormat
from gateway_local.mp3 import frame_bytes
from gateway_local.sound import HEARD_HZ, SPOKEN_HZ, Encoder, Samples, SoundError, decode

FORMATS: list[AudioFormat] = ["mp3", "aac", "flac", "opus", "wav", "pcm"]
CODECS = {"mp3": "mp3float", "aac": "aac", "flac": "flac", "opus": "opus", "wav": "pcm_s16le"}
ONE_SECOND = SPOKEN_HZ


def tone(seconds: float = 1.0, pitch_hz: float = 440.0) -> Samples:
    times = np.arange(int(seconds * SPOKEN_HZ)) / SPOKEN_HZ
    return (0.5 * np.sin(2 * np.pi * pitch_hz * times)).astype(np.float32)


def encoded(form: AudioFormat, *blocks: Samples, is_hd: bool = False, tempo: float = 1.0) -> bytes:
    encoder = Encoder(form, is_hd=is_hd, tempo=tempo)
    return b"".join(encoder.feed(block) for block in blocks) + encoder.finish()


def heard(path: Path) -> Samples:
    return np.concatenate(list(decode(path)))


def pitch_hz(samples: Samples) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(spectrum.argmax()) * HEARD_HZ / len(samples)


@pytest.mark.parametrize("form", FORMATS[:-1])
@pytest.mark.parametrize("is_hd", [False, True])
def test_every_format_is_what_it_says_and_plays_what_it_was_fed(
    form: AudioFormat, is_hd: bool, tmp_path: Path
) -> None:
    path = tmp_path / "sound"

    path.write_bytes(encoded(form, tone(), tone(), is_hd=is_hd))

    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        assert stream.codec_context.name == CODECS[form]
        assert stream.rate == (48_000 if is_hd or form == "opus" else 24_000)
    samples = heard(path)
    assert len(samples) / HEARD_HZ == pytest.approx(2.0, abs=0.12)
    assert pitch_hz(samples) == pytest.approx(440.0, abs=2.0)


def test_pcm_is_24_khz_mono_16_bit_little_endian() -> None:
    data = encoded("pcm", tone(), is_hd=True)

    assert np.allclose(np.frombuffer(data, "<i2") / 32767, tone(), atol=1e-4)


@pytest.mark.parametrize("form", ["mp3", "aac", "opus"])
def test_hd_has_twice_the_bits(form: AudioFormat) -> None:
    assert len(encoded(form, tone(5.0), is_hd=True)) > 1.6 * len(encoded(form, tone(5.0)))


@pytest.mark.parametrize("form", FORMATS)
def test_bytes_come_while_the_sound_is_made(form: AudioFormat) -> None:
    encoder = Encoder(form)

    first = encoder.feed(tone(4.0)) + encoder.feed(tone(4.0))

    assert len(first) > len(encoder.finish())


@pytest.mark.parametrize("form", FORMATS)
def test_the_same_samples_give_the_same_bytes(form: AudioFormat) -> None:
    assert encoded(form, tone()) == encoded(form, tone())


def test_a_short_wav_says_its_size_and_a_long_one_that_it_is_unknown() -> None:
    short, long = encoded("wav", tone()), encoded("wav", tone(), tone())

    with wave.open(io.BytesIO(short)) as file:
        assert (file.getnframes(), file.getframerate()) == (ONE_SECOND, SPOKEN_HZ)
    assert long[40:44] == b"\xff" * 4
    assert len(long) == 44 + 2 * 2 * ONE_SECOND


@pytest.mark.parametrize("tempo", [0.5, 1.3, 2.9])
@pytest.mark.parametrize("form", ["mp3", "wav"])
def test_tempo_changes_the_length_and_not_the_pitch(
    form: AudioFormat, tempo: float, tmp_path: Path
) -> None:
    path = tmp_path / "sound"

    path.write_bytes(encoded(form, tone(2.0), tone(2.0), tempo=tempo))

    samples = heard(path)
    assert len(samples) / HEARD_HZ == pytest.approx(4.0 / tempo, rel=0.1)
    assert pitch_hz(samples) == pytest.approx(440.0, abs=4.0)


def remuxed(wav: bytes, path: Path, container: str, codec: str) -> Path:
    """Write what phones and browsers send; with a picture, as films and tagged music have one."""
    with (
        av.open(io.BytesIO(wav), "r") as source,
        av.open(str(path), "w", format=container) as target,
    ):
        picture = target.add_stream("libx264" if container == "mp4" else "libvpx", rate=10)
        assert isinstance(picture, av.VideoStream)
        picture.width = picture.height = 64
        picture.pix_fmt = "yuv420p"
        sound = target.add_stream(codec, rate=48_000)
        assert isinstance(sound, av.AudioStream)
        image = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
        image.time_base, image.pts = Fraction(1, 10), 0
        target.mux(picture.encode(image))
        for frame in source.decode(audio=0):
            target.mux(sound.encode(frame))
        for stream in (picture, sound):
            target.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(
    ("container", "codec"), [("mp4", "aac"), ("webm", "libopus"), ("matroska", "flac")]
)
def test_the_sound_of_a_film_is_heard(container: str, codec: str, tmp_path: Path) -> None:
    path = remuxed(encoded("wav", tone()), tmp_path / "film", container, codec)

    assert pitch_hz(heard(path)) == pytest.approx(440.0, abs=4.0)


def test_two_channels_become_one(tmp_path: Path) -> None:
    path = tmp_path / "stereo.wav"
    left = (tone() * 32767).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(SPOKEN_HZ)
        file.writeframes(np.stack([left, np.zeros_like(left)], axis=1).tobytes())

    samples = heard(path)

    assert len(samples) == pytest.approx(HEARD_HZ, abs=50)
    assert pitch_hz(samples) == pytest.approx(440.0, abs=2.0)


@pytest.mark.parametrize("form", ["aac", "flac", "opus", "wav"])
def test_a_file_that_breaks_off_yields_what_there_is(form: AudioFormat, tmp_path: Path) -> None:
    path = tmp_path / "sound"
    data = encoded(form, tone(4.0))
    path.write_bytes(data[: len(data) // 2])

    assert 1.0 < len(heard(path)) / HEARD_HZ < 3.0


@pytest.mark.parametrize("is_hd", [False, True])
@pytest.mark.parametrize("share", [0.5, 0.501, 0.75, 0.999])
def test_an_mp3_that_was_cut_off_within_a_frame_is_refused(
    tmp_path: Path, share: float, *, is_hd: bool
) -> None:
    data = encoded("mp3", tone(4.0), is_hd=is_hd)
    path = tmp_path / "sound.mp3"
    path.write_bytes(data[: int(len(data) * share)])

    with pytest.raises(SoundError, match="cut off"):
        heard(path)


@pytest.mark.parametrize("end", [b"", b"TAG" + bytes(125), b"APETAGEX" + bytes(400), bytes(3000)])
def test_what_follows_the_last_frame_of_a_whole_mp3_does_not_matter(
    tmp_path: Path, end: bytes
) -> None:
    path = tmp_path / "sound.mp3"
    path.write_bytes(encoded("mp3", tone(2.0)) + end)

    assert len(heard(path)) / HEARD_HZ == pytest.approx(2.0, abs=0.2)


@pytest.mark.parametrize(
    ("header", "length"),
    [
        (b"\xff\xfb\x90\x00", 417),  # Version 1, 128 kbit/s, 44.1 kHz.
        (b"\xff\xfb\x92\x00", 418),  # The same, padded.
        (b"\xff\xf3\x84\x00", 192),  # Version 2, 64 kbit/s, 24 kHz.
        (b"\xff\xe3\x18\x00", 72),  # Version 2.5, 8 kbit/s, 8 kHz.
        (b"\xff\xfb\x00\x00", None),  # A free bit rate.
        (b"\xff\xfd\x90\x00", None),  # Layer II.
        (b"TAGx", None),
        (b"\xff", None),
    ],
)
def test_a_frame_of_an_mp3_says_how_long_it_is(header: bytes, length: int | None) -> None:
    assert frame_bytes(header) == length


@pytest.mark.parametrize(
    "data",
    [
        b"this is no sound at all " * 1000,
        bytes(4096),
        encoded("flac", tone())[:60],
        encoded("wav", tone())[:44],
        b"",
    ],
)
def test_what_is_no_sound_is_told_apart(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "sound.mp3"
    path.write_bytes(data)

    with pytest.raises(SoundError):
        heard(path)


def test_a_playlist_does_not_reach_other_files(tmp_path: Path) -> None:
    secret = tmp_path / "secret.wav"
    secret.write_bytes(encoded("wav", tone()))
    lists = {
        "a.m3u8": f"#EXTM3U\n#EXT-X-VERSION:3\n#EXTINF:5,\nfile://{secret}\n#EXT-X-ENDLIST\n",
        "a.txt": f"ffconcat version 1.0\nfile '{secret}'\n",
    }

    for name, text in lists.items():
        path = tmp_path / name
        path.write_text(text, "utf-8")
        with pytest.raises(SoundError):
            heard(path)

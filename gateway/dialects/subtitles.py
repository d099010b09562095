"""Transcripts as subtitles: SubRip and WebVTT (W3C, 4.1)."""

from collections.abc import Iterable

from gateway.schema.audio import Segment


def srt(segments: Iterable[Segment]) -> str:
    """Return SubRip: numbered cues, a comma before the milliseconds."""
    return "".join(
        f"{number}\n{_time(one.start_s, ',')} --> {_time(one.end_s, ',')}\n{_cue(one.text)}\n\n"
        for number, one in enumerate(segments, start=1)
    )


def vtt(segments: Iterable[Segment]) -> str:
    """Return WebVTT: a head, then cues."""
    cues = (
        f"{_time(one.start_s, '.')} --> {_time(one.end_s, '.')}\n{_cue(one.text)}\n\n"
        for one in segments
    )
    return "WEBVTT\n\n" + "".join(cues)


def _time(seconds: float, mark: str) -> str:
    milliseconds = max(0, round(seconds * 1000))
    minutes, rest = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{rest // 1000:02}{mark}{rest % 1000:03}"


def _cue(text: str) -> str:
    # An arrow or an empty line within a cue would begin another.
    return " ".join(text.split()).replace("-->", "->")

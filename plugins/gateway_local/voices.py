"""The six voices, as changes of the one that the speech library brings.

Its network says pitch and spectral envelope apart before a waveform is made of them, so a voice is
another pitch, another size of the throat (formants), another pace and a livelier or flatter melody.
They are not six people; the model's card says so. Mean pitches measured on one sentence (2026-11):
onyx 98 Hz, echo 121, fable 149, alloy 168, nova 196, shimmer 232.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Voice:
    """Factors on the library's own voice; `melody` is an exponent on the pitch's movement."""

    pitch: float
    formants: float
    pace: float
    melody: float


VOICES: Mapping[str, Voice] = MappingProxyType(
    {
        "alloy": Voice(pitch=0.86, formants=0.95, pace=1.0, melody=1.0),
        "echo": Voice(pitch=0.62, formants=0.86, pace=1.0, melody=1.0),
        "fable": Voice(pitch=0.74, formants=0.91, pace=1.08, melody=1.35),
        "onyx": Voice(pitch=0.50, formants=0.80, pace=0.93, melody=0.9),
        "nova": Voice(pitch=1.0, formants=1.0, pace=1.0, melody=1.0),
        "shimmer": Voice(pitch=1.18, formants=1.07, pace=0.96, melody=1.15),
    }
)

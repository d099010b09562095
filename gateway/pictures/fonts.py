"""Fonts for any script: which file has a glyph for which character.

The files come from data-only packages, found by their metadata and never imported.
"""

import struct
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import ImageFont, features

PACKAGES = ("manimgx-fonts", "paperang-p2-fonts-cjk", "manimgx-fonts-cjk")
"""Noto Sans for most scripts (OFL), WenQuanYi Micro Hei (Apache-2.0) or Noto CJK (OFL)."""

_ENDINGS = (".ttf", ".ttc", ".otf")
_FIRST = "NotoSans[wght]"
_LAST = ("NotoSansSymbols", "NotoEmoji")
_SKIPPED = "Italic"
_INVISIBLE = frozenset({"Cc", "Cf", "Cs"})
_JOINERS = "\u200c\u200d"
_WEIGHT = 600  # Of variable fonts: half bold, which stays legible when small.


@dataclass(frozen=True, slots=True)
class Run:
    """Characters that one font has, in the order of reading."""

    text: str
    face: int


class Fonts:
    """The fonts of this machine, best first; files are read when they are first needed."""

    def __init__(self, files: Sequence[Path] | None = None) -> None:
        self._files = list(installed() if files is None else files)
        self._covered: dict[int, frozenset[int]] = {}
        self._engine = ImageFont.Layout.RAQM if features.check("raqm") else ImageFont.Layout.BASIC

    def runs(self, text: str) -> list[Run]:
        """Split `text` by font; a character that none has is written in another way.

        That is its plain Latin form if it has one (é without its accent), else its code point
        (U+1F9FF): never an empty box.
        """
        runs: list[Run] = []
        for character, face in self._faces(text):
            if runs and runs[-1].face == face:
                runs[-1] = Run(runs[-1].text + character, face)
            elif runs and face == 0 and runs[-1].text.endswith(" "):
                # After Arabic the space would stand on the wrong side, after emoji be too wide.
                runs[-1] = Run(runs[-1].text.rstrip(), runs[-1].face)
                runs.append(Run(f" {character}", face))
            else:
                runs.append(Run(character, face))
        return [run for run in runs if run.text]

    def font(self, face: int, size: float) -> ImageFont.FreeTypeFont:
        """Return the font with the number `face` of a run, `size` pixels to the em."""
        if face >= len(self._files):
            return _own_font(size)
        font = ImageFont.truetype(self._files[face], size, layout_engine=self._engine)
        try:
            axes = font.get_variation_axes()
        except (OSError, NotImplementedError):
            return font
        names = [bytes(axis["name"] or b"") for axis in axes]
        if names == [b"Weight"]:
            font.set_variation_by_axes([_WEIGHT])
        return font

    def _faces(self, text: str) -> Iterator[tuple[str, int]]:
        last = 0
        for character in text:
            if unicodedata.category(character) in _INVISIBLE and character not in _JOINERS:
                continue
            stays = character == " " or character in _JOINERS
            joins = stays or unicodedata.category(character).startswith("M")
            if stays or (joins and self._has(last, character)):
                yield character, last
                continue
            face = self._face(character)
            if face is None:
                last = 0
                yield from ((other, self._face(other) or 0) for other in _plain(character))
            else:
                last = face
                yield character, face

    def _face(self, character: str) -> int | None:
        faces = range(len(self._files) + 1)  # One more: the font that Pillow brings.
        return next((face for face in faces if self._has(face, character)), None)

    def _has(self, face: int, character: str) -> bool:
        if face not in self._covered:
            self._covered[face] = (
                _coverage(self._files[face].read_bytes())
                if face < len(self._files)
                else _coverage(_own_bytes())
            )
        return ord(character) in self._covered[face]


def installed() -> list[Path]:
    """Return the font files of `PACKAGES` that are here, in the order to try them."""
    found: list[Path] = []
    for name in PACKAGES:
        try:
            files = distribution(name).files or []
        except PackageNotFoundError:
            continue
        paths = [Path(str(file.locate())) for file in files if file.suffix in _ENDINGS]
        found += sorted(path for path in paths if _SKIPPED not in path.name and path.is_file())
    return sorted(found, key=_rank)


def _rank(path: Path) -> int:
    if path.name.startswith(_FIRST):
        return 0
    return 2 if path.name.startswith(_LAST) else 1


def _plain(character: str) -> str:
    latin = unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode()
    return latin or f"U+{ord(character):04X}"


def _own_font(size: float) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size)
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise OSError("Pillow was built without FreeType")
    return font


def _own_bytes() -> bytes:
    path: Any = _own_font(16).path  # Any: a file name, or the bytes that Pillow carries.
    return path.getvalue() if isinstance(path, BytesIO) else Path(str(path)).read_bytes()


def _coverage(data: bytes) -> frozenset[int]:
    """Return the code points with a glyph, from the font's `cmap` table (OpenType 1.9)."""
    start = struct.unpack_from(">I", data, 12)[0] if data[:4] == b"ttcf" else 0
    tables = struct.unpack_from(">H", data, start + 4)[0]
    for number in range(tables):
        tag, _, offset, _ = struct.unpack_from(">4sIII", data, start + 12 + 16 * number)
        if tag == b"cmap":
            return _characters(data, offset)
    return frozenset()


def _characters(data: bytes, table: int) -> frozenset[int]:
    found: set[int] = set()
    for number in range(struct.unpack_from(">H", data, table + 2)[0]):
        offset = table + struct.unpack_from(">HHI", data, table + 4 + 8 * number)[2]
        match struct.unpack_from(">H", data, offset)[0]:
            case 4:
                found |= _segments(data, offset)
            case 12:
                groups = struct.unpack_from(">I", data, offset + 12)[0]
                for group in range(groups):
                    first, last, _ = struct.unpack_from(">III", data, offset + 16 + 12 * group)
                    found.update(range(first, last + 1))
    return frozenset(found)


def _segments(data: bytes, offset: int) -> set[int]:
    """Read a table of format 4: segments of the first 65,535 code points."""
    count = struct.unpack_from(">H", data, offset + 6)[0] // 2
    ends = struct.unpack_from(f">{count}H", data, offset + 14)
    starts = struct.unpack_from(f">{count}H", data, offset + 16 + 2 * count)
    deltas = struct.unpack_from(f">{count}H", data, offset + 16 + 4 * count)
    where = offset + 16 + 6 * count
    jumps = struct.unpack_from(f">{count}H", data, where)
    found: set[int] = set()
    for index, (first, last, delta, jump) in enumerate(
        zip(starts, ends, deltas, jumps, strict=True)
    ):
        for code in range(first, min(last, 0xFFFE) + 1):
            if jump == 0:
                glyph = (code + delta) & 0xFFFF
            else:
                at = where + 2 * index + jump + 2 * (code - first)
                glyph = struct.unpack_from(">H", data, at)[0]
            if glyph:
                found.add(code)
    return found

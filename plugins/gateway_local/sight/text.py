"""The text in a picture: PP-OCRv6 through rapidocr, with its models from its own package.

Lines are found in a picture of bounded size, cut out of the large one and read one by one, from
the top: that is quicker on few cores than batches padded to the longest, keeps small print
readable, and can be stopped after any line.
"""

import math
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import rapidocr
from PIL import Image

_SEARCHED_PIXELS = 1_200_000  # Finding lines takes 0.7 s a megapixel on one core (2026-11).
_SEARCHED_SIDE = 4096
_SMALL_SIDE = 640
_MOST_ENLARGED = 3.0
_GRID = 32  # The network halves its input five times.
_MARGIN = 32  # Letters that touch the edge are missed without one.
_LEAST_SCORE = 0.5
_UPRIGHT = 1.5
_LONGEST = 100  # Widths in heights: what reading a line costs grows with the square.

Box = npt.NDArray[np.float64]
"""Four corners, clockwise from the top left: an array of 4 x 2."""


@dataclass(frozen=True, slots=True)
class Text:
    """Lines in reading order, cells of one row joined by ` | `.

    `confidence` is the mean over the characters, 0 to 1, None without text. `unread` counts places
    with text that time did not suffice for.
    """

    lines: tuple[str, ...] = ()
    confidence: float | None = None
    unread: int = 0


class Reader:
    """Reads printed text, best Latin and Chinese; loads in about 1.5 s."""

    def __init__(self, *, threads: int = 1) -> None:
        models = Path(rapidocr.__file__).parent / "models"
        # Any: the library has hardly any types.
        self._ocr: Any = rapidocr.RapidOCR(
            params={
                # Given a path, it never looks for anything to download.
                "Det.model_path": str(models / "PP-OCRv6_det_small.onnx"),
                "Cls.model_path": str(models / "ch_ppocr_mobile_v2.0_cls_mobile.onnx"),
                "Rec.model_path": str(models / "PP-OCRv6_rec_small.onnx"),
                "Global.log_level": "critical",
                # Its own scaling makes 3,680 x 736 of a 100 x 20 picture: 4 s instead of 0.04.
                "Global.use_preprocess_img": False,
                "Global.use_vertical_padding": False,
                "Det.limit_type": "max",
                "Det.limit_side_len": 2 * _SEARCHED_SIDE,
                "EngineConfig.onnxruntime.intra_op_num_threads": threads,
                "EngineConfig.onnxruntime.inter_op_num_threads": 1,
            }
        )
        blank = Image.new("RGB", (64, 64), "white")  # The models load when they are first used.
        self._find(blank)
        self._read(blank)

    def read(
        self, picture: Image.Image, *, is_time_up: Callable[[], bool]
    ) -> Generator[None, None, Text]:
        """Read an RGB picture, pausing between lines; stop early when `is_time_up`."""
        boxes = in_reading_order(self._find(picture))
        left = sum(map(len, boxes))
        lines: list[str] = []
        scores: list[tuple[float, int]] = []
        for row in boxes:
            cells: list[str] = []
            for box in row:
                yield
                if is_time_up():
                    break
                left -= 1
                text, score = self._read(_cut(picture, box))
                if text and score >= _LEAST_SCORE:
                    cells.append(text)
                    scores.append((score, len(text)))
            if cells:
                lines.append(" | ".join(cells))
        characters = sum(length for _, length in scores)
        confidence = sum(score * length for score, length in scores) / max(1, characters)
        return Text(tuple(lines), round(confidence, 3) if scores else None, left)

    def _find(self, picture: Image.Image) -> list[Box]:
        """Return where there is text, in pixels of `picture`."""
        scale = _scale(*picture.size)
        width, height = (max(1, round(side * scale)) for side in picture.size)
        searched = picture.resize((width, height), Image.Resampling.LANCZOS, reducing_gap=2.0)
        padded = (_on_grid(width + 2 * _MARGIN), _on_grid(height + 2 * _MARGIN))
        canvas = Image.new("RGB", padded, searched.getpixel((0, 0)))
        canvas.paste(searched, (_MARGIN, _MARGIN))
        found = self._ocr(_bgr(canvas), use_det=True, use_cls=False, use_rec=False).boxes
        if found is None:
            return []
        stretch = (picture.width / width, picture.height / height)
        return [(np.asarray(box, dtype=np.float64) - _MARGIN) * stretch for box in found]

    def _read(self, line: Image.Image) -> tuple[str, float]:
        answer = self._ocr(_bgr(line), use_det=False, use_cls=True, use_rec=True)
        return (answer.txts[0].strip(), float(answer.scores[0])) if answer.txts else ("", 0.0)


def in_reading_order(boxes: Sequence[Box]) -> list[list[Box]]:
    """Return rows from the top, each from the left; a page that leans is set upright first."""
    if not boxes:
        return []
    angle = float(np.median([math.atan2(*(box[1] - box[0])[::-1]) for box in boxes]))
    across, down = (math.cos(angle), math.sin(angle)), (-math.sin(angle), math.cos(angle))
    placed = [
        _Placed(float(box.mean(axis=0) @ down), float(box[0] @ across), _sides(box)[1], box)
        for box in boxes
    ]
    rows: list[list[_Placed]] = []
    for item in sorted(placed, key=lambda item: item.middle):
        first = rows[-1][0] if rows else None
        if first and item.middle - first.middle < min(item.height, first.height) / 2:
            rows[-1].append(item)
        else:
            rows.append([item])
    return [[item.box for item in sorted(row, key=lambda item: item.left)] for row in rows]


@dataclass(frozen=True, slots=True)
class _Placed:
    """A box on the upright page."""

    middle: float
    left: float
    height: float
    box: Box


def _scale(width: int, height: int) -> float:
    """Return by how much to resize a picture in which lines are to be found."""
    longest = max(width, height)
    enlarged = min(_MOST_ENLARGED, max(1.0, _SMALL_SIDE / longest))
    fitting = math.sqrt(_SEARCHED_PIXELS / (width * height))
    return min(enlarged, fitting, _SEARCHED_SIDE / longest)


def _on_grid(side: int) -> int:
    return -(-side // _GRID) * _GRID


def _sides(box: Box) -> tuple[float, float]:
    """Return the width and the height of a box that may lean."""
    top, right, bottom, left = (np.linalg.norm(box[n] - box[n - 1]) for n in (1, 2, 3, 0))
    return float(max(top, bottom)), float(max(left, right))


def _cut(picture: Image.Image, box: Box) -> Image.Image:
    """Return the line in `box`, upright."""
    width, height = (max(1, round(side)) for side in _sides(box))
    corners = box[[0, 3, 2, 1]].ravel().tolist()
    size = (min(width, _LONGEST * height), height)
    line = picture.transform(size, Image.Transform.QUAD, corners, Image.Resampling.BICUBIC)
    return line.transpose(Image.Transpose.ROTATE_90) if height >= _UPRIGHT * width else line


def _bgr(picture: Image.Image) -> npt.NDArray[np.uint8]:
    return np.ascontiguousarray(np.asarray(picture)[:, :, ::-1])

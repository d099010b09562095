"""Draws the gallery: writes docs/gallery.md and its pictures."""  # noqa: INP001 - a script.

from io import BytesIO
from pathlib import Path

from PIL import Image

from gateway.sdk.pictures.encode import encode
from gateway_local.painting.compose import compose
from gateway_local.painting.describe import describe
from gateway_local.painting.scene import read

SIDE = 768
SHOWN = 480
MOST_BYTES = 60 * 1024
PROMPTS: tuple[tuple[str, int], ...] = (
    ("A serene mountain landscape", 7),
    ("A cute cat playing with yarn", 1),
    ("A beautiful sunset over the sea", 1),
    ("A detailed landscape of mountains at sunset", 2),
    ("A serene forest", 4),
    ("a city skyline at night in neon", 3),
    ("a red house under a starry sky, watercolour", 2),
    ("pixel art of a ship on the ocean", 1),
    ("three sunflowers in a field, rainy day", 1),
    ("line drawing of a horse", 1),
    ("astronaut rocket near planets", 1),
    ("winter village with snow", 1),
)
"""What is drawn, and with which seed."""

_COLUMNS = 3
_FOLDER = Path(__file__).resolve().parent.parent / "docs"
_HEAD = """\
# The painter's gallery

Twelve prompts, drawn by `gateway_local`'s painter: a program that reads the prompt by rules and
paints what it knows, without any AI image model. Each is 768 by 768 pixels before it is made
smaller for this page. Written by `python tools/gallery.py`; the same prompt, seed and size always
give the same picture.
"""


def draw(prompt: str, seed: int) -> tuple[bytes, str]:
    """Return a small JPEG of `prompt`, and what the painter says that it drew."""
    scene = read(prompt)
    image, place = compose(scene, SIDE, SIDE, seed)
    small = image.resize((SHOWN, SHOWN), Image.Resampling.LANCZOS)
    quality = 88
    while True:
        data = encode(small, "image/jpeg", quality=quality)
        if len(data) <= MOST_BYTES:
            return data, describe(scene, place)
        quality -= 4


def name_of(prompt: str) -> str:
    """Return the file name of the picture of `prompt`."""
    words = "".join(c if c.isalnum() else " " for c in prompt.lower()).split()
    return f"{'-'.join(words)}.jpg"


def page(said: list[str]) -> str:
    """Return the page; `said` is what the painter says of each prompt, in order."""
    cells = [
        f"![{prompt}](gallery/{name_of(prompt)})<br>**{prompt}**<br>seed {seed}: {words}"
        for (prompt, seed), words in zip(PROMPTS, said, strict=True)
    ]
    rows = [cells[at : at + _COLUMNS] for at in range(0, len(cells), _COLUMNS)]
    table = ["| " + " | ".join(row) + " |" for row in rows]
    rule = "|" + " --- |" * _COLUMNS
    return "\n".join([_HEAD, "|" + "   |" * _COLUMNS, rule, *table, ""])


def main() -> None:
    """Draw everything and write the page."""
    folder = _FOLDER / "gallery"
    folder.mkdir(parents=True, exist_ok=True)
    said = []
    for prompt, seed in PROMPTS:
        data, words = draw(prompt, seed)
        Image.open(BytesIO(data)).verify()
        (folder / name_of(prompt)).write_bytes(data)
        said.append(words)
    (_FOLDER / "gallery.md").write_text(page(said), encoding="utf-8")


if __name__ == "__main__":
    main()

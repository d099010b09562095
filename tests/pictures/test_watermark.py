"""The mark: small, in its corner, legible on anything and in any script."""

import numpy as np
import pytest
from PIL import Image, features

from gateway.pictures.fonts import Fonts, installed
from gateway.pictures.watermark import HEIGHT_SHARE, watermark

SCRIPTS = {
    "Latin": "Ünïcödé Łódź",
    "Cyrillic": "Привет",
    "Greek": "Καλημέρα",
    "Chinese": "你好世界",
    "Japanese": "こんにちは",
    "Korean": "안녕하세요",
    "Arabic": "مرحبا",
    "Hebrew": "שלום",
    "Devanagari": "नमस्ते",
    "Bengali": "বাংলা",
    "Tamil": "வணக்கம்",
    "Thai": "สวัสดี",
    "Georgian": "გამარჯობა",
    "Armenian": "Բարև",
    "Amharic": "ሰላም",
    "emoji": "😀🚀",
}


@pytest.fixture(scope="module")
def fonts() -> Fonts:
    return Fonts()


def changed(image: Image.Image, text: str, fonts: Fonts) -> np.ndarray:
    """Return where the mark is."""
    marked = np.asarray(watermark(image, text, fonts), dtype=int)
    return np.asarray(np.abs(marked - np.asarray(image, dtype=int)).max(axis=2) > 2)


@pytest.mark.parametrize("size", [(64, 64), (256, 256), (768, 768), (2048, 64), (64, 2048)])
@pytest.mark.parametrize("text", ["dynagate", "Åjgq|", "M" * 64, "မြန်မာ"])
@pytest.mark.parametrize("tone", [0, 255])
def test_the_mark_is_small_and_in_the_lower_right_corner(
    size: tuple[int, int], text: str, tone: int, fonts: Fonts
) -> None:
    image = Image.new("RGB", size, (tone,) * 3)

    where = np.argwhere(changed(image, text, fonts))

    assert len(where) > 0
    high = int(np.ptp(where[:, 0])) + 1
    assert high <= max(1, size[1] * HEIGHT_SHARE)
    assert where[:, 0].min() > size[1] * 0.9
    assert where[:, 1].max() > size[0] * 0.85


@pytest.mark.parametrize("tone", [(0, 0, 0), (255, 255, 255), (128, 128, 128), (250, 220, 40)])
def test_letters_stand_out_from_what_is_around_them(
    tone: tuple[int, int, int], fonts: Fonts
) -> None:
    image = Image.new("RGB", (768, 768), tone)

    marked = watermark(image, "dynagate", fonts).convert("L")

    # WCAG's contrast between the fill and the outline, whatever is beneath: 4.5 is legible.
    patch = np.asarray(marked.crop((600, 730, 768, 768)), dtype=float) / 255
    light, dark = (np.quantile(patch, share) ** 2.2 for share in (0.995, 0.005))
    assert (light + 0.05) / (dark + 0.05) >= 4.5


@pytest.mark.parametrize("script", SCRIPTS)
def test_every_script_has_glyphs(script: str, fonts: Fonts) -> None:
    assert installed(), "the data packages of fonts are not installed"

    runs = fonts.runs(SCRIPTS[script])

    assert "".join(run.text for run in runs) == SCRIPTS[script]
    assert changed(Image.new("RGB", (768, 768)), SCRIPTS[script], fonts).sum() > 100


def test_arabic_letters_are_joined(fonts: Fonts) -> None:
    assert features.check("raqm")
    font = fonts.font(fonts.runs("مرحبا")[0].face, 40)

    joined = font.getlength("مرحبا")

    assert joined < sum(font.getlength(letter) for letter in "مرحبا") * 0.95


def test_right_to_left_runs_stand_from_right_to_left(fonts: Fonts) -> None:
    runs = fonts.runs("שלום dynagate")

    assert [run.text.strip() for run in runs] == ["שלום", "dynagate"]


@pytest.mark.parametrize(
    ("text", "shown"), [("\U00013080", "U+13080"), ("a\U0002ffff", "aU+2FFFF")]
)
def test_a_character_without_a_glyph_is_written_as_its_number(
    text: str, shown: str, fonts: Fonts
) -> None:
    assert "".join(run.text for run in fonts.runs(text)) == shown


def test_without_font_packages_latin_still_works() -> None:
    bare = Fonts([])

    assert "".join(run.text for run in bare.runs("Café é")) == "Cafe e"
    assert changed(Image.new("RGB", (400, 400)), "dynagate", bare).any()


@pytest.mark.parametrize("text", ["", "   ", "\n\t", "\u200b"])
def test_a_blank_text_marks_nothing(text: str, fonts: Fonts) -> None:
    assert not changed(Image.new("RGB", (200, 200)), text, fonts).any()


def test_the_mark_is_always_the_same(fonts: Fonts) -> None:
    image = Image.new("RGB", (300, 300), (90, 120, 60))

    again = watermark(image, "dynagate 你好", Fonts())

    assert watermark(image, "dynagate 你好", fonts).tobytes() == again.tobytes()

"""The gallery in the documentation is what the painter draws."""

import importlib.util
import sys
from io import BytesIO
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[4]
DOCS = ROOT / "docs"


@pytest.fixture(scope="module")
def gallery() -> ModuleType:
    spec = importlib.util.spec_from_file_location("gallery", ROOT / "tools" / "gallery.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_every_prompt_is_on_the_page_with_a_small_picture(gallery: ModuleType) -> None:
    page = (DOCS / "gallery.md").read_text("utf-8")
    files = {path.name for path in (DOCS / "gallery").iterdir()}

    assert files == {gallery.name_of(prompt) for prompt, _ in gallery.PROMPTS}
    assert len(files) == 12
    for prompt, seed in gallery.PROMPTS:
        assert f"**{prompt}**<br>seed {seed}: " in page
        assert f"(gallery/{gallery.name_of(prompt)})" in page
        assert (DOCS / "gallery" / gallery.name_of(prompt)).stat().st_size <= 60 * 1024


@pytest.mark.parametrize("number", range(12))
def test_a_picture_is_the_one_that_is_drawn_today(gallery: ModuleType, number: int) -> None:
    prompt, seed = gallery.PROMPTS[number]

    data, said = gallery.draw(prompt, seed)

    kept = Image.open(DOCS / "gallery" / gallery.name_of(prompt))
    one, other = (np.asarray(i.convert("RGB"), float) for i in (kept, Image.open(BytesIO(data))))
    # Other versions of Pillow and numpy may round differently: the eye must not see it.
    assert np.abs(one - other).mean() < 3
    assert said in (DOCS / "gallery.md").read_text("utf-8")

"""docs/plugin-author.md shows code that is in the template or runs here, and names what exists."""

import os
import re
import shutil
import subprocess
import sys
from importlib import import_module
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from gateway import sdk
from gateway.schema import events
from gateway.schema.failure import Failure
from gateway.schema.images import ImageEditRequest, Picture
from gateway.sdk import Attempt, UpstreamError
from gateway.sdk.clock import SystemClock
from gateway.testing import upstream
from gateway.testing.deps import make_deps
from tests.plugins.template.installation import ROOT, TEMPLATE

PAGE = (ROOT / "docs" / "plugin-author.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.+?)^```", PAGE, re.DOTALL | re.MULTILINE)
FILES = {block.split()[1]: block for block in BLOCKS if re.match(r"# \w+\.py\n", block)}
QUOTED = [block for block in BLOCKS if block not in FILES.values()]


@pytest.mark.parametrize("block", QUOTED, ids=lambda block: block.splitlines()[0])
def test_what_is_quoted_stands_in_the_template(block: str) -> None:
    sources = [path.read_text(encoding="utf-8") for path in TEMPLATE.glob("*/**/*.py")]

    assert any(block in source for source in sources)


@pytest.mark.slow
def test_the_provider_shown_whole_passes_its_own_tests(tmp_path: Path) -> None:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    shutil.copy(TEMPLATE / "pyproject.toml", tmp_path)

    tested = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_shout.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (tmp_path, ROOT)))},
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )

    assert tested.returncode == 0, tested.stdout + tested.stderr
    passed = re.search(r"(\d+) passed", tested.stdout)
    assert passed is not None
    assert int(passed[1]) > 15


async def test_the_engine_shown_works_in_its_workshop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engines = tmp_path / "dynagate_small" / "engines"
    engines.mkdir(parents=True)
    (engines / "shrink.py").write_text(FILES["shrink.py"], encoding="utf-8")
    (tmp_path / "small.py").write_text(FILES["small.py"], encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    small = import_module("small")
    data = BytesIO()
    Image.new("RGB", (300, 150), "teal").save(data, "PNG")
    source = Picture(data.getvalue(), "image/png")
    attempt = Attempt("req_1", 1, SystemClock().monotonic() + 30.0)

    async with (
        make_deps("mine", tmp_path, clock=SystemClock()) as deps,
        small.connect(small.SmallSettings(), deps) as provider,
    ):
        answer = await provider.edit(ImageEditRequest("m", "", (source,), width=60), attempt)
        with pytest.raises(UpstreamError) as caught:
            await provider.edit(ImageEditRequest("m", "", (source,), width=600), attempt)

    picture = Image.open(BytesIO(answer.images[0].picture.data))
    assert (picture.format, picture.size) == ("WEBP", (60, 30))
    assert (caught.value.failure, caught.value.param) == (Failure.CALLER_FAULT, "side")
    assert isinstance(provider, sdk.ImageEditProvider)


def test_every_failure_and_every_event_is_on_the_page() -> None:
    for failure in Failure:
        assert f"`{failure}`" in PAGE, failure
    for event in ("Started", "TextDelta", "ReasoningDelta", "RefusalDelta", "AudioDelta"):
        assert event in PAGE
        assert hasattr(events, event)


def test_every_protocol_is_on_the_page() -> None:
    protocols = {
        name
        for name in sdk.__all__
        if name.endswith("Provider") or name in {"CardSource", "HealthProbe", "ModelLister"}
    }

    assert protocols == set(re.findall(r"^\| `(\w+)` \| `\w+[(`]", PAGE, re.MULTILINE))


def test_every_answer_of_the_fake_upstream_is_on_the_page() -> None:
    shown = re.search(r"`upstream\.will\(…\)` takes `([a-z_ ]+)`", PAGE)
    assert shown is not None

    functions = {name for name in upstream.__all__ if name[0].islower()}
    assert set(shown[1].split()) == functions


def test_the_files_and_the_entry_point_it_names_are_there() -> None:
    table = re.findall(r"^\| `([\w./]+\.(?:toml|py))` \|", PAGE, re.MULTILINE)

    assert len(table) == 4
    for name in table:
        assert (TEMPLATE / name).is_file(), name
    assert 'echo = "dynagate_echo"' in (TEMPLATE / "pyproject.toml").read_text(encoding="utf-8")

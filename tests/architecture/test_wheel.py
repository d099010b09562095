"""What `pip install dynagate` puts on a machine."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
PACKAGES = {"gateway", "gateway_chaos", "gateway_local", "gateway_openai", "gateway_sdwebui"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.Path:
    """Build the wheel with the hatchling of the lock, and return what is in it."""
    folder = tmp_path_factory.mktemp("wheel")
    command = ["-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run(
        [sys.executable, *command, "--wheel-dir", str(folder), str(ROOT)],
        check=True,
        capture_output=True,
        timeout=50,
    )
    (built,) = folder.glob("*.whl")
    return zipfile.Path(built)


def test_the_wheel_brings_our_packages_and_nothing_else(wheel: zipfile.Path) -> None:
    top = {entry.name for entry in wheel.iterdir()}
    named = {name for name in top if not name.endswith(".dist-info")}

    assert named == PACKAGES
    assert len(top) == len(PACKAGES) + 1


def test_the_wheel_brings_every_file_of_our_packages(wheel: zipfile.Path) -> None:
    folders = [ROOT / "gateway", *(ROOT / "plugins").glob("gateway_*")]
    written = {
        str(path.relative_to(folder.parent))
        for folder in folders
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }

    # The reader makes up an entry for each folder, which ends with a slash.
    names = [name for name in wheel.root.namelist() if not name.endswith("/")]
    shipped = {name for name in names if ".dist-info/" not in name}

    assert shipped == written | {"gateway/config/shipped.yaml"}


def test_the_wheel_brings_the_shipped_configuration(wheel: zipfile.Path) -> None:
    shipped = wheel / "gateway" / "config" / "shipped.yaml"

    assert shipped.read_bytes() == (ROOT / "config.yaml").read_bytes()


def test_nothing_in_the_wheel_runs_when_python_starts(wheel: zipfile.Path) -> None:
    names = wheel.root.namelist()

    assert not [name for name in names if name.endswith(".pth")]
    assert not [name for name in names if name.endswith(("sitecustomize.py", "usercustomize.py"))]

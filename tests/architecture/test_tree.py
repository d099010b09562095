"""What holds for every file of the tree, whoever wrote it."""

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NOT_OURS = {
    ".git",
    ".hypothesis",
    ".venv",
    "__pycache__",
    "build",
    "dist",
    "htmlcov",
    "node_modules",
}
LONGEST_FILE_LINES = 500
# In pieces, so that this file doesn't name what it looks for.
REGISTRIES = ("pypi|org", "pythonhosted|org", "npmjs|org", "npmjs|com", "debian|org", "golang|org")


def test_no_file_names_a_folder_of_the_machine_it_was_written_on() -> None:
    folders = "|".join(re.escape(folder) for folder in _folders_of_this_machine())
    machine = re.compile(rf"(?<![\w.~-])(?:{folders})(?![\w-])")

    found = [
        f"{path.relative_to(ROOT)}: {named[0]}"
        for path, text in _texts()
        if (named := machine.search(text))
    ]

    assert found == []


def test_no_file_but_a_test_names_the_home_of_somebody() -> None:
    home = re.compile(r"(?<![\w.~-])/(?:home|Users)/\w[\w.-]*/")

    found = [
        f"{path.relative_to(ROOT)}: {named[0]}"
        for path, text in _texts()
        if ROOT / "tests" not in path.parents and (named := home.search(text))
    ]

    assert found == []


def test_no_file_names_the_host_of_a_package_registry() -> None:
    hosts = re.compile("|".join(re.escape(host.replace("|", ".")) for host in REGISTRIES))

    found = [
        f"{path.relative_to(ROOT)}: {named[0]}"
        for path, text in _texts()
        if (named := hosts.search(text))
    ]

    assert found == []


@pytest.mark.parametrize("folder", ["gateway", "plugins"])
def test_every_file_of_the_product_can_be_read_in_one_sitting(folder: str) -> None:
    lengths = {
        str(path.relative_to(ROOT)): text.count("\n")
        for path, text in _texts(ROOT / folder)
        if path.suffix == ".py"
    }

    assert lengths, f"no Python file under {folder}/"
    assert {name: lines for name, lines in lengths.items() if lines > LONGEST_FILE_LINES} == {}


def test_a_submission_is_checked_by_make_lint_and_make_test_and_nothing_else() -> None:
    script = ROOT / ".ci" / "run"

    commands = [
        line
        for line in script.read_text().splitlines()
        if line and not line.startswith("#") and not line.startswith(("set ", "cd "))
    ]

    assert commands == ["make lint", "make test"]
    assert os.access(script, os.X_OK)


def _folders_of_this_machine() -> Iterator[str]:
    """Yield absolute folders that only this machine has; those near `/` may well be in an image."""
    named = {ROOT, Path.home(), Path(sys.prefix), Path(sys.base_prefix)}
    shared = {
        Path("/"),
        Path("/usr"),
        Path("/usr/local"),
        Path("/app"),
        Path("/src"),
        Path("/data"),
    }
    yield from (str(folder) for folder in named - shared)


def _texts(top: Path = ROOT) -> Iterator[tuple[Path, str]]:
    """Yield the text files below `top` and their text, without caches and environments."""
    for folder, names, files in os.walk(top):
        names[:] = [
            n for n in names if n not in NOT_OURS and not n.endswith(("_cache", ".egg-info"))
        ]
        for name in files:
            path = Path(folder, name)
            try:
                yield path, path.read_text()
            except UnicodeDecodeError:
                continue

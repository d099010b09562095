"""The command line as its users have it: a process, its exit code and its two outputs."""

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass
class CommandLine:
    """Runs `dynagate` in a folder of its own, with an environment of its own.

    `site` is where distributions can be installed for it.
    """

    folder: Path
    site: Path
    environ: dict[str, str] = field(default_factory=dict)

    def __call__(
        self, *arguments: str, stdin: str = "", environ: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run to the end and return what came out."""
        return subprocess.run(
            self.command(*arguments),
            cwd=self.folder,
            env={**self.variables(), **(environ or {})},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    def command(self, *arguments: str) -> list[str]:
        """Return what to execute."""
        return [sys.executable, "-m", "gateway.cli", *arguments]

    def variables(self) -> dict[str, str]:
        """Return the environment that it runs with."""
        return {
            "HOME": str(self.folder),
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join([str(self.site), str(ROOT), str(ROOT / "plugins")]),
            "TERM": "dumb",
            "COLUMNS": "200",
            # What measures coverage in child processes, when something does.
            **{name: os.environ[name] for name in os.environ if name.startswith("COVERAGE")},
            **self.environ,
        }

    def write(self, text: str, name: str = "config.yaml") -> Path:
        """Write a configuration."""
        path = self.folder / name
        path.write_text(text)
        return path

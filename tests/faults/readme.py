"""The table of README.md that says what the fault matrix reached."""

import os
import platform
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from tests.bench.processes import ROOT
from tests.faults.row import Reached, Row

README = ROOT / "README.md"
BEGIN = "<!-- written by `make faults ARGS=--write` -->"
END = "<!-- the end of what is written -->"


def write(results: Sequence[tuple[Row, Reached]], path: Path = README) -> None:
    """Put what was reached between the marks of the README; rows that were not run stay."""
    text = path.read_text("utf-8")
    before, _, rest = text.partition(BEGIN)
    old, _, after = rest.partition(END)
    lines = {found[1]: found[0] for found in re.finditer(r"^\| (\w+) \|.*$", old, re.MULTILINE)}
    lines.pop("row", None)
    lines |= {row.id: _line(row, result) for row, result in results}
    table = "\n".join(lines[name] for name in sorted(lines))
    head = "| row | what was done | what came of it | what is asked for |\n|---|---|---|---|"
    path.write_text(f"{before}{BEGIN}\n{about()}\n\n{head}\n{table}\n{END}{after}", "utf-8")


def about() -> str:
    """Return the line that says when and where the rows were run."""
    lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    cores = len(os.sched_getaffinity(0))
    machine = f"{cores} shared cores of {next(iter(models), platform.machine())}"
    software = f"Python {platform.python_version()}, aiohttp {version('aiohttp')}"
    day = f"{datetime.now(UTC):%Y-%m-%d}"
    return f"On {machine}, {software}, {day}, load {os.getloadavg()[0]:.1f}:"


def _line(row: Row, result: Reached) -> str:
    mark = "MISSED: " if result.is_run and not result.is_met else ""
    cells = (row.id, row.fault, mark + result.figure, row.target)
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"

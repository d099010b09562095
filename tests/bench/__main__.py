"""`python -m tests.bench`: the gateway against a bare aiohttp proxy, on Linux, in three minutes.

Both stand in front of the same scripted upstream and are measured by turns, as CPU time of the
whole process tree, so that the ratios hold on a busy machine too. The exit code is 1 when a range
(the quartiles of all rounds) lies wholly above its ceiling, or when an answer is not complete.
"""

import argparse
import asyncio
import os
import platform
import signal
import sys
import tempfile
from collections.abc import Collection
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType

import orjson

from tests.bench import media, scenarios, workers
from tests.bench.figures import Figure, table
from tests.bench.load import IncompleteError
from tests.bench.loops import loop_factory
from tests.bench.processes import raise_descriptor_limit

_SCENARIOS = MappingProxyType(
    {
        "request": scenarios.per_request,
        "kept": scenarios.per_kept_request,
        "chunk": scenarios.per_chunk,
        "memory": scenarios.memory,
        "startup": scenarios.start_up,
        "media": media.media,
        "workers": workers.workers,
    }
)
_BASE_S, _MOST_S_A_ROUND = 120.0, 60.0
_INTERRUPTED = 130


def main() -> int:
    """Run the bench; return the exit code."""
    options = _options()
    raise_descriptor_limit()
    about = _about()
    _say("".join(f"{name}: {value}\n" for name, value in about.items()))
    wanted = options.only or tuple(_SCENARIOS)
    try:
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            figures = runner.run(_run(wanted, options.rounds))
    except (KeyboardInterrupt, asyncio.CancelledError):
        return _INTERRUPTED
    except (IncompleteError, RuntimeError, TimeoutError) as error:
        _say(f"the run is worth nothing: {type(error).__name__}: {error}\n")
        return 1
    _say(f"\n{table(figures)}")
    if options.json is not None:
        document = {"about": about, "figures": [figure.document() for figure in figures]}
        options.json.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2))
    return 1 if any(figure.is_missed for figure in figures) else 0


async def _run(wanted: Collection[str], rounds: int) -> list[Figure]:
    task = asyncio.current_task()
    assert task is not None
    # As ctrl-C does: what was started has to be ended first.
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="dynagate-bench-") as folder:
        async with asyncio.timeout(_BASE_S + rounds * _MOST_S_A_ROUND):
            for name, measure in _SCENARIOS.items():
                if name in wanted:
                    _say(f"measuring: {name}\n")
                    figures += await measure(Path(folder), rounds)
    return figures


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m tests.bench", description=__doc__)
    parser.add_argument("--rounds", type=_count, default=7, help="rounds of each target (7)")
    parser.add_argument("--only", action="append", choices=_SCENARIOS, help="may be repeated")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where every value goes")
    return parser.parse_args()


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def _about() -> dict[str, str]:
    """Return what a figure means nothing without."""
    versions = [f"{name} {version(name)}" for name in ("aiohttp", "uvloop", "pydantic")]
    lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    cores = len(os.sched_getaffinity(0))
    load = os.getloadavg()[0]
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "machine": f"{cores} cores, {next(iter(models), platform.machine())}, load {load:.1f}",
        "software": ", ".join([f"Python {platform.python_version()}", *versions]),
    }


def _say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())

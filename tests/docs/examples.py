"""Runs what the documentation shows, in a process of its own, against a gateway that listens."""

import os
import subprocess
import sys

SHOWN = "http://127.0.0.1:8080"
"""Where the documentation's gateway is."""


def run_python(example: str, url: str) -> str:
    """Return what `example` prints when the gateway is at `url`; blocks."""
    assert SHOWN in example
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", example.replace(SHOWN, url)],
        env={"PATH": os.environ["PATH"], "NO_PROXY": "127.0.0.1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def curl_lines(block: str, url: str) -> list[str]:
    """Return the commands of a block of shell, with the gateway at `url`."""
    lines = [line.replace("$BASE", SHOWN) for line in block.splitlines()]
    assert all(SHOWN in line for line in lines)
    return [line.replace(SHOWN, url) for line in lines]

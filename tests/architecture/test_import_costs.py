"""What starting costs: nothing heavy is imported before somebody needs it."""

import os
import subprocess
import sys

import pytest

HEAVY = {"PIL", "ctranslate2", "genai_prices", "httpx2", "multiprocessing", "numpy", "onnxruntime"}


@pytest.mark.parametrize(
    ("module", "never"),
    [
        ("gateway.running", HEAVY),
        ("gateway_local", HEAVY),
        ("gateway.sdk", HEAVY | {"asyncio", "gateway.sdk.workshop", "gateway.sdk.pictures"}),
        ("gateway.sdk.workshop", HEAVY | {"gateway.sdk.pictures"}),
    ],
)
def test_importing_a_module_imports_nothing_heavy(module: str, never: set[str]) -> None:
    program = f"import sys, {module}; print(*sorted({never} & set(sys.modules)))"

    # What measures coverage would start itself in there, and it imports multiprocessing.
    plain = {name: value for name, value in os.environ.items() if not name.startswith("COV")}

    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
        env=plain,
    )

    assert done.stdout.split() == []

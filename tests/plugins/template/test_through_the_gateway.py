"""A stranger's wheel, three lines of configuration, and the gateway answers with it."""

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.plugins.template.installation import Installed

BEFORE = """
server: {port: 0}
admin: {listen: null}
providers:
  chaos: {kind: chaos}
models:
  scripted: {targets: [{provider: chaos, model: echo}]}
"""
AFTER = """
server: {port: 0}
admin: {listen: null}
providers:
  chaos: {kind: chaos}
  mine: {kind: echo, settings: {prefix: "you said: "}}
models:
  scripted: {targets: [{provider: chaos, model: echo}]}
  echo:
    targets: [{provider: mine, model: any}]
"""


@pytest.mark.slow
def test_three_lines_make_an_installed_plugin_answer(template: Installed, tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(AFTER, encoding="utf-8")
    with subprocess.Popen(
        [sys.executable, "-m", "gateway", "serve", "--config", str(path)],
        env=template.environment(),
        stdout=subprocess.PIPE,
        text=True,
    ) as serving:
        try:
            assert serving.stdout is not None
            base = serving.stdout.readline().split()[-1]
            words = _get(f"{base}/api/generate_response?model=echo&user_input=hello")
            cards = json.loads(_get(f"{base}/api/text/models"))
        finally:
            serving.terminate()

    assert len(AFTER.splitlines()) - len(BEFORE.splitlines()) == 3
    assert words.strip() == "you said: hello"
    assert [card["provider"] for card in cards] == ["chaos", "mine"]
    assert serving.returncode == 0


def _get(url: str) -> str:
    for _ in range(50):
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - loopback.
                return str(answer.read().decode())
        except urllib.error.URLError:
            time.sleep(0.1)
    pytest.fail(f"{url} does not answer")

"""What `state.valkey` costs and says at start."""

import subprocess
import sys
from pathlib import Path

import pytest

from gateway.config.load import load
from gateway.config.problems import ConfigError
from gateway.state.memory import MemoryCounters
from gateway.state.shared import open_shared
from gateway.testing.clock import ManualClock
from tests.state.sharing import admitted, calls
from tests.valkey import TestValkey, client

REST = "providers: {c: {kind: chaos}}\nmodels: {m: {targets: [{provider: c, model: echo}]}}\n"


async def opened(url: str, folder: Path) -> None:
    """Open what is configured, and count one call."""
    path = folder / "config.yaml"
    path.write_text(f'state: {{valkey: "{url}", on_state_down: local_share}}\n{REST}')
    clock = ManualClock()
    async with open_shared(load(path, {}), clock, MemoryCounters(clock)) as shared:
        await admitted(shared.counters, calls("a", 1, 60, 1))


async def test_a_wrong_password_stops_the_start_and_is_not_repeated(
    own_valkey: TestValkey, tmp_path: Path
) -> None:
    with client(own_valkey.url) as operator:
        operator.config_set("requirepass", "the-right-canary")
        operator.close()

    with pytest.raises(ConfigError) as caught:
        await opened(own_valkey.url.replace("unix://", "unix://:wrong-canary@"), tmp_path)

    assert "state.valkey" in str(caught.value)
    assert "it refuses the user or the password" in str(caught.value)
    assert "canary" not in str(caught.value)


async def test_a_server_that_is_not_there_yet_does_not_stop_the_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await opened(f"unix://:canary@{tmp_path}/none", tmp_path)

    assert "(No such file or directory): state.on_state_down holds" in caplog.text
    assert "canary" not in caplog.text


async def test_without_the_client_the_start_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As if importing it had failed at its first import of the client.
    monkeypatch.setitem(sys.modules, "gateway.state.valkey.sharing", None)

    with pytest.raises(ConfigError) as caught:
        await opened("redis://127.0.0.1:1", tmp_path)

    assert "pip install 'dynagate[valkey]'" in str(caught.value)


def test_who_has_no_server_does_not_pay_for_its_client() -> None:
    program = "import sys, gateway.app; print([n for n in sys.modules if n.startswith('redis')])"

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30
    )

    assert done.stdout.strip() == "[]"

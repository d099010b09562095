"""The server that a gateway of several processes starts for itself."""

from pathlib import Path

from gateway.config.load import load
from gateway.supervisor.valkey import Valkey

CONFIG = """
server: {workers: 2}
state: {url: "sqlite:///$XDG_STATE_HOME/dynagate/state.sqlite"}
providers: {chaos: {kind: chaos}}
models: {mine: {targets: [{provider: chaos, model: echo}]}}
"""


def test_the_state_folder_that_it_makes_is_for_its_user_alone(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG, encoding="utf-8")
    environ = {"DYNAGATE_STATE_DIR": str(tmp_path / "state")}
    server = Valkey(load(path, environ), tmp_path, environ)

    with server.held():
        modes = [
            folder.stat().st_mode & 0o777
            for folder in (tmp_path / "state", tmp_path / "state" / "valkey")
        ]

    assert modes == [0o700, 0o700]

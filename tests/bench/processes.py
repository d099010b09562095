"""The processes of the bench: started, awaited, and ended whatever happens."""

import asyncio
import os
import random
import resource
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
_PATIENCE_S = 20.0
_POLL_S = 0.005
_PROBE = b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
_DESCRIPTORS = 16_384
_PORTS = (12_000, 32_000)


@dataclass(frozen=True, slots=True)
class Server:
    """A process that answers on `port` of loopback."""

    pid: int
    port: int


@asynccontextmanager
async def running(
    words: Sequence[str], port: int, folder: Path, environ: Mapping[str, str] | None = None
) -> AsyncGenerator[Server]:
    """Run Python with `words` until left; entered as soon as `GET /health` on `port` is answered.

    Raises `RuntimeError`, with what the process said last, when that does not happen.
    """
    log = folder / f"{port}.log"
    with log.open("wb") as output:
        # Not asyncio's: a cancellation in the middle of its start would leave the process behind.
        process = subprocess.Popen(  # noqa: ASYNC220
            [sys.executable, *words],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=ROOT,
            env=environ,
            # A group of its own: ctrl-C isn't its business, and its children end with it.
            start_new_session=True,
        )
    try:
        if not await _answers(process, port):
            last = log.read_text("utf-8", "replace")[-2000:]
            msg = f"{' '.join(words)} does not answer:\n{last}"
            raise RuntimeError(msg)
        yield Server(process.pid, port)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        log.unlink()


def free_port() -> int:
    """Return a port of loopback that nobody listens on now.

    Not one of those that the system gives to connections: it could be gone before it is used.
    """
    while True:
        port = random.randrange(*_PORTS)  # noqa: S311 - no secret.
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


def raise_descriptor_limit() -> int:
    """Let this process and its children open as many files as they may; return how many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _DESCRIPTORS if hard == resource.RLIM_INFINITY else min(_DESCRIPTORS, hard)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return soft if soft != resource.RLIM_INFINITY else _DESCRIPTORS
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return wanted


async def _answers(process: subprocess.Popen[bytes], port: int) -> bool:
    """Wait until `process` is healthy; False when it has ended or takes too long."""
    try:
        async with asyncio.timeout(_PATIENCE_S):
            while process.poll() is None:
                if await _is_healthy(port):
                    return True
                await asyncio.sleep(_POLL_S)
    except TimeoutError:
        pass
    return False


async def _is_healthy(port: int) -> bool:
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except ConnectionRefusedError:
        return False
    try:
        writer.write(_PROBE)
        return (await reader.readline()).startswith(b"HTTP/1.1 200")
    except ConnectionError:
        return False
    finally:
        writer.close()

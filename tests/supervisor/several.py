"""A gateway of several processes as its operator has it, and what it looks like from outside."""

import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from tests.bench.processes import free_port
from tests.cli.command_line import CommandLine
from tests.registry.distributions import install

PATIENCE_S = 40.0
ENGINE = """
import os
from contextlib import asynccontextmanager
from gateway.schema.events import Finish, Started, TextDelta
from gateway.schema.usage import Usage
from gateway.sdk import ProviderKind, hookimpl
from gateway_chaos.provider import Chaos, ChaosSettings

class Engine(Chaos):
    def __init__(self, settings, deps):
        super().__init__(settings)
        self.log = deps.state_dir / "freed"

    async def chat(self, request, attempt):
        if request.model == "pid":
            yield Started(model="pid")
            yield TextDelta(0, str(os.getpid()))
            yield Finish(0, "stop")
            yield Usage(1, 1)
            return
        try:
            async for event in super().chat(request, attempt):
                yield event
        except BaseException:
            self.log.parent.mkdir(parents=True, exist_ok=True)
            self.log.write_text("yes")
            raise

@asynccontextmanager
async def connect(settings, deps):
    yield Engine(settings, deps)

@hookimpl
def gateway_provider_kinds():
    return [ProviderKind(name="KIND", settings=ChaosSettings, connect=connect, once=True)]
"""
"""A kind that is run once: `chaos`, a model that says its process, and a file once it is freed."""

ADMIN: Final = {"Authorization": "Bearer the-admins-own-secret"}
CONFIG = """
server: {{port: {port}, workers: 2, drain_s: 5, trusted_proxies: [127.0.0.0/8]}}
admin: {{listen: "127.0.0.1:{admin}", secret: the-admins-own-secret}}
limits: {{anonymous: {{requests: 100/hour, concurrent: 10}}}}
state: {{url: "sqlite:///{folder}/state.sqlite"}}
logs: {{format: json}}
providers:
  chaos: {{kind: chaos}}
  single: {{kind: chaos, concurrent: 1, queue: 0}}
  engine: {{kind: engine, concurrent: 2, queue: 0}}
models:
  echo: {{targets: [{{provider: chaos, model: echo}}]}}
  long: {{targets: [{{provider: chaos, model: "gap:50ms+words:10000"}}]}}
  some: {{targets: [{{provider: chaos, model: "gap:100ms+words:15"}}]}}
  single: {{targets: [{{provider: single, model: "gap:50ms+words:10000"}}]}}
  "chaos/*": {{targets: [{{provider: engine, model: "*"}}]}}
  pid: {{targets: [{{provider: engine, model: pid}}]}}
"""


class Several:
    """A running gateway. Its children are a Valkey, the host, and the workers."""

    def __init__(self, process: subprocess.Popen[str], url: str, admin_url: str) -> None:
        self.process = process
        self.url = url
        self.admin_url = admin_url
        self.port = int(url.rpartition(":")[2])

    @property
    def children(self) -> list[int]:
        """The processes that it started itself, the oldest first."""
        return children_of(self.process.pid)

    @property
    def host(self) -> int:
        """The process of what is run once."""
        return self.children[1]

    @property
    def workers(self) -> list[int]:
        """The processes that answer."""
        return self.children[2:]

    def connections(self) -> dict[int, int]:
        """Return how many of our connections each worker has."""
        return {pid: connections_of(pid, self.port) for pid in self.workers}

    def stop(self) -> int:
        """End it as an operator does; return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE_S)


def configured(dynagate: CommandLine, text: str = CONFIG) -> tuple[CommandLine, int]:
    """Write the configuration and the kind it needs; return the port of the admin listener."""
    admin = free_port()
    dynagate.write(text.format(port=0, admin=admin, folder=dynagate.folder))
    if not list(dynagate.site.glob("engine_kind*")):
        install(dynagate.site, "engine-kind", {"engine": ENGINE})
    return dynagate, admin


@contextmanager
def running(
    dynagate: CommandLine, text: str = CONFIG, environ: Mapping[str, str] | None = None
) -> Iterator[Several]:
    """Run it until left; entered when it says that it answers."""
    dynagate, admin = configured(dynagate, text)
    log = (dynagate.folder / "log").open("a")
    process = subprocess.Popen(
        dynagate.command("serve"),
        cwd=dynagate.folder,
        env={**dynagate.variables(), **(environ or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
    )
    family: list[int] = []
    try:
        assert process.stdout is not None
        said = process.stdout.readline()
        family = family_of(process.pid)
        assert " at http" in said, (dynagate.folder / "log").read_text()
        yield Several(process, said.split()[-1], f"http://127.0.0.1:{admin}")
    finally:
        family += [pid for pid in family_of(process.pid) if pid not in family]
        process.kill()
        process.wait()
        until(lambda: not any(map(is_alive, family)))
        assert process.stdout is not None
        process.stdout.close()
        log.close()


def until(condition: Callable[[], object]) -> None:
    """Wait for what other processes do and tell nobody."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "it does not happen"
        time.sleep(0.02)


def is_alive(pid: int) -> bool:
    """Say whether a process runs; one that waits to be reaped does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


def children_of(pid: int) -> list[int]:
    """Return the children of a process, the oldest first."""
    found: list[int] = []
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            found += map(int, (task / "children").read_text().split())
    return found


def family_of(pid: int) -> list[int]:
    """Return a process and all that it started, and those that they did."""
    return [pid, *(one for child in children_of(pid) for one in family_of(child))]


def connections_of(pid: int, port: int) -> int:
    """Return how many established connections to a local port a process has."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    ours = {row[9] for row in rows if row[3] == "01" and int(row[1].rpartition(":")[2], 16) == port}
    held = set()
    for file in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):
            held.add(str(file.readlink()).removeprefix("socket:[").rstrip("]"))
    return len(held & ours)

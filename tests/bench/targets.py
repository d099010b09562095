"""The two that are compared, and the upstream that both stand in front of."""

import os
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Literal

from tests.bench.processes import ROOT, Server, free_port, running
from tests.bench.upstream import IDLE_MODEL, MODEL

Target = Literal["bare", "gateway"]
TARGETS: tuple[Target, Target] = ("bare", "gateway")
MODULES = {"bare": "tests.bench.bare_proxy", "gateway": "gateway.running"}
"""What each imports before it can serve."""

# Nothing is refused and nothing is left out: quota, metrics, account and the log line are on.
_CONFIG = """
state: {state}
server: {{drain_s: 0}}
admin: {{listen: null}}
limits: {{anonymous: {{requests: 1000000000/day, concurrent: 10000}}}}
logs: {{format: json}}
providers:
  up:
    kind: openai
    settings: {{base_url: "http://127.0.0.1:{port}/v1"}}
    concurrent: 4096
    http: {{connections: 4096}}
models:
  {model}: {{targets: [{{provider: up, model: {model}}}]}}
  {idle}: {{targets: [{{provider: up, model: {idle}}}]}}
"""
_STEERING = ("DYNAGATE_", "OPENAI_", "PYTHON", "XDG_")


@asynccontextmanager
async def upstream(folder: Path) -> AsyncGenerator[Server]:
    """Run the scripted upstream; `folder` takes logs and configurations."""
    port = free_port()
    words = ("-m", "tests.bench.upstream", str(port))
    async with running(words, port, folder, environ(folder)) as server:
        yield server


def target(
    name: Target, upstream_port: int, folder: Path, *, is_kept: bool = False
) -> AbstractAsyncContextManager[Server]:
    """Run a target in front of the upstream; with `is_kept` the gateway has a database."""
    port = free_port()
    if name == "bare":
        return _bare(port, upstream_port, folder)
    config = folder / "bench.yaml"
    state = f'{{url: "sqlite:///{folder / "bench.sqlite"}"}}' if is_kept else "{}"
    config.write_text(configuration(upstream_port, state=state), "utf-8")
    words = ("-m", "gateway", "serve", "--config", str(config), "--port", str(port))
    return running(words, port, folder, environ(folder))


def configuration(upstream_port: int, *, state: str = "{}") -> str:
    """Return the gateway's configuration in front of the upstream; `state` is its section."""
    return _CONFIG.format(port=upstream_port, model=MODEL, idle=IDLE_MODEL, state=state)


def as_shipped(name: Target, folder: Path) -> AbstractAsyncContextManager[Server]:
    """Run a target as it is on a new machine: the shipped configuration, and no weights."""
    port = free_port()
    if name == "bare":
        return _bare(port, port, folder)  # It connects to its upstream only when it is asked.
    admin = f"127.0.0.1:{free_port()}"
    words = ("-m", "gateway", "serve", "--config", str(ROOT / "config.yaml"))
    return running((*words, "--port", str(port), "--admin", admin), port, folder, environ(folder))


def environ(folder: Path) -> dict[str, str]:
    """Return our environment without what steers Python or the gateway; its caches are empty."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_STEERING)}
    return kept | {
        "DYNAGATE_CACHE_DIR": str(folder / "cache"),
        "DYNAGATE_STATE_DIR": str(folder / "state"),
    }


def _bare(port: int, upstream_port: int, folder: Path) -> AbstractAsyncContextManager[Server]:
    words = ("-m", MODULES["bare"], str(port), str(upstream_port))
    return running(words, port, folder, environ(folder))

"""Where a row is checked: before a gateway of its own process, one within ours, or a stand-in."""

import json
import logging
import os
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.bench.processes import free_port, running
from tests.bench.targets import environ
from tests.faults.served import ADMIN_SECRET, Served, session
from tests.faults.stand_in.application import application, listening
from tests.running import run_gateway

UPSTREAM_KEY = "sk-canary-upstream"
SLACK = 5
"""How many times as long as its target something may take: the machine does other things, too."""
Serve = Callable[[Mapping[str, Any], Path], AbstractAsyncContextManager[Served]]
"""Serves a configuration, whose files go into the folder."""


Words = Callable[[str], Sequence[str]]
"""What Python is given to serve a file, up to the port."""


def gateway_words(config: str) -> Sequence[str]:
    """Serve by the gateway."""
    return "-m", "gateway", "serve", "--config", config, "--port"


def stand_in_words(config: str) -> Sequence[str]:
    """Serve by the stand-in, with the defects that the file names."""
    return "-m", "tests.faults.stand_in", config


class Ground:
    """What a check has: somebody to face, a folder, and how thorough it is to be."""

    def __init__(
        self,
        serve: Serve,
        folder: Path,
        *,
        scale: float = 1.0,
        is_timed: bool = True,
        dialects: Sequence[str] = ("openai", "dynaspark"),
        owns_process: bool = True,
        requests: int = 3000,
        minutes: float = 1.0,
        weakness: Mapping[str, Any] | None = None,
        words: Words = gateway_words,
        defects: Sequence[str] = (),
    ) -> None:
        self.folder = folder
        self.dialects = dialects
        """In which streams can be asked for."""
        self.owns_process = owns_process
        """Memory and descriptors of who is faced are nobody else's."""
        self.requests = requests
        """How many the fuzz sends."""
        self.minutes = minutes
        """How long the soak takes."""
        self.words = words
        """For rows that start and end it themselves."""
        self.defects = defects
        """Of the stand-in, likewise."""
        self._weakness = weakness or {}
        self._serve = serve
        self._scale = scale
        self._is_timed = is_timed
        self._served = 0

    def times(self, count: int, least: int = 1) -> int:
        """Return how often something is done that a whole run does `count` times."""
        return max(least, round(count * self._scale))

    def is_in_time(self, reached_s: float, target_s: float) -> bool:
        """Say whether `reached_s` is at most five times the target; tests don't look at it."""
        return not self._is_timed or reached_s <= SLACK * target_s

    @asynccontextmanager
    async def facing(self, *urls: str, **sections: Any) -> AsyncGenerator[Served]:
        """Serve `openai`, answered by the upstreams at `urls` in order; `up-*` by the first.

        `sections` are of the configuration's file; `up` is more of each provider.
        """
        self._served += 1
        folder = self.folder / str(self._served)
        folder.mkdir()
        document = _merged(configuration(urls, sections), self._weakness)
        async with self._serve(document, folder) as served:
            yield served


def configuration(urls: Sequence[str], sections: Mapping[str, Any]) -> dict[str, Any]:
    """Return the file of a gateway before upstreams, which limits nobody unless told to."""
    given = dict(sections)
    own = given.pop("up", {})
    providers = {
        f"up{number}": {
            "kind": "openai",
            "settings": {"base_url": f"{url}/v1", "api_key": UPSTREAM_KEY},
            "concurrent": 4096,
            "http": {"connections": 4096},
            **own,
        }
        for number, url in enumerate(urls, 1)
    }
    first = next(iter(providers))
    models = {
        "openai": {"targets": [{"provider": name, "model": "upstream"} for name in providers]},
        "up-*": {"targets": [{"provider": first, "model": "*"}]},
        **given.pop("models", {}),
    }
    server = {"drain_s": 0, **given.pop("server", {})}
    return {
        "server": server,
        "admin": {"listen": f"127.0.0.1:{free_port()}", "secret": ADMIN_SECRET},
        "limits": {"anonymous": {"requests": "1000000000/day", "concurrent": 100_000}},
        "logs": {"format": "json"},
        "providers": {**providers, **given.pop("more", {})},
        "models": models,
        **given,
    }


def _merged(document: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """Return the document with what `more` says instead, section by section."""
    merged = dict(document)
    for name, value in more.items():
        is_section = isinstance(value, dict) and isinstance(merged.get(name), dict)
        merged[name] = _merged(merged[name], value) if is_section else value
    return merged


@asynccontextmanager
async def as_process(
    document: Mapping[str, Any],
    folder: Path,
    *,
    environment: Mapping[str, str] | None = None,
    descriptors: int | None = None,
) -> AsyncGenerator[Served]:
    """Serve by `dynagate serve`, with more of an environment; it may open so many `descriptors`."""
    words = gateway_words(_written(document, folder))
    own = {**environ(folder), **(environment or {})}
    async with _process(words, document, folder, own, descriptors) as served:
        yield served


@asynccontextmanager
async def within(document: Mapping[str, Any], folder: Path) -> AsyncGenerator[Served]:
    """Serve by a gateway of this process on our own runner: it starts at once."""
    heard = _Heard()
    async with run_gateway(json.dumps(document), folder) as gateway, session() as client:
        logging.getLogger().addHandler(heard)
        try:
            ports = (gateway.public.port or 0, gateway.admin.port or 0)
            yield Served(client, *ports, os.getpid(), lambda: gateway.lines() + heard.said())
        finally:
            logging.getLogger().removeHandler(heard)


def stood_in(
    *defects: str,
    is_process: bool = False,
    environment: Mapping[str, str] | None = None,
    descriptors: int | None = None,
) -> Serve:
    """Serve by the stand-in that has these defects; the rest is for a process of its own."""

    @asynccontextmanager
    async def serve(document: Mapping[str, Any], folder: Path) -> AsyncGenerator[Served]:
        flawed = {**document, "defects": defects}
        if is_process:
            words = stand_in_words(_written(flawed, folder))
            own = {**environ(folder), **(environment or {})}
            async with _process(words, flawed, folder, own, descriptors) as served:
                # It has one listener for all.
                yield replace(served, admin_port=served.port)
            return
        app = application(flawed)
        async with listening(app, flawed, 0) as port, session() as client:
            yield Served(client, port, port, os.getpid(), lambda: "")

    return serve


@asynccontextmanager
async def _process(
    words: Sequence[str],
    document: Mapping[str, Any],
    folder: Path,
    own: Mapping[str, str],
    descriptors: int | None,
) -> AsyncGenerator[Served]:
    if descriptors is not None:
        words = ["-c", _FEW_DESCRIPTORS, str(descriptors), *words]
    port = free_port()
    log = folder / f"{port}.log"
    admin = int(document["admin"]["listen"].rpartition(":")[2])
    async with running([*words, str(port)], port, folder, own) as server, session() as client:
        yield Served(client, port, admin, server.pid, lambda: log.read_text("utf-8", "replace"))


def _written(document: Mapping[str, Any], folder: Path) -> str:
    path = folder / "config.yaml"
    path.write_text(json.dumps(document), "utf-8")  # JSON is YAML, too.
    return str(path)


class _Heard(logging.Handler):
    """Keeps what is logged besides calls."""

    def __init__(self) -> None:
        super().__init__()
        self._lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(self.format(record))

    def said(self) -> str:
        return "\n".join(self._lines)


_FEW_DESCRIPTORS = """
import os, resource, sys
limit = int(sys.argv[1])
resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
os.execv(sys.executable, [sys.executable, *sys.argv[2:]])
"""

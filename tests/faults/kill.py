"""`python -m tests.faults.kill --times 100`: a gateway that is killed under load loses no call.

It stands on a SQLite file before a scripted upstream, under a load of streams and whole replies. At
a random moment it gets SIGKILL, and is started again; meanwhile somebody holds the database's lock
now and then, so that rows are spooled as well. In the end every call whose answer came whole has
its row (else it is lost), no call has two (doubled), and none is there that the upstream was not
asked for (phantom). The exit code is 1 when one of the three is not 0.
"""

import argparse
import asyncio
import json
import os
import random
import signal
import sqlite3
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import aiohttp

from gateway.testing.actions import Action, json_body, streamed
from gateway.testing.http_wire import UpstreamRequest
from gateway.testing.openai_documents import whole_document
from gateway.testing.upstream import FakeUpstream
from tests.bench.processes import free_port, running
from tests.bench.targets import environ
from tests.faults.ground import Words, gateway_words

CALLERS = 16
_MOST_S = 0.6
"""Of load before a kill."""
_GAP_S = 0.003
_LOCK_S = (0.02, 0.3)


@dataclass(slots=True)
class Outcome:
    """What was seen on both sides of the gateway, by names that each call has for itself."""

    acknowledged: set[str] = field(default_factory=set)
    asked: set[str] = field(default_factory=set)
    rows: Counter[str] = field(default_factory=Counter)

    @property
    def lost(self) -> int:
        """Calls that were answered whole and have no row."""
        return len(self.acknowledged - self.rows.keys())

    @property
    def doubled(self) -> int:
        """Rows beyond the first of a call."""
        return self.rows.total() - len(self.rows)

    @property
    def phantom(self) -> int:
        """Calls with a row that the upstream was never asked for."""
        return len(self.rows.keys() - self.asked)

    def said(self) -> str:
        """Return the three numbers, and how many calls they are about."""
        return (
            f"{self.lost} lost, {self.doubled} doubled, {self.phantom} phantom; "
            f"{len(self.acknowledged)} acknowledged, {self.rows.total()} rows, "
            f"{len(self.asked)} asked"
        )


def _configuration(url: str, database: Path, durability: str) -> dict[str, Any]:
    provider = {"kind": "openai", "settings": {"base_url": f"{url}/v1"}, "concurrent": 1024}
    return {
        "server": {"drain_s": 5},
        "admin": {"listen": None},
        "state": {"url": f"sqlite:///{database}"},
        "ledger": {"durability": durability},
        "limits": {"anonymous": {"requests": "1000000000/day", "concurrent": 10_000}},
        "logs": {"format": "json"},
        "providers": {"up": provider},
        "models": {"call-*": {"targets": [{"provider": "up", "model": "*"}]}},
    }


async def kill(
    folder: Path,
    times: int,
    seed: int,
    durability: str = "normal",
    *,
    words: Words = gateway_words,
    defects: Sequence[str] = (),
) -> Outcome:
    """Kill a gateway so often and return what came of it; `folder` takes its files.

    `words` start it; a stand-in has `defects`.
    """
    chance = random.Random(seed)  # noqa: S311 - of moments, not of secrets.
    outcome = Outcome()

    def answered(request: UpstreamRequest) -> Sequence[Action]:
        outcome.asked.add(request.document["model"])
        if request.is_stream:
            words = [{"content": f"word{number} "} for number in range(chance.randrange(1, 6))]
            return streamed(request, words, finish="stop", gap_s=_GAP_S)
        return json_body(200, whole_document(request, {"content": "hello"}, "stop", None), {})

    async with FakeUpstream(default=answered) as upstream:
        config, database = folder / "kill.yaml", folder / "state.sqlite"
        document = _configuration(upstream.url, database, durability)
        if defects:
            document["defects"] = list(defects)
        config.write_text(json.dumps(document), "utf-8")  # JSON is YAML, too.
        port = free_port()
        started = (*words(str(config)), str(port))
        async with _load(port, outcome):
            for number in range(times):
                async with running(started, port, folder, environ(folder)) as server:
                    async with asyncio.timeout(60):
                        async with _locking(database, chance):
                            await asyncio.sleep(chance.uniform(0.0, _MOST_S))
                            os.kill(server.pid, signal.SIGKILL)
                upstream.requests.clear()
                upstream.abandoned.clear()
                if number % 10 == 9:
                    _say(f"{number + 1} kills, {len(outcome.acknowledged)} acknowledged\n")
        # What was spooled last is replayed by the next start, before that one has ended.
        async with running(started, port, folder, environ(folder)) as server:
            os.kill(server.pid, signal.SIGTERM)
            await asyncio.to_thread(os.waitid, os.P_PID, server.pid, os.WEXITED | os.WNOWAIT)
    with sqlite3.connect(database) as connection:
        outcome.rows.update(row[0] for row in connection.execute("SELECT model FROM calls"))
    connection.close()
    return outcome


@asynccontextmanager
async def _load(port: int, outcome: Outcome) -> AsyncGenerator[None]:
    """Have callers ask, one question after the other, whether somebody listens or not."""
    names = (f"call-{number}" for number in count())
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}", connector=connector) as session:
        callers = [asyncio.ensure_future(_ask_on(session, names, outcome)) for _ in range(CALLERS)]
        try:
            yield
        finally:
            for caller in callers:
                caller.cancel()
            await asyncio.gather(*callers, return_exceptions=True)


async def _ask_on(session: aiohttp.ClientSession, names: Iterator[str], outcome: Outcome) -> None:
    for name in names:
        is_stream = hash(name) % 2 == 0
        document = {
            "model": name,
            "stream": is_stream,
            "messages": [{"role": "user", "content": "hi"}],
        }
        body = b""
        try:
            async with session.post("/v1/chat/completions", json=document) as answer:
                is_good = answer.status == 200
                async for piece in answer.content.iter_any():
                    body += piece
                    if is_stream and b"[DONE]" in body:
                        # Whatever becomes of the end of the body: the answer says that it is whole.
                        outcome.acknowledged.add(name)
        except aiohttp.ClientError:
            await asyncio.sleep(0.01)
            continue
        if is_good and not is_stream:
            outcome.acknowledged.add(name)


@asynccontextmanager
async def _locking(database: Path, chance: random.Random) -> AsyncGenerator[None]:
    """Take the database's lock now and then, as another program may."""

    async def lock() -> None:
        connection = sqlite3.connect(database, isolation_level=None, timeout=0)
        try:
            while True:
                with suppress(sqlite3.OperationalError):
                    connection.execute("BEGIN IMMEDIATE")
                    await asyncio.sleep(chance.uniform(*_LOCK_S))
                    connection.execute("ROLLBACK")
                await asyncio.sleep(chance.uniform(*_LOCK_S))
        finally:
            connection.close()

    locking = asyncio.ensure_future(lock())
    try:
        yield
    finally:
        locking.cancel()
        await asyncio.gather(locking, return_exceptions=True)


def main() -> int:
    """Run the program; return the exit code."""
    parser = argparse.ArgumentParser("python -m tests.faults.kill", description=__doc__)
    parser.add_argument("--times", type=int, default=100, help="how often it is killed (100)")
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4)))
    parser.add_argument("--durability", choices=("normal", "full"), default="normal")
    options = parser.parse_args()
    _say(f"seed {options.seed}\n")
    with tempfile.TemporaryDirectory(prefix="dynagate-kill-") as folder:
        outcome = asyncio.run(kill(Path(folder), options.times, options.seed, options.durability))
    _say(f"{outcome.said()}\n")
    return 1 if outcome.lost or outcome.doubled or outcome.phantom else 0


def _say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())

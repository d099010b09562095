"""`python -m tests.faults.probe PORT PROCESS`: how long the event loop of a gateway is held.

Asks for its health again and again until standard input ends. Of each answer counts the processor
time that the loop's thread used until it came: what the machine does besides is not counted. Prints
the longest, and the longest wait by the clock, in milliseconds.
"""

import asyncio
import http.client
import json
import select
import subprocess
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.bench.processes import ROOT
from tests.faults.figures import share_of
from tests.faults.served import Served

_EVERY_S = 0.005
_TIMEOUT_S = 60


@dataclass(slots=True)
class Held:
    """What a probe has seen, once it is over."""

    held_s: float = 0.0
    """The most that the loop's thread worked before it answered."""
    waited_s: float = 0.0
    """The longest that an answer took."""
    p95_s: float = 0.0
    """What 95 of 100 answers took at most."""
    answers: int = 0


@asynccontextmanager
async def probed(served: Served) -> AsyncGenerator[Held]:
    """Probe a gateway within the block; what was seen is there after it."""
    words = [sys.executable, "-m", "tests.faults.probe", str(served.port), str(served.pid)]
    held = Held()
    process = subprocess.Popen(  # noqa: ASYNC220 - it takes no time.
        words, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        await asyncio.to_thread(process.stdout.readline)  # It has begun.
        yield held
        said, _ = await asyncio.to_thread(process.communicate, b"")
        seen = json.loads(said)
        held.held_s, held.waited_s = seen["held_ms"] / 1000, seen["waited_ms"] / 1000
        held.p95_s, held.answers = seen["p95_ms"] / 1000, seen["answers"]
    finally:
        process.kill()
        process.communicate()


def main() -> None:
    """Probe until standard input ends."""
    port, process = int(sys.argv[1]), int(sys.argv[2])
    # The first field: nanoseconds on a processor.
    used = Path(f"/proc/{process}/task/{process}/schedstat")
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT_S)
    held_ns, waits = 0, list[float]()
    while not select.select([sys.stdin], [], [], _EVERY_S)[0]:
        before_ns, before_s = int(used.read_text().split()[0]), time.monotonic()
        connection.request("GET", "/health", headers={"Host": "localhost"})
        connection.getresponse().read()
        waits.append(time.monotonic() - before_s)
        held_ns = max(held_ns, int(used.read_text().split()[0]) - before_ns)
        if len(waits) == 1:
            sys.stdout.write("begun\n")
            sys.stdout.flush()
    seen = {
        "held_ms": held_ns / 1e6,
        "waited_ms": max(waits) * 1000,
        "p95_ms": share_of(waits, 0.95) * 1000,
        "answers": len(waits),
    }
    sys.stdout.write(json.dumps(seen))


if __name__ == "__main__":
    main()

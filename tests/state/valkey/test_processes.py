"""Exactly the limit, also when processes race for it."""

import subprocess
import sys

from tests.docs.pages import ROOT

PROGRAM = """
import asyncio, sys
from tests.state.sharing import calls, many, sharing

async def race(url):
    async with sharing(url) as counters:
        print(flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        leases = await many(counters, calls("a", 1234, 3600, 100_000), 5_000)
        print(*(lease.windows[0].remaining for lease in leases))

asyncio.run(race(sys.argv[1]))
"""


def test_of_10_000_from_two_processes_exactly_the_limit_is_admitted(valkey: str) -> None:
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM, valkey],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        for _ in range(2)
    ]
    for racer in racers:
        assert racer.stdout is not None
        racer.stdout.readline()
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("\n")
        racer.stdin.flush()

    told = [racer.communicate(timeout=50)[0].split() for racer in racers]

    assert sorted(int(left) for one in told for left in one) == list(range(1234))

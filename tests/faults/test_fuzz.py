"""A small part of the fuzz: questions by hypothesis, and the same changed byte by byte."""

import random
from pathlib import Path

from gateway.testing.upstream import FakeUpstream, converse
from tests.faults.client_input import mutants
from tests.faults.fuzz import Tally, send_all
from tests.faults.fuzz_changes import changed
from tests.faults.ground import Ground, within
from tests.faults.served import posted

_BOUNDS = {"head_s": 0.2, "body_s": 0.2}


async def test_no_changed_request_is_ever_our_fault(upstream: FakeUpstream, tmp_path: Path) -> None:
    pool = [posted(body, path) for path, body in mutants(3, 60)]
    pool += [b"GET /text/hi?seed=7&stream=true HTTP/1.1\r\nHost: localhost\r\n\r\n"] * 10
    chance, tally = random.Random(3), Tally()  # noqa: S311 - of mistakes, not of secrets.
    ground = Ground(within, tmp_path)
    upstream.default = converse()

    async with ground.facing(upstream.url, server={"bounds": _BOUNDS}) as served:
        await send_all(served, [changed(pool, chance) for _ in range(150)], tally, upstream)
        alive = await served.get("/health")

        assert alive.status == 200
        assert (tally.bad, tally.hangs, served.traces) == ([], 0, 0)
    assert tally.statuses["4xx"] > 0

"""Notices between processes: heard by the others, at once or when they come back."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from gateway.background import Background
from gateway.state.condition import Condition
from gateway.state.valkey.commands import Commands
from gateway.state.valkey.notices import ValkeyNotices
from gateway.state.valkey.server import Server
from tests.state.sharing import PATIENT_S
from tests.valkey import TestValkey, client
from tests.web.raw_http import becomes

KEY = "dynagate:notices:{health}"


class Process:
    """One process's end, and what it has heard."""

    def __init__(self, notices: ValkeyNotices, condition: Condition) -> None:
        self.notices = notices
        self.condition = condition
        self.heard: list[bytes] = []
        self.ages: list[float] = []

    def hear(self, notice: bytes, age_s: float) -> None:
        self.heard.append(notice)
        self.ages.append(age_s)

    async def hears(self, *notices: bytes) -> None:
        await becomes(lambda: self.heard == list(notices))


@asynccontextmanager
async def process(url: str) -> AsyncGenerator[Process]:
    condition, server = Condition("the server"), Server(url)
    commands = Commands(server, condition, "counters", answer_s=PATIENT_S)
    one = Process(ValkeyNotices("health", server, commands, condition), condition)
    background = Background()
    await commands.open()
    background.start("commands", commands.run())
    background.start("notices", one.notices.keep(one.hear))
    try:
        yield one
    finally:
        await commands.aclose()
        await background.aclose()


async def test_others_hear_what_one_sends_in_its_order_and_it_does_not_itself(valkey: str) -> None:
    async with process(valkey) as one, process(valkey) as other:
        one.notices.send(b"first")
        one.notices.send(b"second")
        await other.hears(b"first", b"second")
        other.notices.send(b"third")
        await one.hears(b"third")

        assert other.heard == [b"first", b"second"]
        assert max(other.ages) < PATIENT_S


async def test_who_comes_later_hears_what_was_sent_before_and_how_old_it_is(valkey: str) -> None:
    with client(valkey) as asked:
        seconds, _ = asked.time()
        asked.xadd(KEY, {"from": "gone", "data": "old"}, id=f"{(seconds - 100) * 1000}-0")

    async with process(valkey) as one:
        await one.hears(b"old")

        assert one.ages[0] >= 99


async def test_a_server_that_begins_anew_is_heard_again(own_valkey: TestValkey) -> None:
    async with process(own_valkey.url) as one, process(own_valkey.url) as other:
        one.notices.send(b"before")
        await other.hears(b"before")
        own_valkey.kill()
        await becomes(lambda: one.condition.is_down and other.condition.is_down)
        one.notices.send(b"lost")
        own_valkey.start()
        await becomes(lambda: not one.condition.is_down and not other.condition.is_down)
        one.notices.send(b"after")

        await other.hears(b"before", b"after")


async def test_only_so_many_are_kept(valkey: str) -> None:
    async with process(valkey) as one:
        for number in range(1500):
            one.notices.send(b"%d" % number)
            await asyncio.sleep(0)

        with client(valkey) as asked:
            await becomes(lambda: asked.xlen(KEY) == 1000 and asked.pttl(KEY) > 0)

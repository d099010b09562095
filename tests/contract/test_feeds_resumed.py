"""Section 7: a reader whose connection breaks misses nothing and reads nothing twice."""

import asyncio

import pytest

from tests.contract.asking import Asker
from tests.contract.conftest import Begin
from tests.contract.feeding import IMAGE, TEXT, Event, read

LIMITS = {"anonymous": {"requests": "9999/hour", "concurrent": 99}}
FLUX = {"flux": {"targets": [{"provider": "here", "model": "painter"}]}}
GENERATING = {TEXT: "/text/{}?model=echo", IMAGE: "/image/{}?width=64&height=64"}


@pytest.fixture
async def caller(begin: Begin) -> Asker:
    """Somebody who may call often, of a gateway that writes and draws."""
    return await begin(limits=LIMITS, models=FLUX, more={"here": {"kind": "local"}})


def prompt_of(event: Event) -> str:
    """Return what was asked for."""
    found = event.json()
    return str(found.get("prompt") or found["messages"][0]["content"])


@pytest.mark.parametrize("feed", [TEXT, IMAGE])
async def test_a_reader_cut_off_again_and_again_misses_nothing_and_doubles_nothing(
    caller: Asker, feed: str
) -> None:
    wanted = [f"word{number}" for number in range(24)]
    seen: list[Event] = []

    async def generate() -> None:
        for prompt in wanted:
            answer = await caller.get(GENERATING[feed].format(prompt))
            assert answer.status == 200

    async with asyncio.TaskGroup() as others:
        # Each connection ends in the middle of an event.
        async with read(caller, feed) as reader:
            others.create_task(generate())
            seen.append(await reader.event())
            await reader.wire.until(b"data: ")
        while len(seen) < len(wanted):
            async with read(caller, feed, Last_Event_ID=seen[-1].id) as reader:
                more = min(5, len(wanted) - len(seen))
                seen += [await reader.event() for _ in range(more)]
                if len(seen) < len(wanted):
                    await reader.wire.until(b"data: ")

    assert sorted(prompt_of(event) for event in seen) == sorted(wanted)
    ids = [event.id for event in seen]
    assert ids == sorted(set(ids))


@pytest.mark.parametrize("feed", [TEXT, IMAGE])
async def test_two_who_come_back_with_the_same_id_read_the_same(caller: Asker, feed: str) -> None:
    async with read(caller, feed) as reader:
        await caller.get(GENERATING[feed].format("first"))
        first = await reader.event()
        await caller.get(GENERATING[feed].format("second"))
        second = await reader.event()

    for _ in range(2):
        async with read(caller, feed, Last_Event_ID=first.id) as again:
            assert await again.event() == second

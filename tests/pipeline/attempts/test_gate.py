"""The gate of a provider."""

import asyncio

import pytest

from gateway.config.section import Rate
from gateway.config.upstreams import Pace, Provider
from gateway.pipeline.attempts.gate import Gate, GateFullError


async def test_no_more_than_concurrent_are_in_flight_and_the_next_waits() -> None:
    gate = Gate(Provider(kind="x", concurrent=2))
    await gate.enter()
    await gate.enter()

    third = asyncio.create_task(gate.enter())
    await asyncio.sleep(0)

    assert (gate.in_flight, gate.waiting, third.done()) == (2, 1, False)
    gate.leave()
    await third
    assert (gate.in_flight, gate.waiting) == (2, 0)


async def test_the_highest_priority_goes_first_then_who_came_first() -> None:
    gate = Gate(Provider(kind="x", concurrent=1))
    await gate.enter()
    order: list[str] = []

    async def call(name: str, priority: int) -> None:
        await gate.enter(priority)
        order.append(name)
        gate.leave()

    calls = []
    for name, priority in (("a", 0), ("b", 5), ("c", 0), ("d", 5), ("e", -1)):
        calls.append(asyncio.create_task(call(name, priority)))
        await asyncio.sleep(0)
    gate.leave()
    await asyncio.gather(*calls)

    assert order == ["b", "d", "a", "c", "e"]
    assert gate.in_flight == 0


async def test_a_full_queue_refuses_at_once() -> None:
    gate = Gate(Provider(kind="x", concurrent=1, queue=1))
    await gate.enter()
    waiting = asyncio.create_task(gate.enter())
    await asyncio.sleep(0)

    with pytest.raises(GateFullError):
        await gate.enter()

    gate.leave()
    await waiting


async def test_whoever_gives_up_waiting_leaves_no_hole() -> None:
    gate = Gate(Provider(kind="x", concurrent=1))
    await gate.enter()
    waiting = asyncio.create_task(gate.enter())
    await asyncio.sleep(0)

    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    gate.leave()
    await gate.enter()

    assert (gate.in_flight, gate.waiting) == (1, 0)


async def test_giving_up_while_paced_frees_the_slot() -> None:
    pace = Pace(rate=Rate(1, 3600), burst=1)
    gate = Gate(Provider(kind="x", concurrent=1, pace=pace))
    await gate.enter()
    gate.leave()
    waiting = asyncio.create_task(gate.enter())
    await asyncio.sleep(0)

    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting

    assert (gate.in_flight, gate.waiting) == (0, 0)


async def test_pace_lets_a_burst_start_and_no_more() -> None:
    gate = Gate(Provider(kind="x", concurrent=10, pace=Pace(rate=Rate(1, 3600), burst=3)))

    starts = [asyncio.create_task(gate.enter()) for _ in range(5)]
    await asyncio.sleep(0.01)

    assert gate.in_flight == 3
    for start in starts:
        start.cancel()
    await asyncio.gather(*starts, return_exceptions=True)


async def test_a_gate_that_is_made_wider_lets_those_in_who_wait() -> None:
    gate = Gate(Provider(kind="x", concurrent=1))
    await gate.enter()
    waiting = [asyncio.create_task(gate.enter()) for _ in range(3)]
    await asyncio.sleep(0)

    gate.adjust(Provider(kind="x", concurrent=3))
    await asyncio.gather(*waiting[:2])

    assert (gate.in_flight, gate.waiting, waiting[2].done()) == (3, 1, False)
    gate.leave()
    await waiting[2]
    assert gate.in_flight == 3


async def test_a_gate_that_is_made_narrower_is_left_before_it_is_entered() -> None:
    gate = Gate(Provider(kind="x", concurrent=3))
    for _ in range(3):
        await gate.enter()

    gate.adjust(Provider(kind="x", concurrent=1))
    waiting = asyncio.create_task(gate.enter())
    for _ in range(2):
        gate.leave()
        await asyncio.sleep(0)

    assert not waiting.done()
    gate.leave()
    await waiting
    assert gate.in_flight == 1


async def test_a_gate_keeps_its_pace_unless_it_has_changed() -> None:
    section = Provider(kind="x", pace=Pace(rate=Rate(1, 3600)))
    gate = Gate(section)
    await gate.enter()

    gate.adjust(section.model_copy(update={"concurrent": 2}))
    waiting = asyncio.create_task(gate.enter())
    await asyncio.sleep(0)
    assert not waiting.done()
    waiting.cancel()

    gate.adjust(section.model_copy(update={"pace": None}))
    await gate.enter()
    assert gate.in_flight == 2

"""A server that is slow, gone, full or somebody else's: calls go by the policy, and it heals."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.schema.failure import CallError
from gateway.state.condition import Condition
from gateway.state.counters import CONCURRENT, Counters, Demand, Refused
from gateway.state.valkey.counters import ValkeyCounters
from tests.state.proxy import proxy
from tests.state.sharing import admitted, calls, many, refused, sharing
from tests.valkey import TestValkey, client
from tests.web.raw_http import PATIENCE_S, becomes

LIMIT = calls("a", 100, 3600, 50)
ANSWER_S = 0.5
"""Longer than it is without saying so: a busy machine is not what these tests are about."""


@asynccontextmanager
async def counting(url: str) -> AsyncGenerator[tuple[ValkeyCounters, Condition]]:
    """Counters as they are configured to be, and whether they can be reached."""
    condition = Condition("the server")
    async with sharing(url, condition=condition, answer_s=ANSWER_S) as counters:
        yield counters, condition


async def heals(counters: Counters, condition: Condition) -> None:
    """Wait until the server is asked again, and see that it answers."""
    while True:
        await becomes(lambda: not condition.is_down)
        try:
            await admitted(counters, LIMIT)
        except CallError:  # A busy machine: too slow once more.
            continue
        return


async def turned_away(counters: Counters) -> CallError:
    """Call until one call is turned away: on the way of it the failure is found."""
    while True:
        try:
            taken = await counters.take(calls("b", 1_000_000, 3600, 1_000_000))
        except CallError as error:
            return error
        assert not isinstance(taken, Refused)
        taken.release()


async def takes(counters: Counters, demand: Demand) -> None:
    """Call until a call is admitted: only the server knows when."""
    async with asyncio.timeout(PATIENCE_S):
        while isinstance(await counters.take(demand), Refused):  # noqa: ASYNC110 - as above.
            await asyncio.sleep(0.01)


def at_once(taking: Coroutine[Any, Any, object]) -> None:
    """Assert that it ends without having waited for anything."""
    with pytest.raises(CallError):
        taking.send(None)


async def test_calls_do_not_wait_for_a_server_that_hangs(
    own_valkey: TestValkey, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "dynagate.state")
    async with counting(own_valkey.url) as (counters, condition):
        await heals(counters, condition)
        with own_valkey.stopped():
            errors = await asyncio.gather(
                *(counters.take(LIMIT) for _ in range(2000)), return_exceptions=True
            )
            at_once(counters.take(LIMIT))
            assert condition.is_down
            reason = condition.reason

        await heals(counters, condition)

    assert {error.code for error in errors if isinstance(error, CallError)} == {"unavailable"}
    assert reason == "no answer in time"
    assert "the server cannot be used (no answer in time)" in caplog.messages[0]
    assert caplog.messages[-1] == "the server works again"


async def test_all_that_wait_are_told_together_when_it_is_killed(own_valkey: TestValkey) -> None:
    async with counting(own_valkey.url) as (counters, condition):
        await heals(counters, condition)
        own_valkey.kill()
        error = await turned_away(counters)
        at_once(counters.take(LIMIT))

        own_valkey.start()
        await heals(counters, condition)

    assert (error.status, error.retry_after_s) == (503, 1)


async def test_what_is_in_flight_is_known_to_a_server_that_begins_anew(
    own_valkey: TestValkey,
) -> None:
    one = calls("c", 100, 3600, 1)
    async with counting(own_valkey.url) as (counters, condition):
        held = await admitted(counters, one)
        own_valkey.kill()
        await turned_away(counters)
        own_valkey.start()
        await heals(counters, condition)

        assert (await refused(counters, one)).name == CONCURRENT
        held.release()
        await admitted(counters, one)


async def test_a_place_that_is_given_back_meanwhile_is_free_afterwards(
    own_valkey: TestValkey,
) -> None:
    one = calls("c", 100, 3600, 1)
    async with counting(own_valkey.url) as (counters, condition):
        held = await admitted(counters, one)
        with own_valkey.stopped():
            await turned_away(counters)
            held.release()
        await heals(counters, condition)

        await admitted(counters, one)


async def test_a_network_that_swallows_everything_is_found_without_a_call(
    own_valkey: TestValkey,
) -> None:
    async with proxy(own_valkey.url) as way, counting(way.url) as (counters, condition):
        await heals(counters, condition)
        way.swallow()

        await becomes(lambda: condition.is_down)
        at_once(counters.take(LIMIT))
        way.pass_on()
        await heals(counters, condition)


async def test_connections_that_are_cut_are_made_anew(own_valkey: TestValkey) -> None:
    async with proxy(own_valkey.url) as way, counting(way.url) as (counters, condition):
        await heals(counters, condition)
        way.cut()
        await becomes(lambda: len(way.connections) > 0)

        await heals(counters, condition)


@pytest.mark.parametrize(
    ("breaking", "mending", "reason"),
    [
        (("REPLICAOF", "127.0.0.1", "1"), ("REPLICAOF", "NO", "ONE"), "it answers READONLY"),
        (
            ("CONFIG", "SET", "maxmemory", "1"),
            ("CONFIG", "SET", "maxmemory", "0"),
            "it answers OOM",
        ),
        (
            ("CONFIG", "SET", "min-replicas-to-write", "1"),
            ("CONFIG", "SET", "min-replicas-to-write", "0"),
            "it answers NOREPLICAS",
        ),
    ],
)
async def test_a_server_that_takes_no_writes_is_down_until_it_does(
    breaking: tuple[str, ...], mending: tuple[str, ...], reason: str, own_valkey: TestValkey
) -> None:
    async with counting(own_valkey.url) as (counters, condition):
        await heals(counters, condition)
        with client(own_valkey.url) as operator:
            operator.execute_command(*breaking)
            await turned_away(counters)
            assert condition.reason == reason
            at_once(counters.take(LIMIT))

            operator.execute_command(*mending)
            await heals(counters, condition)


async def test_scripts_that_the_server_forgot_are_told_again(valkey: str) -> None:
    async with sharing(valkey) as counters:
        await admitted(counters, LIMIT)
        with client(valkey) as operator:
            operator.script_flush()

        leases = await many(counters, LIMIT, 500)

        assert len(leases) == 49


async def test_one_callers_key_of_another_kind_is_one_callers_matter(valkey: str) -> None:
    condition = Condition("the server")
    with client(valkey) as stranger:
        stranger.set("dynagate:leases:{a}", "mine")
    async with sharing(valkey, condition=condition) as counters:
        with pytest.raises(CallError):
            await counters.take(LIMIT)

        await admitted(counters, calls("b", 1, 3600, 1))
        assert not condition.is_down


async def test_open_lets_everybody_through_uncounted(tmp_path: Path) -> None:
    condition = Condition("the server")
    nobody = f"unix://{tmp_path}/none"
    async with sharing(nobody, policy="open", condition=condition) as counters:
        leases = await many(counters, calls("a", 5, 60, 2), 50)

    assert len(leases) == 50
    assert condition.uncounted_calls == 50
    assert leases[0].windows[0][:2] == (5, 5)


async def test_a_local_share_is_a_part_of_every_limit_and_never_none(tmp_path: Path) -> None:
    nobody = f"unix://{tmp_path}/none"
    async with sharing(nobody, policy="local_share", replicas=4) as counters:
        quarter = await many(counters, calls("a", 100, 60, 1000), 100)
        places = await many(counters, calls("b", 1000, 60, 10), 10)
        least = await many(counters, calls("c", 3, 60, 3), 10)

    assert [len(one) for one in (quarter, places, least)] == [25, 2, 1]


async def test_a_caller_who_leaves_while_the_server_is_asked_holds_no_place(
    own_valkey: TestValkey,
) -> None:
    one = calls("a", 100, 3600, 1)
    async with sharing(own_valkey.url) as counters:
        with own_valkey.stopped():
            taking = asyncio.ensure_future(counters.take(one))
            for _ in range(5):  # Turns of the loop in which the command is sent.
                await asyncio.sleep(0)
            taking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await taking

        await admitted(counters, one)


async def test_what_a_dead_process_held_is_free_when_its_leases_have_expired(valkey: str) -> None:
    one = calls("a", 100, 3600, 1)
    async with sharing(valkey, lease_s=0.5) as counters, sharing(valkey) as others:
        await admitted(counters, one)
        assert (await refused(others, one)).name == CONCURRENT

        counters.renew = lambda: None  # type: ignore[method-assign]  # As the dead do.

        await takes(others, one)


async def test_leases_are_renewed_as_long_as_their_calls_last(valkey: str) -> None:
    async with sharing(valkey, lease_s=0.3) as counters:
        await admitted(counters, calls("a", 100, 3600, 1))
        with client(valkey) as operator:
            ((name, first),) = operator.zrange("dynagate:leases:{a}", 0, -1, withscores=True)

            await becomes(
                lambda: (operator.zscore("dynagate:leases:{a}", name) or 0) > first + 1000
            )


async def test_all_that_is_kept_goes_by_itself(valkey: str) -> None:
    async with sharing(valkey) as counters:
        await admitted(counters, calls("a", 100, 3600, 10))
        await admitted(counters, calls("key:b", 100, 60, 10))

        with client(valkey) as operator:
            keys = list(operator.scan_iter())
            assert len(keys) == 5
            assert all(operator.pttl(key) > 0 for key in keys)


async def test_keys_of_one_caller_are_on_one_node_of_a_cluster(valkey: str) -> None:
    async with sharing(valkey) as counters:
        await admitted(counters, calls("2001:db8::/64", 100, 3600, 10))

        with client(valkey) as operator:
            assert {key for key in operator.scan_iter() if b"probe" not in key} == {
                b"dynagate:leases:{2001:db8::/64}",
                b"dynagate:window:{2001:db8::/64}:3600",
            }


async def test_places_are_given_back_when_a_process_ends(valkey: str) -> None:
    one = calls("a", 100, 3600, 1)
    async with sharing(valkey) as counters:
        await admitted(counters, one)
    async with sharing(valkey) as counters:
        await admitted(counters, one)


async def test_a_release_here_is_a_free_place_there(valkey: str) -> None:
    one = calls("a", 100, 3600, 1)
    async with sharing(valkey) as here, sharing(valkey) as there:
        lease = await admitted(here, one)
        assert (await refused(there, one)).name == CONCURRENT

        lease.release()

        await takes(there, one)

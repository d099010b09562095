"""Section 7: how many may read the feeds from one address."""

import pytest

from tests.contract.asking import Asker, Reply, assert_refused
from tests.contract.conftest import Begin
from tests.contract.feeding import IMAGE, TEXT, read
from tests.web.raw_http import becomes

PROXY = {"trusted_proxies": ["127.0.0.1"]}
TWO = {"readers_per_address": 2}


async def begin_behind_proxy(begin: Begin) -> Asker:
    """Start a gateway that believes what the proxy on this machine says of addresses."""
    return await begin(feeds=TWO, server=PROXY)


async def knock_as(caller: Asker, address: str) -> Reply:
    """Ask for the head of a feed, as a caller of `address` behind the proxy."""
    return await caller.ask("HEAD", TEXT, headers={"X-Forwarded-For": address})


async def test_more_readers_of_one_address_than_allowed_are_told_so(begin: Begin) -> None:
    caller = await begin(feeds=TWO)
    async with read(caller), read(caller, IMAGE):
        refused = [await caller.get(path) for path in (TEXT, IMAGE)]

    for answer in refused:
        error = assert_refused(answer, 429, "concurrency_limit_exceeded")
        assert "2 times" in error["message"]
        assert int(answer.headers["Retry-After"]) > 0
        assert "X-RateLimit-Limit" not in answer.headers


async def test_twenty_may_read_from_one_address_unless_the_file_says_otherwise(
    caller: Asker,
) -> None:
    assert caller.gateway.gateway.document.feeds.readers_per_address == 20


async def test_a_reader_who_hangs_up_makes_room_for_another(begin: Begin) -> None:
    caller = await begin(feeds={"readers_per_address": 1})
    metrics = caller.gateway.gateway.serving.services.metrics
    for _ in range(3):
        async with read(caller):
            assert (await caller.ask("HEAD", TEXT)).status == 429
        await becomes(lambda: metrics.feed_readers == 0)

    assert (await caller.ask("HEAD", TEXT)).status == 200


async def test_refused_readers_take_no_place(begin: Begin) -> None:
    caller = await begin(feeds={"readers_per_address": 1})
    async with read(caller):
        for _ in range(5):
            assert (await caller.get(TEXT)).status == 429

        assert caller.gateway.gateway.serving.services.metrics.feed_readers == 1


async def test_behind_a_trusted_proxy_each_address_has_its_own_places(begin: Begin) -> None:
    caller = await begin_behind_proxy(begin)
    own = "192.0.2.1"
    async with read(caller, X_Forwarded_For=own), read(caller, X_Forwarded_For=own):
        full = await knock_as(caller, own)
        mapped = await knock_as(caller, "::ffff:192.0.2.1")
        other = await knock_as(caller, "192.0.2.2")

    assert [answer.status for answer in (full, mapped, other)] == [429, 429, 200]


async def test_one_ipv6_network_is_one_address(begin: Begin) -> None:
    caller = await begin_behind_proxy(begin)
    first, second = "2001:db8:0:1::1", "2001:db8:0:1:ffff::2"
    async with read(caller, X_Forwarded_For=first), read(caller, X_Forwarded_For=second):
        same = await knock_as(caller, "2001:db8:0:1::3")
        other = await knock_as(caller, "2001:db8:0:2::1")

    assert [answer.status for answer in (same, other)] == [429, 200]


@pytest.mark.parametrize("name", ["X-Forwarded-For", "X-Real-IP", "Forwarded"])
async def test_nobody_gets_more_places_by_a_header(begin: Begin, name: str) -> None:
    caller = await begin(feeds=TWO)
    async with read(caller), read(caller):
        answer = await caller.ask("HEAD", TEXT, headers={name: "192.0.2.7"})

    assert answer.status == 429

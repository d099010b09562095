"""Section 5: how much an anonymous caller may use, and who is one caller."""

import asyncio
from ipaddress import ip_network

import pytest

from gateway.pipeline.identify import Identifier, Presented
from gateway.schema.json import JsonObject
from gateway.testing.clock import ManualClock
from gateway.testing.upstream import FakeUpstream, hang_before_head, reply, stream
from tests.contract.asking import Asker, assert_refused, knock
from tests.contract.conftest import Begin
from tests.web.raw_http import becomes

GENERATE = "/api/generate_response?user_input=hi"
PROXY = {"trusted_proxies": ["127.0.0.1"]}


def hourly(requests: int, concurrent: int = 10) -> JsonObject:
    """Return the section that limits anonymous callers."""
    return {"anonymous": {"requests": f"{requests}/hour", "concurrent": concurrent}}


async def test_of_250_calls_at_once_exactly_100_are_admitted(begin: Begin) -> None:
    caller = await begin(limits=hourly(100, 250))

    replies = await asyncio.gather(*(caller.get(f"{GENERATE}&model=chaotic") for _ in range(250)))

    good = [reply for reply in replies if reply.status == 200]
    left = sorted(int(reply.headers["X-RateLimit-Remaining"]) for reply in good)
    assert left == list(range(100))
    assert {reply.status for reply in replies} == {200, 429}


async def test_the_hundred_and_first_is_told_when_the_window_resets(begin: Begin) -> None:
    clock = ManualClock()
    caller = await begin(limits=hourly(3), clock=clock)
    good = [await caller.get(GENERATE) for _ in range(3)]
    clock.advance(600)

    reply = await caller.get(GENERATE)

    error = assert_refused(reply, 429, "rate_limit_exceeded")
    assert error["details"]["reset_time"] == "2024-01-01T01:00:00Z"
    assert reply.headers["Retry-After"] == "3000"
    assert reply.headers["X-RateLimit-Limit"] == "3"
    assert reply.headers["X-RateLimit-Remaining"] == "0"
    assert {one.headers["X-RateLimit-Reset"] for one in (*good, reply)} == {"1704070800"}


async def test_a_new_window_begins_with_the_first_call_after_the_last_one(begin: Begin) -> None:
    clock = ManualClock()
    caller = await begin(limits=hourly(1), clock=clock)
    await caller.get(GENERATE)
    clock.advance(3599)
    early = await caller.get(GENERATE)
    clock.advance(61)

    reply = await caller.get(GENERATE)

    assert early.status == 429
    assert reply.status == 200
    assert reply.headers["X-RateLimit-Reset"] == str(1704067200 + 3660 + 3600)


@pytest.mark.parametrize("fields", [{}, {"stream": True}])
async def test_openai_callers_get_openais_headers_too(caller: Asker, fields: JsonObject) -> None:
    reply = await caller.chat(**fields)

    assert reply.headers["x-ratelimit-limit-requests"] == "100"
    assert reply.headers["x-ratelimit-remaining-requests"] == "99"
    assert reply.headers["x-ratelimit-reset-requests"] == "1h0m0s"


async def test_openai_callers_get_openais_headers_when_they_are_refused_too(begin: Begin) -> None:
    caller = await begin(limits=hourly(1), clock=ManualClock())
    await caller.chat()

    reply = await caller.chat()

    assert_refused(reply, 429, "rate_limit_exceeded")
    assert reply.headers["x-ratelimit-limit-requests"] == "1"
    assert reply.headers["x-ratelimit-remaining-requests"] == "0"
    assert reply.headers["x-ratelimit-reset-requests"] == "1h0m0s"


@pytest.mark.parametrize(
    "path",
    [
        "/health",
        "/v1/models",
        "/text/models",
        "/",
        "/nowhere",
        "/api/generate_response",
        f"{GENERATE}&temperature=9",
        f"{GENERATE}&seed=x",
    ],
)
async def test_lists_probes_and_what_is_refused_are_not_counted(caller: Asker, path: str) -> None:
    for _ in range(3):
        uncounted = await caller.get(path)
        assert "X-RateLimit-Limit" not in uncounted.headers

    assert (await caller.get(GENERATE)).headers["X-RateLimit-Remaining"] == "99"


async def test_a_refused_call_is_not_counted(begin: Begin) -> None:
    clock = ManualClock()
    caller = await begin(limits=hourly(2), clock=clock)
    statuses = [(await caller.get(GENERATE)).status for _ in range(9)]
    clock.advance(3600)

    reply = await caller.get(GENERATE)

    assert statuses == [200, 200, *[429] * 7]
    assert reply.headers["X-RateLimit-Remaining"] == "1"


async def test_the_eleventh_at_once_is_refused_and_not_counted(
    caller: Asker, upstream: FakeUpstream
) -> None:
    release = asyncio.Event()
    upstream.will(*[stream("a", "b", hold=release)] * 10)
    ten = [asyncio.ensure_future(caller.get(f"{GENERATE}&stream=true")) for _ in range(10)]
    await upstream.wait_requests(10)

    refused = await caller.get(GENERATE)
    release.set()
    replies = await asyncio.gather(*ten)
    after = await caller.get(GENERATE)

    assert_refused(refused, 429, "concurrency_limit_exceeded")
    assert refused.headers["Retry-After"]
    assert refused.headers["X-RateLimit-Remaining"] == "90"
    assert [reply.words for reply in replies] == ["ab"] * 10
    assert after.headers["X-RateLimit-Remaining"] == "89"


async def test_never_more_than_ten_run_at_once(begin: Begin, upstream: FakeUpstream) -> None:
    caller = await begin(limits=hourly(1000))
    release = asyncio.Event()
    upstream.default = stream("a", "b", hold=release)
    calls = [asyncio.ensure_future(caller.chat(stream=True)) for _ in range(60)]
    await upstream.wait_requests(10)
    await becomes(lambda: sum(call.done() for call in calls) == 50)

    release.set()
    statuses = [reply.status for reply in await asyncio.gather(*calls)]

    assert (statuses.count(200), statuses.count(429)) == (10, 50)
    assert len(upstream.requests) == 10


async def test_an_abort_gives_the_place_back(begin: Begin, upstream: FakeUpstream) -> None:
    caller = await begin(limits=hourly(100, 1))
    for number in range(1, 11):
        upstream.will(hang_before_head())
        async with knock(caller.gateway) as wire:
            await wire.send(b"GET /text/hi HTTP/1.1\r\nHost: localhost\r\n\r\n")
            await upstream.wait_requests(number)
        await upstream.wait_closed(number)

    upstream.will(reply("free again"))

    assert (await caller.get(GENERATE)).text == "free again"


async def test_a_call_that_fails_gives_its_place_back(begin: Begin, upstream: FakeUpstream) -> None:
    caller = await begin(limits=hourly(100, 1))

    statuses = [(await caller.get(f"{GENERATE}&model=chaos/status:500")).status for _ in range(3)]

    assert statuses == [502, 502, 502]
    assert (await caller.get(GENERATE)).status == 200


@pytest.mark.parametrize("hours", [-2, 2])
@pytest.mark.parametrize("url", ["memory://", "sqlite:///$XDG_STATE_HOME/dynagate/state.sqlite"])
async def test_setting_the_clock_neither_locks_out_nor_lets_in(
    begin: Begin, url: str, hours: int
) -> None:
    clock = ManualClock()
    caller = await begin(limits=hourly(2), state={"url": url}, clock=clock)
    statuses = [(await caller.get(GENERATE)).status for _ in range(2)]

    clock.set_wall(hours * 3600)
    statuses.append((await caller.get(GENERATE)).status)
    clock.advance(3599)
    refused = await caller.get(GENERATE)
    clock.advance(1)
    admitted = await caller.get(GENERATE)

    assert statuses == [200, 200, 429]
    assert (refused.status, refused.headers["Retry-After"]) == (429, "1")
    assert (admitted.status, admitted.headers["X-RateLimit-Remaining"]) == (200, "1")


@pytest.mark.parametrize(
    "name",
    [
        "X-Forwarded-For",
        "X-Real-IP",
        "Forwarded",
        "CF-Connecting-IP",
        "True-Client-IP",
        "X-Client-IP",
        "X-Cluster-Client-IP",
        "Fastly-Client-IP",
        "X-Original-Forwarded-For",
        "X-Forwarded",
        "Forwarded-For",
        "Via",
        "X-Remote-Addr",
    ],
)
async def test_nobody_can_be_somebody_else_by_a_header(caller: Asker, name: str) -> None:
    left = []
    for number in range(3):
        value = f"for=10.0.0.{number}" if name == "Forwarded" else f"10.0.0.{number}"
        reply = await caller.ask("GET", GENERATE, headers={name: value})
        left.append(reply.headers["X-RateLimit-Remaining"])

    assert left == ["99", "98", "97"]


async def test_forwarding_headers_change_neither_addresses_nor_the_log(caller: Asker) -> None:
    spoofed = {
        "X-Forwarded-For": "10.0.0.1",
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Prefix": "/evil",
        "X-Original-URL": "/admin/keys",
        "X-Rewrite-URL": "/metrics",
        "X-HTTP-Method-Override": "DELETE",
    }

    plain = await caller.get("/llms.txt")
    other = await caller.ask("GET", "/llms.txt", headers=spoofed)
    generated = await caller.ask("GET", GENERATE, headers=spoofed)

    assert other.text == plain.text
    assert generated.status == 200
    assert '"address":"127.0.0.1"' in caller.gateway.lines()
    assert "10.0.0.1" not in caller.gateway.lines()


async def test_a_trusted_proxy_tells_callers_apart(begin: Begin) -> None:
    caller = await begin(server=PROXY)

    first = await caller.get(GENERATE, X_Forwarded_For="192.0.2.1")
    other = await caller.get(GENERATE, X_Forwarded_For="192.0.2.2")
    again = await caller.get(GENERATE, X_Forwarded_For="203.0.113.9, 192.0.2.1")

    left = [reply.headers["X-RateLimit-Remaining"] for reply in (first, other, again)]
    assert left == ["99", "99", "98"]


async def test_the_log_says_once_how_to_trust_a_proxy(
    begin: Begin, capsys: pytest.CaptureFixture[str]
) -> None:
    caller = await begin()

    for _ in range(3):
        await caller.get(GENERATE, X_Forwarded_For="192.0.2.1")

    assert capsys.readouterr().err.count("server.trusted_proxies: [127.0.0.1]") == 1


async def test_one_ipv6_network_is_one_caller(begin: Begin) -> None:
    caller = await begin(server=PROXY)

    first = await caller.get(GENERATE, X_Forwarded_For="2001:db8:0:1::1")
    same = await caller.get(GENERATE, X_Forwarded_For="2001:db8:0:1:ffff::2")
    other = await caller.get(GENERATE, X_Forwarded_For="2001:db8:0:2::1")

    left = [reply.headers["X-RateLimit-Remaining"] for reply in (first, same, other)]
    assert left == ["99", "98", "99"]


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "key"),
    [
        ("192.0.2.7", "198.51.100.1", "192.0.2.7"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "198.51.100.1, 10.0.0.2", "198.51.100.1"),
        # Only what a trusted proxy wrote counts, and that stands on the right.
        ("10.0.0.1", "1.1.1.1, 198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "1.1.1.1, 198.51.100.1, 10.0.0.2", "198.51.100.1"),
        ("10.0.0.1", "nonsense", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1, nonsense", "10.0.0.1"),
        ("10.0.0.1", "2001:db8:0:1::1", "2001:db8:0:1::/64"),
        ("10.0.0.1", "[2001:db8:0:1::1]", "2001:db8:0:1::/64"),
        ("10.0.0.1", "::ffff:198.51.100.1", "198.51.100.1"),
        ("::ffff:10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("2001:db8::1", "198.51.100.1", "2001:db8::/64"),
        ("fe80::1%eth0", "", "fe80::/64"),
        ("", "", "unknown"),
    ],
)
def test_the_caller_is_the_first_address_from_the_right_that_is_no_proxy(
    peer: str, forwarded_for: str, key: str
) -> None:
    identifier = Identifier([ip_network("10.0.0.0/8")])

    caller = identifier.identify(Presented(peer, forwarded_for))

    assert caller.key == key

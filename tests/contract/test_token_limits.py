"""Section 5: tokens are reserved before a call, and settled after it."""

import asyncio

import pytest

from gateway.schema.json import JsonObject
from gateway.testing.openai_documents import Tokens
from gateway.testing.upstream import FakeUpstream, reply, status, stream
from tests.contract.asking import assert_refused
from tests.contract.conftest import Begin
from tests.contract.test_keys import Keys, bearer
from tests.contract.test_plans import chat, keys, with_key  # noqa: F401 - `keys` is a fixture.
from tests.web.raw_http import becomes

USAGE = Tokens(30, 12)


def plans(tokens: str) -> JsonObject:
    """Return the sections of a gateway whose one plan limits tokens."""
    return {"plans": {"t": {"tokens": tokens}}, "limits": {"ietf_fields": True}}


async def test_what_is_used_counts_and_what_was_reserved_does_not(
    begin: Begin,
    keys: Keys,  # noqa: F811 - the fixture.
    upstream: FakeUpstream,
) -> None:
    caller, key = await with_key(begin, keys, "t", **plans("1000/hour"))
    upstream.default = reply("hello", usage=USAGE)

    first = await chat(caller, key, max_tokens=500)
    second = await chat(caller, key, max_tokens=500)

    assert first.headers["x-ratelimit-limit-tokens"] == "1000"
    assert first.headers["x-ratelimit-remaining-tokens"] == "499"
    assert second.headers["x-ratelimit-remaining-tokens"] == str(1000 - 42 - 501)
    assert second.headers["RateLimit-Policy"] == (
        '"requests";q=1000;w=3600, "tokens";q=1000;qu="tokens";w=3600'
    )
    assert second.headers["RateLimit"] == ('"requests";r=998;t=3600, "tokens";r=457;t=3600')


async def test_calls_at_once_never_reserve_more_than_the_limit(
    begin: Begin,
    keys: Keys,  # noqa: F811
    upstream: FakeUpstream,
) -> None:
    caller, key = await with_key(begin, keys, "t", **plans("1000/hour"))
    release = asyncio.Event()
    upstream.default = stream("a", "b", hold=release, usage=USAGE)
    calls = [
        asyncio.ensure_future(chat(caller, key, max_tokens=299, stream=True)) for _ in range(8)
    ]
    await upstream.wait_requests(3)
    await becomes(lambda: sum(call.done() for call in calls) == 5)

    release.set()
    replies = await asyncio.gather(*calls)
    upstream.default = reply("hello")
    after = await chat(caller, key, max_tokens=1000 - 3 * 42 - 1)

    refused = [one for one in replies if one.status == 429]
    error = assert_refused(refused[0], 429, "rate_limit_exceeded")
    assert len(refused) == 5
    assert "may use 300, 100 are left" in error["message"]
    assert error["details"]["reset_time"]
    assert refused[0].headers["x-ratelimit-remaining-tokens"] == "100"
    assert after.status == 200


@pytest.mark.parametrize(
    ("fields", "code", "param"),
    [
        ({"max_tokens": 1000}, "invalid_parameter", "max_tokens"),
        ({"max_completion_tokens": 200, "n": 5}, "invalid_parameter", "max_completion_tokens"),
        (
            {"messages": [{"role": "user", "content": "x" * 4001}]},
            "context_length_exceeded",
            "messages",
        ),
    ],
)
async def test_what_no_window_could_hold_is_the_callers_mistake(
    begin: Begin,
    keys: Keys,  # noqa: F811
    fields: JsonObject,
    code: str,
    param: str,
) -> None:
    caller, key = await with_key(begin, keys, "t", **plans("1000/hour"))

    refused = await chat(caller, key, **fields)

    error = assert_refused(refused, 400, code)
    assert error["param"] == param
    assert "1000" in error["message"]


async def test_who_names_no_length_is_let_into_an_empty_window_whatever_its_size(
    begin: Begin,
    keys: Keys,  # noqa: F811
    upstream: FakeUpstream,
) -> None:
    caller, key = await with_key(begin, keys, "t", **plans("1000/hour"))
    upstream.default = reply("hello", usage=USAGE)

    first = await chat(caller, key)
    second = await chat(caller, key)

    assert first.headers["x-ratelimit-remaining-tokens"] == "0"
    assert assert_refused(second, 429, "rate_limit_exceeded")


async def test_a_call_that_failed_costs_no_tokens(
    begin: Begin,
    keys: Keys,  # noqa: F811
    upstream: FakeUpstream,
) -> None:
    caller, key = await with_key(begin, keys, "t", **plans("1000/hour"))

    upstream.will(status(400, "no"))

    refused = await chat(caller, key, max_tokens=900)
    good = await chat(caller, key, max_tokens=900)

    assert refused.status == 400
    assert good.headers["x-ratelimit-remaining-tokens"] == "99"


async def test_the_get_api_is_counted_too(
    begin: Begin,
    keys: Keys,  # noqa: F811
    upstream: FakeUpstream,
) -> None:
    caller, key = await with_key(begin, keys, "t", **plans("5000/hour"))
    upstream.default = reply("hello", usage=USAGE)
    path = "/api/generate_response?user_input=" + "hello%20world%20" * 10

    first = await caller.ask("GET", path, headers=bearer(key))
    second = await caller.ask("GET", path, headers=bearer(key))

    assert [first.status, second.status] == [200, 200]
    states = [reply.headers["RateLimit"].rpartition('"tokens";r=')[2] for reply in (first, second)]
    assert [state.partition(";")[0] for state in states] == ["874", str(874 - 42)]

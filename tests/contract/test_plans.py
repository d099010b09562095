"""Section 5: keys are limited by what their plan says."""

from pathlib import Path
from typing import Any

import pytest

from gateway.testing.upstream import FakeUpstream
from tests.contract.asking import Asker, assert_refused
from tests.contract.conftest import Begin
from tests.contract.test_keys import GENERATE, SQLITE, Keys, bearer

PLANS = {
    "small": {"requests": "2/hour", "concurrent": 1, "models": ["chaotic", "up-*"]},
    "large": {"requests": "50/minute", "max_output_tokens": 100},
}


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    """The command line of the gateways that `begin` starts."""
    return Keys(tmp_path)


async def with_key(begin: Begin, keys: Keys, plan: str, **sections: Any) -> tuple[Asker, str]:
    """Return a gateway that knows a key of `plan`, and the key."""
    sections = {"state": {"url": SQLITE}, "plans": PLANS, **sections}
    made = await keys.made(plan)
    return await begin(**sections), made["key"]


async def chat(caller: Asker, key: str, **fields: object) -> Any:
    """Ask for a completion with `key`."""
    document = {"model": "openai", "messages": [{"role": "user", "content": "hi"}], **fields}
    return await caller.ask("POST", "/v1/chat/completions", json=document, headers=bearer(key))


async def test_two_keys_have_the_limits_of_their_plans(begin: Begin, keys: Keys) -> None:
    caller, small = await with_key(begin, keys, "small")
    large = (await keys.made("large"))["key"]
    caller = await begin(state={"url": SQLITE}, plans=PLANS)
    path = f"{GENERATE}&model=chaotic"

    of_small = [await caller.ask("GET", path, headers=bearer(small)) for _ in range(3)]
    of_large = await caller.ask("GET", path, headers=bearer(large))

    assert [reply.status for reply in of_small] == [200, 200, 429]
    assert [reply.headers["X-RateLimit-Limit"] for reply in of_small] == ["2"] * 3
    assert of_large.headers["X-RateLimit-Limit"] == "50"
    assert of_large.headers["X-RateLimit-Remaining"] == "49"


async def test_a_model_outside_the_plan_is_refused_and_not_counted(
    begin: Begin, keys: Keys
) -> None:
    caller, key = await with_key(begin, keys, "small")

    refused = await chat(caller, key, model="openai")
    by_alias = await chat(caller, key, model="echo")
    of_family = await chat(caller, key, model="up-anything")

    error = assert_refused(refused, 403, "model_not_allowed")
    assert error["param"] == "model"
    assert (by_alias.status, of_family.status) == (200, 200)
    assert by_alias.headers["X-RateLimit-Remaining"] == "1"


@pytest.mark.parametrize("field", ["max_tokens", "max_completion_tokens"])
async def test_asking_for_more_than_the_plan_allows_names_the_field(
    begin: Begin, keys: Keys, field: str
) -> None:
    caller, key = await with_key(begin, keys, "large")

    refused = await chat(caller, key, **{field: 101})
    good = await chat(caller, key, **{field: 100})

    assert assert_refused(refused, 400, "invalid_parameter")["param"] == field
    assert good.status == 200
    assert "X-Set-Params" not in good.headers


async def test_who_asks_for_no_length_gets_the_plans_and_is_told(
    begin: Begin, keys: Keys, upstream: FakeUpstream
) -> None:
    caller, key = await with_key(begin, keys, "large")

    chatted = await chat(caller, key)
    asked = await caller.ask("GET", GENERATE, headers=bearer(key))

    assert chatted.headers["X-Set-Params"] == "max_tokens"
    assert asked.headers["X-Set-Params"] == "max_output_tokens"
    assert [request.document["max_tokens"] for request in upstream.requests] == [100, 100]


@pytest.mark.parametrize(
    ("default", "limit"), [({}, "100"), ({"default": {"requests": "7/hour"}}, "7")]
)
async def test_a_key_whose_plan_is_gone_has_the_default_and_the_log_says_so(
    begin: Begin,
    keys: Keys,
    default: dict[str, Any],
    limit: str,
    capfd: pytest.CaptureFixture[str],
) -> None:
    _, key = await with_key(begin, keys, "small")
    capfd.readouterr()
    caller = await begin(state={"url": SQLITE}, plans=default)

    replies = [await caller.ask("GET", GENERATE, headers=bearer(key)) for _ in range(2)]

    assert replies[0].headers["X-RateLimit-Limit"] == limit
    said = capfd.readouterr().err
    instead = "plans.default" if default else "limits.anonymous"
    assert said.count("plans.small is not in the configuration") == 1
    assert f"1 key of it has what {instead} allows" in said
    assert key not in said


async def test_priced_targets_of_a_public_gateway_are_open_to_keys_alone(
    begin: Begin, keys: Keys
) -> None:
    caller, key = await with_key(
        begin,
        keys,
        "large",
        server={"host": "0.0.0.0"},  # noqa: S104 - what it is about.
        auth={"mode": "open", "open_to": "world"},
    )

    own = await caller.ask("GET", GENERATE, headers=bearer(key))
    anonymous = await caller.get(GENERATE)

    assert own.status == 200
    assert_refused(anonymous, 403, "model_not_allowed")


async def test_a_ceiling_goes_out_under_the_hosts_name_for_it(
    begin: Begin, keys: Keys, upstream: FakeUpstream
) -> None:
    settings = {"base_url": upstream.url, "max_tokens_field": "max_completion_tokens"}
    caller, key = await with_key(begin, keys, "large", up={"settings": settings})

    await chat(caller, key)
    await chat(caller, key, max_tokens=7)

    sent = [request.document for request in upstream.requests]
    assert [document["max_completion_tokens"] for document in sent] == [100, 7]
    assert all("max_tokens" not in document for document in sent)

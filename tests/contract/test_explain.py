"""What would be done with a request is told, and nothing of it is done."""

from typing import Any

import pytest

from gateway.schema.json import JsonObject
from gateway.testing.upstream import FakeUpstream, status
from tests.contract.administering import ADMINISTERED, PLANS, SECRET, administer, made
from tests.contract.asking import Asker, assert_refused
from tests.contract.conftest import Begin

ADMIN = {"admin": {"secret": SECRET}}
HI = [{"role": "user", "content": "hi"}]


async def plan(caller: Asker, body: JsonObject | None = None, **fields: object) -> Any:
    """Return what is told of a chat, or of what `fields` say."""
    body = {"model": "openai", "messages": HI} if body is None else body
    reply = await administer(caller, "POST", "/admin/explain", {"body": body, **fields})
    assert reply.status == 200, reply.text
    return reply.json()


def targets(*cards: JsonObject, **more: Any) -> JsonObject:
    """Return a `models` section whose `openai` has a target for each card, from `up/m0` on."""
    named = [
        {"provider": card.pop("provider", "up"), "model": f"m{number}", "card": card}
        for number, card in enumerate(cards)
    ]
    return {"openai": {"targets": named, **more}}


def reasons(told: Any) -> dict[str, str | None]:
    """Return why each target is not asked."""
    return {line["target"]: line["reason"] for line in told["candidates"]}


async def test_the_plan_is_what_a_call_then_meets(begin: Begin, upstream: FakeUpstream) -> None:
    rules = {"set": {"top_p": 0.5}, "remove": ["user"]}
    models = targets({"parameters": ["top_p"]}, {}, transforms=rules)
    caller = await begin(models=models, **ADMIN)
    body = {"model": "openai", "messages": HI, "user": "me", "seed": 1}

    told = await plan(caller, body)

    assert upstream.requests == []
    answer = await caller.post("/v1/chat/completions", body)
    first, second = told["candidates"]
    assert (told["error"], told["route"]) == (None, {"name": "openai", "strategy": "ordered"})
    assert [first["place"], second["place"]] == [1, 2]
    assert upstream.attempts == [first["target"].removeprefix("up/")]
    assert answer.headers["X-Set-Params"] == ", ".join(told["parameters"]["set"])
    dropped = [*told["parameters"]["dropped"], *first["dropped_params"]]
    assert answer.headers["X-Dropped-Params"] == ", ".join(dropped) == "user, seed"
    assert (first["path"], first["opened_because"]) == ("forward", None)
    assert '"path":"forward"' in caller.gateway.lines()


async def test_every_target_that_is_not_asked_has_its_reason(begin: Begin) -> None:
    keyless = {"keyless": {"kind": "openai", "settings": {"host": "groq", "api_key": ""}}}
    models = targets(
        {"tools": False}, {"ranges": {"temperature": [0, 1]}}, {"provider": "keyless"}, {}
    )
    caller = await begin(models=models, more=keyless, **ADMIN)
    tools = [{"type": "function", "function": {"name": "f"}}]

    told = await plan(
        caller, {"model": "openai", "messages": HI, "tools": tools, "temperature": 1.5}
    )

    assert reasons(told) == {
        "up/m3": None,
        "up/m0": "lacks",
        "up/m1": "out_of_range",
        "keyless/m2": "not_configured",
    }
    said = {line["target"]: line["said"] for line in told["candidates"]}
    assert "tools" in said["up/m0"]
    assert "temperature is 1.5: it takes 0 to 1" in said["up/m1"]
    assert "keyless" in said["keyless/m2"]


async def test_conditions_room_and_wishes_are_reasons_as_well(begin: Begin) -> None:
    models = targets({}, {"context": 1}, {}, {}, cache={"ttl_s": 60})
    models["openai"]["targets"][0]["when"] = {"streams": True}
    caller = await begin(models=models, **ADMIN)
    turns = [{"role": "user", "content": "more words than there is room for"}]
    body = {"model": "openai", "messages": turns, "seed": 1}

    plain = await plan(caller, body)
    wished = await plan(caller, {**body, "dynagate": {"ignore": ["up/m2"]}})

    assert reasons(plain) == {
        "up/m2": None,
        "up/m3": None,
        "up/m0": "condition",
        "up/m1": "context",
    }
    assert reasons(wished)["up/m2"] == "unwanted"
    assert len(plain["cache_key"]) == 64
    assert wished["cache_key"] is None


async def test_each_key_of_a_provider_has_its_place_and_no_turn_is_taken(
    begin: Begin, upstream: FakeUpstream
) -> None:
    own = {"settings": {"base_url": upstream.url}, "keys": ["one-key-of-two", "the-other-key"]}
    caller = await begin(more={"up": {"kind": "openai", **own}}, **ADMIN)

    places = [
        {line["target"]: line["place"] for line in (await plan(caller))["candidates"]}
        for _ in range(2)
    ]
    await caller.chat("hi")

    assert places == [{"up#1/upstream-model": 1, "up#2/upstream-model": 2}] * 2
    assert upstream.requests[0].headers["authorization"] == "Bearer one-key-of-two"


async def test_a_target_that_rests_is_out_and_says_why(
    begin: Begin, upstream: FakeUpstream
) -> None:
    caller = await begin(models=targets({}, {}), health={"failures": 1}, **ADMIN)
    upstream.will(status(500))
    await caller.chat("hi")

    told = await plan(caller)

    assert reasons(told) == {"up/m1": None, "up/m0": "rests"}
    assert "transient" in told["candidates"][1]["said"]
    assert told["candidates"][1]["health"]["state"] == "open"


async def test_where_all_rest_the_error_is_the_callers(
    begin: Begin, upstream: FakeUpstream
) -> None:
    caller = await begin(health={"failures": 1}, **ADMIN)
    upstream.will(status(500))
    await caller.chat("hi")

    told = await plan(caller)
    refused = await caller.chat("hi")

    assert (told["error"]["status"], told["error"]["code"]) == (503, "unavailable")
    assert refused.status == 503


async def test_nobodys_turn_is_taken(begin: Begin, upstream: FakeUpstream) -> None:
    caller = await begin(models=targets({}, {}, strategy="round_robin"), **ADMIN)

    before = [(await plan(caller))["candidates"][0]["target"] for _ in range(3)]
    await caller.chat("hi")
    after = (await plan(caller))["candidates"][0]["target"]

    assert before == ["up/m0"] * 3
    assert upstream.attempts == ["m0"]
    assert after == "up/m1"


async def test_limits_stand_as_they_are_and_nothing_is_counted(begin: Begin) -> None:
    limits = {"anonymous": {"requests": "2/hour"}}
    caller = await begin(limits=limits, **ADMIN)

    first = await plan(caller)
    again = await plan(caller)
    await caller.chat("hi")
    await caller.chat("hi")
    full = await plan(caller)

    for told, left in ((first, 2), (again, 2), (full, 0)):
        (window,) = told["limits"]["windows"]
        assert (window["counts"], window["takes"], window["remaining"]) == ("requests", 1, left)
    assert first["error"] is None
    assert (full["error"]["status"], full["error"]["code"]) == (429, "rate_limit_exceeded")
    assert full["candidates"][0]["place"] == 1
    assert (await plan(caller, address="192.0.2.7"))["error"] is None


async def test_a_plan_is_explained_with_its_ceilings_prices_and_models(begin: Begin) -> None:
    price = {"price": {"input": 1, "output": 10}}
    plans = {
        "held": {"max_output_tokens": 100, "budget": {"usd": 1, "per": "day"}},
        "closed": {"models": ["chaotic"]},
    }
    sections = {**ADMINISTERED, "plans": {**PLANS, **plans}}
    caller = await begin(models=targets(price, {}), **sections)
    key = await made(caller, plan="held")

    by_plan = await plan(caller, plan="held")
    by_key = await plan(caller, key_id=key["id"])
    closed = await plan(caller, plan="closed")

    for told in (by_plan, by_key):
        assert told["parameters"]["set"] == ["max_tokens"]
        assert reasons(told) == {"up/m0": None, "up/m1": "no_price"}
        # "hi" is one token, and the plan's ceiling the most that may come.
        assert told["price"] == {"least_usd_micros": 1, "most_usd_micros": 1001}
        assert told["caller"]["plan"] == "held"
        assert [one["counts"] for one in told["limits"]["windows"]] == [
            "requests",
            "cost_usd_micros",
        ]
    assert (by_plan["caller"]["key_id"], by_key["caller"]["key_id"]) == (None, key["id"])
    assert (closed["error"]["status"], closed["error"]["code"]) == (403, "model_not_allowed")


async def test_a_key_that_is_revoked_is_told_what_its_caller_is(begin: Begin) -> None:
    caller = await begin(**ADMINISTERED)
    key = await made(caller)
    await administer(caller, "DELETE", f"/admin/keys/{key['id']}")

    told = await plan(caller, key_id=key["id"])

    assert (told["error"]["status"], told["error"]["code"]) == (401, "invalid_api_key")


@pytest.mark.parametrize(
    ("fields", "code", "param"),
    [
        ({"body": {"model": "opnai", "messages": HI}}, "model_not_found", "model"),
        ({"body": {"model": "openai"}}, "missing_parameter", "messages"),
        ({"body": {"model": "openai", "messages": HI, "n": 0}}, "invalid_parameter", "n"),
        (
            {"path": "/v1/embeddings", "body": {"model": "chaotic", "input": "a"}},
            "unsupported_feature",
            "model",
        ),
    ],
)
async def test_what_the_caller_would_be_refused_with_is_told(
    begin: Begin, fields: JsonObject, code: str, param: str
) -> None:
    caller = await begin(**ADMIN)

    told = await plan(caller, **fields)

    assert (told["error"]["code"], told["error"]["param"]) == (code, param)


async def test_guards_and_ways_are_told(begin: Begin, upstream: FakeUpstream) -> None:
    block = {"pattern": "secret", "name": "words"}
    up = {"provider": "up", "model": "m"}
    models = {
        "in": {"targets": [up], "guards": {"input": [block]}},
        "out": {"targets": [up], "guards": {"output": [block]}},
    }
    caller = await begin(models=models, **ADMIN)
    said = {"role": "user", "content": "my secret"}

    blocked = await plan(caller, {"model": "in", "messages": [said]})
    opened = await plan(caller, {"model": "out", "messages": HI})
    asked = await plan(
        caller, path="/api/generate_response", body={"user_input": "hi", "model": "in"}
    )

    assert (blocked["error"]["code"], blocked["guards"]["found"]) == (
        "content_filter",
        {"words": "block"},
    )
    assert opened["guards"]["are_on_answers"] is True
    assert opened["candidates"][0]["opened_because"] == "guards or stages look through the answer"
    assert asked["candidates"][0]["path"] == "events"
    assert upstream.requests == []
    scraped = await caller.ask("GET", "/metrics", is_admin=True)
    assert "dynagate_calls_total{" not in scraped.text
    assert "dynagate_guarded_calls_total{" not in scraped.text
    assert caller.gateway.lines() == ""


async def test_it_is_told_to_nobody_else(begin: Begin) -> None:
    caller = await begin(**ADMIN)
    document = {"body": {"model": "openai", "messages": HI}}

    wrong = await administer(caller, "POST", "/admin/explain", document, secret="no")  # noqa: S106
    public = await caller.post("/admin/explain", document)

    assert_refused(wrong, 401, "invalid_api_key")
    assert_refused(public, 404, "not_found")


@pytest.mark.parametrize(
    ("document", "param"),
    [
        ({}, "body"),
        ({"body": []}, "body"),
        ({"body": {}, "path": "/v1/files"}, "path"),
        ({"body": {}, "path": 1}, "path"),
        ({"body": {}, "plan": "nobodys"}, "plan"),
        ({"body": {}, "plan": 5}, "plan"),
        ({"body": {}, "plan": "team", "key_id": "key_0123456789ab"}, "plan"),
        ({"body": {}, "address": "here"}, "address"),
        ({"body": {}, "bodi": {}}, "bodi"),
    ],
)
async def test_what_cannot_be_explained_names_the_field(
    begin: Begin, document: JsonObject, param: str
) -> None:
    caller = await begin(plans=PLANS, **ADMIN)

    refused = await administer(caller, "POST", "/admin/explain", document)

    assert_refused(refused, 400, "invalid_parameter", param)


async def test_keys_are_found_where_there_is_a_database(begin: Begin) -> None:
    caller = await begin(**ADMIN)
    document = {"body": {}, "key_id": "key_0123456789ab"}

    without = await administer(caller, "POST", "/admin/explain", document)
    other = await begin(**ADMINISTERED)
    unknown = await administer(other, "POST", "/admin/explain", document)

    assert_refused(without, 501, "no_database")
    assert_refused(unknown, 404, "not_found")


async def test_where_a_key_is_demanded_an_anonymous_caller_is_told_so(begin: Begin) -> None:
    caller = await begin(auth={"mode": "keys"}, **ADMINISTERED)

    told = await plan(caller)

    assert (told["error"]["status"], told["error"]["code"]) == (401, "key_required")

"""What the configuration changes of requests, alike on the fast path and on canonical requests."""

from pathlib import Path
from typing import Any

import openai
import pytest
from aiohttp import ClientSession

from gateway.schema.json import JsonObject
from gateway.testing.upstream import FakeUpstream
from tests.contract.asking import Asker, assert_refused
from tests.contract.conftest import Begin
from tests.contract.test_keys import GENERATE, SQLITE, Keys, bearer
from tests.docs.pages import blocks, page, section
from tests.running import run_gateway

UP = [{"provider": "up", "model": "upstream-model"}]


def model(**rules: Any) -> JsonObject:
    """Return a `models` section whose `openai` has these transforms."""
    return {"openai": {"targets": UP, "transforms": rules}}


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    """The command line of the gateways that `begin` starts."""
    return Keys(tmp_path)


async def both(caller: Asker, upstream: FakeUpstream, **fields: Any) -> list[JsonObject]:
    """Ask by `/v1` and by GET, and return what the upstream was sent, and the headers of both.

    The random seed that a GET sends is left out, unless one is asked for.
    """
    forwarded = await caller.chat("hi", **fields)
    query = "".join(f"&{name}={value}" for name, value in fields.items())
    translated = await caller.get(GENERATE + query)
    assert (forwarded.status, translated.status) == (200, 200)
    found = []
    for request, reply in zip(upstream.requests[-2:], (forwarded, translated), strict=True):
        sent = {n: v for n, v in request.document.items() if n not in {"model", "messages"}}
        if "seed" not in fields and "seed" not in reply.headers.get("X-Set-Params", ""):
            sent.pop("seed", None)
        told = [reply.headers.get(name) for name in ("X-Set-Params", "X-Dropped-Params")]
        found.append({"sent": sent, "told": told})
    return found


@pytest.mark.parametrize(
    ("rules", "given", "sent", "told"),
    [
        ({"set": {"temperature": 0}}, {"temperature": 1}, {"temperature": 0}, ["temperature", 0]),
        ({"set": {"temperature": 0}}, {}, {"temperature": 0}, ["temperature", None]),
        ({"set": {"temperature": 1}}, {"temperature": 1}, {"temperature": 1}, [None, None]),
        ({"default": {"top_p": 0.5}}, {}, {"top_p": 0.5}, ["top_p", None]),
        ({"default": {"top_p": 0.5}}, {"top_p": 0.9}, {"top_p": 0.9}, [None, None]),
        ({"remove": ["top_p"]}, {"top_p": 0.9}, {}, [None, "top_p"]),
        ({"remove": ["top_p"]}, {}, {}, [None, None]),
        ({"rename": {"top_p": "min_p"}}, {"top_p": 0.9}, {"min_p": 0.9}, ["min_p", "top_p"]),
        (
            {"remove": ["top_p"], "default": {"top_p": 0.1}},
            {"top_p": 0.9},
            {"top_p": 0.1},
            ["top_p", "top_p"],
        ),
        ({"set": {"top_k": 40}}, {}, {"top_k": 40}, ["top_k", None]),
        ({"set": {"stop": ["a", "b"]}}, {}, {"stop": ["a", "b"]}, ["stop", None]),
        ({"set": {"max_tokens": 9}}, {}, {"max_tokens": 9}, ["max_tokens", None]),
        ({"set": {"seed": 7}}, {"seed": 1}, {"seed": 7}, ["seed", None]),
        ({"default": {"seed": 7}}, {}, {"seed": 7}, ["seed", None]),
        ({"default": {"seed": 7}}, {"seed": 1}, {"seed": 1}, [None, None]),
        ({"remove": ["seed"]}, {"seed": 1}, {}, [None, "seed"]),
    ],
)
async def test_both_paths_send_the_same_and_name_it(
    *,
    begin: Begin,
    upstream: FakeUpstream,
    rules: JsonObject,
    given: JsonObject,
    sent: JsonObject,
    told: list[str | int | None],
) -> None:
    caller = await begin(models=model(**rules))

    found = await both(caller, upstream, **given)

    told = [told[0], None if told[1] == 0 else told[1]]
    assert found == [{"sent": sent, "told": told}] * 2


async def test_the_seed_that_was_used_is_the_one_that_is_told(begin: Begin) -> None:
    caller = await begin(models=model(set={"seed": 7}))

    reply = await caller.get(f"{GENERATE}&seed=5")

    assert reply.headers["X-Seed"] == "7"


async def test_a_seed_that_is_taken_out_keeps_nobodys_answer(begin: Begin) -> None:
    caller = await begin(models=model(remove=["seed"]))

    reply = await caller.get(f"{GENERATE}&seed=5")

    assert reply.headers["Cache-Control"] == "private, no-store"


async def test_a_ceiling_keeps_the_name_that_the_caller_gave_it(
    begin: Begin, upstream: FakeUpstream
) -> None:
    caller = await begin(models=model(set={"max_tokens": 50}))

    reply = await caller.chat("hi", max_completion_tokens=500)

    sent = upstream.requests[-1].document
    assert (sent["max_completion_tokens"], "max_tokens" in sent) == (50, False)
    assert reply.headers["X-Set-Params"] == "max_completion_tokens"


async def test_a_ceiling_can_be_renamed(begin: Begin, upstream: FakeUpstream) -> None:
    caller = await begin(models=model(rename={"max_tokens": "max_completion_tokens"}))

    await caller.chat("hi", max_tokens=50)

    sent = upstream.requests[-1].document
    assert (sent["max_completion_tokens"], "max_tokens" in sent) == (50, False)


async def test_a_value_that_does_not_fit_its_new_name_is_refused(
    begin: Begin, upstream: FakeUpstream
) -> None:
    caller = await begin(models=model(rename={"budget": "max_tokens"}))

    refused = await caller.chat("hi", budget="much")

    assert "whole number" in assert_refused(refused, 400, "invalid_parameter", "budget")["message"]
    assert upstream.requests == []


async def test_a_prefix_stands_before_the_system_message_on_both_paths(
    begin: Begin, upstream: FakeUpstream
) -> None:
    caller = await begin(models=model(system_prefix="Be kind."))
    user = {"role": "user", "content": "hi"}
    turns: list[list[JsonObject]] = [
        [user],
        [{"role": "system", "content": "Be brief."}, user],
        [{"role": "developer", "content": [{"type": "text", "text": "Be brief."}]}, user],
    ]

    told = [await caller.chat(messages=messages) for messages in turns]
    await caller.get(GENERATE)
    await caller.get(f"{GENERATE}&system=Be%20brief.")

    first = [request.document["messages"][0] for request in upstream.requests]
    alone = {"role": "system", "content": "Be kind."}
    joined = {"role": "system", "content": "Be kind.\n\nBe brief."}
    parts = [{"type": "text", "text": "Be kind."}, {"type": "text", "text": "Be brief."}]
    assert first == [alone, joined, {"role": "developer", "content": parts}, alone, joined]
    assert [len(request.document["messages"]) for request in upstream.requests] == [2] * 5
    assert {reply.headers["X-Set-Params"] for reply in told} == {"system"}


async def test_a_plain_completion_has_the_prefix_before_each_prompt(
    begin: Begin, upstream: FakeUpstream
) -> None:
    caller = await begin(models=model(system_prefix="Be kind.", set={"logprobs": True, "n": 2}))
    path = "/v1/completions"

    await caller.post(path, {"model": "openai", "prompt": ["a", "b"]})
    echoed = await caller.post(path, {"model": "openai", "prompt": "a", "echo": True})
    tokens = await caller.post(path, {"model": "openai", "prompt": [1, 2]})

    (request,) = upstream.requests
    assert request.document["prompt"] == ["Be kind.\n\na", "Be kind.\n\nb"]
    assert request.document["n"] == 2
    assert "logprobs" not in request.document
    assert_refused(echoed, 400, "unsupported_feature", "echo")
    assert_refused(tokens, 400, "unsupported_feature", "prompt")


@pytest.mark.parametrize(
    ("rules", "sent"),
    [
        ({"set": {"max_tokens": 900}}, [100, 100]),
        ({"set": {"max_tokens": 40}}, [40, 40]),
        ({"default": {"max_tokens": 40}}, [40, 40]),
        ({"remove": ["max_tokens"]}, [100, 100]),
        ({"set": {"n": 4}}, [25, 25]),
        ({"set": {"n": 4, "max_tokens": 90}}, [25, 25]),
    ],
)
async def test_a_plans_ceiling_holds_for_what_comes_out(
    begin: Begin, keys: Keys, upstream: FakeUpstream, rules: JsonObject, sent: list[int]
) -> None:
    made = await keys.made("held")
    state, plans = {"url": SQLITE}, {"held": {"max_output_tokens": 100}}
    caller = await begin(state=state, plans=plans, models=model(**rules))
    document = {"model": "openai", "messages": [{"role": "user", "content": "hi"}]}
    headers = bearer(made["key"])

    await caller.ask("POST", "/v1/chat/completions", json=document, headers=headers)
    await caller.ask("GET", GENERATE, headers=headers)

    assert [request.document["max_tokens"] for request in upstream.requests] == sent


async def test_a_value_that_is_set_is_held_to_the_targets_range_and_knobs(
    begin: Begin, upstream: FakeUpstream
) -> None:
    narrow = {**UP[0], "card": {"ranges": {"temperature": [0, 1]}, "parameters": ["temperature"]}}
    rules = {"set": {"temperature": 1.5}, "default": {"top_p": 0.5}}
    caller = await begin(models={"openai": {"targets": [narrow], "transforms": rules}})
    rules["set"] = {"temperature": 0.5}
    other = await begin(models={"openai": {"targets": [narrow], "transforms": rules}})

    refused = await caller.chat("hi")
    reply = await other.chat("hi", seed=1)

    assert_refused(refused, 400, "invalid_parameter", "temperature")
    assert reply.headers["X-Dropped-Params"] == "top_p, seed"
    assert upstream.requests[-1].document.keys() == {"model", "messages", "temperature"}


async def test_other_models_and_other_requests_are_left_alone(
    begin: Begin, upstream: FakeUpstream
) -> None:
    caller = await begin(models=model(set={"temperature": 0}, system_prefix="Be kind."))

    await caller.chat("hi", model="up-other")
    vectors = await caller.post("/v1/embeddings", {"model": "openai", "input": "a"})

    assert upstream.requests[0].document.keys() == {"model", "messages"}
    assert "X-Set-Params" not in vectors.headers
    unknown = await caller.chat("hi", model="nobody")
    assert_refused(unknown, 404, "model_not_found", "model")


async def test_the_example_of_the_page_does_what_it_says(
    upstream: FakeUpstream, tmp_path: Path
) -> None:
    (example,) = blocks(section(page("docs/guards.md"), "Transforms"), "yaml")
    provider = f"providers: {{a: {{kind: openai, settings: {{base_url: {upstream.url}/v1}}}}}}\n"

    async with run_gateway(provider + example, tmp_path) as gateway, ClientSession() as session:
        await Asker(session, gateway).chat("hi", model="steady", logit_bias={}, temperature=1)

    sent = upstream.requests[-1].document
    assert sent.pop("messages")[0]["content"] == "You are the assistant of a library."
    assert sent == {"model": "m", "max_tokens": 1024, "temperature": 0, "seed": 1}


async def test_the_openai_client_gets_its_answer_and_is_told(
    begin: Begin, upstream: FakeUpstream
) -> None:
    caller = await begin(models=model(set={"temperature": 0}, remove=["top_p"]))
    client = openai.AsyncOpenAI(base_url=f"{caller.gateway.url}/v1", api_key="any")

    async with client:
        raw = await client.chat.completions.with_raw_response.create(
            model="openai", messages=[{"role": "user", "content": "hi"}], top_p=0.5
        )

    assert raw.parse().choices[0].message.content == "hello"
    assert (raw.headers["x-set-params"], raw.headers["x-dropped-params"]) == (
        "temperature",
        "top_p",
    )
    assert upstream.requests[-1].document["temperature"] == 0

"""Section 5: a plan's ceiling holds for all that one call generates, whatever the target can."""

from pathlib import Path

import pytest

from gateway.schema.json import JsonObject
from gateway.testing.upstream import FakeUpstream
from tests.contract.asking import Asker, assert_refused, heard
from tests.contract.conftest import Begin
from tests.contract.test_keys import GENERATE, SQLITE, Keys, bearer
from tests.contract.test_plans import chat, with_key

CEILING: JsonObject = {"plans": {"held": {"max_output_tokens": 100}}, "state": {"url": SQLITE}}
CHAT, COMPLETIONS = "/v1/chat/completions", "/v1/completions"


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    """The command line of the gateways that `begin` starts."""
    return Keys(tmp_path)


@pytest.fixture
async def held(begin: Begin, keys: Keys) -> tuple[Asker, str]:
    """A gateway, and a key whose plan allows 100 tokens."""
    return await with_key(begin, keys, "held", **CEILING)


async def complete(held: tuple[Asker, str], **fields: object) -> tuple[int, JsonObject]:
    """Ask for a completion; return the status and the error."""
    caller, key = held
    document = {"model": "openai", "prompt": "hi", **fields}
    answer = await caller.ask("POST", COMPLETIONS, json=document, headers=bearer(key))
    return answer.status, answer.json().get("error", {})


async def test_several_answers_share_the_ceiling(
    held: tuple[Asker, str], upstream: FakeUpstream
) -> None:
    fitting = await chat(*held, n=8, max_tokens=12)
    too_much = await chat(*held, n=8, max_tokens=13)
    shared = await chat(*held, n=8)
    too_many = await chat(*held, n=101)

    assert (fitting.status, shared.status) == (200, 200)
    assert shared.headers["X-Set-Params"] == "max_tokens"
    assert [request.document["max_tokens"] for request in upstream.requests] == [12, 12]
    for refused in (too_much, too_many):
        error = assert_refused(refused, 400, "invalid_parameter", "n")
        assert "100" in error["message"]


async def test_completions_count_prompts_and_drafts_as_well(
    held: tuple[Asker, str], upstream: FakeUpstream
) -> None:
    counted: list[tuple[JsonObject, int]] = [
        ({"prompt": ["a", "b"]}, 50),
        ({"prompt": ["a", "b"], "n": 5}, 10),
        ({"prompt": [[1], [2], [3]]}, 33),
        ({"prompt": [1, 2, 3]}, 100),
        ({"best_of": 20, "n": 2}, 5),
        ({"best_of": 2, "n": 1, "prompt": ["a", "b"]}, 25),
        ({"n": None, "best_of": None}, 100),
    ]
    for fields, most in counted:
        assert (await complete(held, **fields))[0] == 200, fields
        assert heard(upstream)["max_tokens"] == most, fields

    refused: list[tuple[JsonObject, str]] = [
        ({"prompt": ["a"] * 101}, "prompt"),
        ({"prompt": ["a"] * 10, "n": 11}, "n"),
        ({"best_of": 20, "max_tokens": 6}, "best_of"),
        ({"max_tokens": 101}, "max_tokens"),
    ]
    for fields, name in refused:
        status, error = await complete(held, **fields)
        assert (status, error["code"], error["param"]) == (400, "invalid_parameter", name)


@pytest.mark.parametrize("value", [1, "x", [], {}])
async def test_a_ceiling_that_the_format_does_not_know_lifts_none(
    held: tuple[Asker, str], upstream: FakeUpstream, value: object
) -> None:
    status, _ = await complete(held, max_completion_tokens=value)

    assert status == 200
    assert heard(upstream)["max_tokens"] == 100


async def test_a_target_that_cannot_be_held_to_a_length_is_passed_over(
    begin: Begin, keys: Keys, upstream: FakeUpstream
) -> None:
    free = {"parameters": ["temperature"]}
    first = {"provider": "up", "model": "unheld", "card": free}
    models = {
        "both": {"targets": [first, {"provider": "up", "model": "held"}]},
        "unheld": {"targets": [first]},
    }
    caller, key = await with_key(begin, keys, "held", **CEILING, models=models)

    for fields in ({}, {"max_tokens": 7}, {"stream": True}):
        assert (await chat(caller, key, model="both", **fields)).status == 200
        assert heard(upstream)["model"] == "held"
        assert heard(upstream)["max_tokens"] in {100, 7}
    seen = len(upstream.requests)
    refused = await chat(caller, key, model="unheld")
    asked = await caller.ask("GET", f"{GENERATE}&model=unheld", headers=bearer(key))
    head = await caller.ask("HEAD", f"{GENERATE}&model=unheld", headers=bearer(key))

    for answer in (refused, asked):
        error = assert_refused(answer, 403, "model_not_allowed", "model")
        assert "length of answers" in error["message"]
    assert head.status == 403
    assert len(upstream.requests) == seen
    assert (await caller.chat(model="unheld")).status == 200

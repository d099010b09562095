"""Section 6: completions, and the lists of models."""

import pytest

from gateway.schema.json import JsonObject
from gateway.testing.upstream import FakeUpstream
from tests.contract.asking import Asker, assert_refused, heard
from tests.contract.conftest import Begin


@pytest.mark.parametrize("model", ["openai", "chaotic"])
@pytest.mark.parametrize("prompt", ["hi", ["hi"]])
async def test_completions_take_a_text_or_a_list(caller: Asker, model: str, prompt: object) -> None:
    document = {"model": model, "prompt": prompt}

    whole = await caller.post("/v1/completions", document)
    streamed = await caller.post("/v1/completions", document | {"stream": True})

    assert whole.json()["object"] == "text_completion"
    text = whole.json()["choices"][0]["text"]
    assert text in {"hello", "hi"}
    assert "".join(chunk["choices"][0]["text"] for chunk in streamed.chunks) == text
    assert streamed.is_done


@pytest.mark.parametrize("prompt", [["a", "b"], [1, 2, 3], [[1, 2], [3]]])
async def test_lists_and_tokens_pass_to_a_target_that_takes_them(
    caller: Asker, upstream: FakeUpstream, prompt: list[object]
) -> None:
    document = {"model": "openai", "prompt": prompt, "echo": True, "suffix": "end", "best_of": 2}

    answer = await caller.post("/v1/completions", document)

    assert answer.status == 200
    assert heard(upstream) == document | {"model": "upstream-model"}


@pytest.mark.parametrize(
    "fields", [{"suffix": "end"}, {"echo": True}, {"prompt": ["a", "b"]}, {"prompt": [1, 2]}]
)
async def test_what_a_target_cannot_do_with_completions_is_named(
    caller: Asker, fields: JsonObject
) -> None:
    document = {"model": "chaotic", "prompt": "hi"} | fields

    answer = await caller.post("/v1/completions", document)

    if "suffix" in fields or fields.get("prompt") == [1, 2]:
        assert_refused(answer, 400, "unsupported_feature", next(iter(fields)))
    else:
        assert answer.status == 200


async def test_models_have_openais_shape_and_our_card(caller: Asker) -> None:
    listed = (await caller.get("/v1/models")).json()

    assert listed["object"] == "list"
    for model in listed["data"]:
        assert model["object"] == "model"
        assert isinstance(model["created"], int)
        assert {"id", "owned_by", "provider", "context", "price", "tools"} <= model.keys()
    assert {model["id"] for model in listed["data"]} == {"openai", "chaotic", "echo"}


async def test_a_price_is_shown_as_it_is_configured(begin: Begin) -> None:
    card = {"price": {"input": 0.25, "output": 2}, "context": 8192}
    target = {"provider": "up", "model": "x", "card": card}
    caller = await begin(models={"priced": {"targets": [target]}})

    model = (await caller.get("/v1/models/priced")).json()

    assert model["price"] == {"input": 0.25, "output": 2.0}
    assert model["context"] == 8192


async def test_one_model_is_found_by_name_alias_and_family(caller: Asker) -> None:
    for name in ("openai", "echo", "up-anything", "chaos/words:3"):
        assert (await caller.get(f"/v1/models/{name}")).json()["id"] == name

    error = assert_refused(await caller.get("/v1/models/opnai"), 404, "model_not_found", "model")
    assert "openai" in error["details"]["nearest"]


async def test_an_unknown_model_is_404_before_the_upstream_hears_of_it(
    caller: Asker, upstream: FakeUpstream
) -> None:
    for fields in ({}, {"stream": True}):
        refused = await caller.chat(model="gpt-nobody", **fields)
        assert_refused(refused, 404, "model_not_found", "model")

    assert upstream.requests == []

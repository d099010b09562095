"""What callers want of the choice who answers: `dynagate`, and the same in OpenRouter's words."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import openai
import pytest

from gateway.testing.upstream import FakeUpstream, reply, status
from tests.contract.asking import Asker, Reply, assert_refused, heard
from tests.contract.conftest import Begin
from tests.contract.test_keys import SQLITE, Keys, bearer
from tests.docs.examples import run_python
from tests.docs.pages import blocks, page, section
from tests.running import run_gateway

LIMITS = {"anonymous": {"requests": "9999/hour", "concurrent": 50}}
TURNS: Any = [{"role": "user", "content": "hi"}]
FIELDS = {"dynagate", "models", "provider", "route"}


@pytest.fixture
async def third() -> AsyncIterator[FakeUpstream]:
    """One more upstream, for `c`."""
    async with FakeUpstream() as running:
        yield running


def sections(hosts: dict[str, FakeUpstream]) -> dict[str, Any]:
    """Return a configuration of models that `a`, `b` and `c` answer, at these prices."""
    prices = {"a": 3, "b": 2, "c": 1}
    targets = {
        name: {"provider": name, "model": "m", "card": {"price": {"input": usd, "output": 4 * usd}}}
        for name, usd in prices.items()
    }
    return {
        "providers": {
            **{
                name: {"kind": "openai", "settings": {"base_url": host.url}}
                for name, host in hosts.items()
            },
            "elsewhere": {"kind": "chaos"},
            "quiet": {"kind": "openai", "settings": {"host": "groq", "api_key": ""}},
        },
        "models": {
            "all": {"targets": [*targets.values()]},
            "two": {"targets": [targets["a"], {**targets["b"], "model": "n"}]},
            "other": {"targets": [{**targets["c"], "model": "o"}], "aliases": ["alias"]},
            "family-*": {"targets": [{"provider": "c", "model": "*"}]},
            "vectors": {"targets": [{"provider": "a", "model": "text-embedding-3-small"}]},
            "chaotic": {"targets": [{"provider": "elsewhere", "model": "echo"}]},
            "odd": {"targets": [{**targets["a"], "card": {"parameters": ["seed"]}}, targets["b"]]},
        },
        "limits": LIMITS,
    }


@pytest.fixture
async def shown(
    session: Any,  # Any: the fixture's own type.
    upstream: FakeUpstream,
    second: FakeUpstream,
    third: FakeUpstream,
    tmp_path: Path,
) -> AsyncIterator[Asker]:
    """A gateway whose models have several targets."""
    text = json.dumps(sections({"a": upstream, "b": second, "c": third}))
    async with run_gateway(text, tmp_path) as running:
        yield Asker(session, running)


async def who(caller: Asker, model: str = "all", **fields: object) -> str:
    """Return who answered a call."""
    answer = await caller.chat(model=model, **fields)
    assert answer.status == 200, answer.text
    return answer.headers["X-Provider"]


def borrowed(wishes: dict[str, Any]) -> dict[str, Any]:
    """Return the same in OpenRouter's fields."""
    rest = {name: value for name, value in wishes.items() if name != "models"}
    names = {"input": "prompt", "output": "completion"}
    if "max_price" in rest:
        rest["max_price"] = {names[name]: usd for name, usd in rest["max_price"].items()}
    said: dict[str, Any] = {"route": "fallback"}
    said |= {"models": wishes["models"]} if "models" in wishes else {}
    return said | ({"provider": rest} if rest else {})


WISHES: list[tuple[dict[str, Any], str]] = [
    ({"order": ["b"]}, "b"),
    ({"order": ["elsewhere", "c/m", "a"]}, "c"),
    ({"only": ["c", "b"]}, "b"),
    ({"ignore": ["a"]}, "b"),
    ({"only": ["b", "c"], "ignore": ["b"]}, "c"),
    ({"sort": "price"}, "c"),
    ({"max_price": {"input": 2}}, "b"),
    ({"max_price": {"output": 4.0}}, "c"),
    ({"order": ["c"], "allow_fallbacks": False}, "c"),
    ({}, "a"),
]


@pytest.mark.parametrize("is_stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize("is_own", [True, False], ids=["own", "borrowed"])
@pytest.mark.parametrize(("wishes", "answers"), WISHES, ids=[json.dumps(one) for one, _ in WISHES])
async def test_openais_client_says_who_is_to_answer(
    shown: Asker, wishes: dict[str, Any], answers: str, *, is_own: bool, is_stream: bool
) -> None:
    body = {"dynagate": wishes} if is_own else borrowed(wishes)
    async with openai.AsyncOpenAI(
        base_url=f"{shown.gateway.url}/v1", api_key="none", max_retries=0
    ) as client:
        chats = client.chat.completions.with_raw_response
        answer = await chats.create(model="all", messages=TURNS, stream=is_stream, extra_body=body)

    assert answer.headers["X-Provider"] == answers


async def test_what_is_ours_reaches_no_upstream(
    shown: Asker, upstream: FakeUpstream, second: FakeUpstream, third: FakeUpstream
) -> None:
    for fields in ({"dynagate": {"sort": "latency"}}, borrowed({"only": ["a"], "models": ["two"]})):
        await shown.chat(model="all", custom=1, **fields)
        await shown.post("/v1/completions", {"model": "all", "prompt": "hi", **fields})
        await shown.post("/v1/embeddings", {"model": "vectors", "input": "hi", **fields})

    sent = [one.document for one in (*upstream.requests, *second.requests, *third.requests)]
    assert len(sent) == 6
    assert not any(FIELDS & document.keys() for document in sent)
    assert sent[0]["custom"] == 1


async def test_further_models_are_asked_in_turn_and_named_where_they_answer(
    shown: Asker, upstream: FakeUpstream, second: FakeUpstream, third: FakeUpstream
) -> None:
    upstream.will(status(500))
    second.will(status(500))

    answer = await shown.chat(model="two", dynagate={"models": ["two", "alias", "family-x"]})

    assert (answer.status, answer.headers["X-Model"]) == (200, "other")
    assert heard(third)["model"] == "o"
    assert '"model":"alias"' in shown.gateway.lines()


@pytest.mark.parametrize("is_stream", [True, False], ids=["streamed", "whole"])
async def test_a_further_model_of_another_format_answers_under_its_own_name(
    shown: Asker, third: FakeUpstream, *, is_stream: bool
) -> None:
    third.will(status(500))

    answer = await shown.chat(model="other", models=["chaotic"], stream=is_stream)

    assert (answer.status, answer.headers["X-Model"]) == (200, "chaotic")
    assert (answer.words if is_stream else answer.json()["choices"][0]["message"]["content"]) == (
        "hi"
    )


async def test_a_target_of_two_models_is_asked_once_and_under_the_name_that_is_open(
    begin: Begin, upstream: FakeUpstream
) -> None:
    target = {"provider": "up", "model": "m"}
    models = {
        "night": {"targets": [{**target, "when": {"plans": ["default"]}}]},
        "day": {"targets": [target, {**target, "when": {"streams": True}}]},
        "again": {"targets": [target]},
    }
    caller = await begin(models=models)

    answer = await caller.chat(model="night", dynagate={"models": ["day"]})
    upstream.default = status(400, "this model's maximum context length is 10 tokens")
    await caller.chat(model="day", dynagate={"models": ["again", "night"]})

    assert (answer.status, answer.headers["X-Model"]) == (200, "day")
    assert len(upstream.requests) == 2


async def test_of_several_keys_each_answers_under_the_name_that_was_asked(
    begin: Begin, upstream: FakeUpstream
) -> None:
    settings = {"base_url": upstream.url}
    more = {"keyed": {"kind": "openai", "settings": settings, "keys": ["key-a", "key-b"]}}
    models = {"of-keys": {"targets": [{"provider": "keyed", "model": "m"}]}}
    caller = await begin(more=more, models=models)

    for _ in range(2):
        upstream.will(status(500))
        answer = await caller.chat(dynagate={"models": ["of-keys"], "order": ["up"]})
        assert (answer.headers["X-Model"], answer.headers["X-Provider"]) == ("of-keys", "keyed")


async def test_a_body_of_openrouters_needs_no_model_beside_its_models(shown: Asker) -> None:
    answer = await shown.post(
        "/v1/chat/completions", {"models": ["other", "all"], "messages": TURNS}
    )

    assert (answer.status, answer.headers["X-Model"]) == (200, "other")


async def test_without_fallbacks_only_the_first_is_asked(
    shown: Asker, upstream: FakeUpstream, second: FakeUpstream
) -> None:
    upstream.will(status(500))
    refused = await shown.chat(model="all", dynagate={"allow_fallbacks": False})
    second.will(status(500))
    upstream.will(status(500))
    ordered = await shown.chat(
        model="all", provider={"order": ["b", "a"], "allow_fallbacks": False}
    )

    assert_refused(refused, 502, "upstream_failed")
    assert_refused(ordered, 502, "upstream_failed")
    assert (len(upstream.requests), len(second.requests)) == (2, 1)


async def test_those_that_are_not_first_in_order_still_follow(
    shown: Asker, second: FakeUpstream
) -> None:
    second.will(status(500))

    assert await who(shown, dynagate={"order": ["b"]}) == "a"


async def test_latency_and_throughput_are_what_was_measured(shown: Asker) -> None:
    health = shown.gateway.gateway.serving.services.health
    clock = shown.gateway.gateway.serving.services.clock
    for name, seconds, tokens in (("a/m", 3.0, 30.0), ("b/m", 1.0, 10.0), ("c/m", 2.0, 20.0)):
        one = health.of(name)
        one.whole_s, one.measured_at, one.tokens_a_s = seconds, clock.monotonic(), tokens

    latency = await who(shown, dynagate={"sort": "latency"})
    throughput = await who(shown, provider={"sort": {"by": "throughput"}})

    assert (latency, throughput) == ("b", "a")


async def test_a_stream_is_measured(shown: Asker, upstream: FakeUpstream) -> None:
    upstream.will(reply("one two three four five six seven"))

    await shown.chat(model="all", stream=True)

    measured = shown.gateway.gateway.serving.services.health.of("a/m").tokens_a_s
    assert measured is not None
    assert measured > 0


async def test_a_sort_may_go_across_models(shown: Asker) -> None:
    by_model = await who(shown, "two", models=["other"], provider={"sort": "price"})
    together = {"by": "price", "partition": "none"}
    across = await shown.chat(model="two", models=["other"], provider={"sort": together})

    assert by_model == "b"
    assert (across.headers["X-Provider"], across.headers["X-Model"]) == ("c", "other")


async def test_a_target_that_would_leave_a_knob_out_is_not_asked_if_the_caller_minds(
    shown: Asker,
) -> None:
    minds = await who(shown, "odd", temperature=0.5, provider={"require_parameters": True})
    does_not = await who(shown, "odd", temperature=0.5)

    assert (minds, does_not) == ("b", "a")


async def test_preferences_that_nobody_can_keep_are_named(shown: Asker) -> None:
    answer = await shown.chat(model="all", provider={"preferred_max_latency": 1, "zdr": False})

    assert answer.headers["X-Ignored-Params"] == "provider.preferred_max_latency"


def refused_fields() -> list[tuple[dict[str, Any], str]]:
    """Return what is refused, and the field that is named."""
    own: list[tuple[Any, str]] = [
        (1, ""),
        ([], ""),
        ({"ordre": []}, ".ordre"),
        ({"order": "a"}, ".order"),
        ({"order": [1]}, ".order[0]"),
        ({"order": ["a", "nobody"]}, ".order[1]"),
        ({"only": ["nobody"]}, ".only[0]"),
        ({"ignore": ["a/other"]}, ".ignore[0]"),
        ({"only": ["elsewhere"]}, ".only"),
        ({"ignore": ["a", "b", "c"]}, ".ignore"),
        ({"order": ["elsewhere"], "allow_fallbacks": False}, ".order"),
        ({"order": ["a"] * 17}, ".order"),
        ({"order": [""]}, ".order[0]"),
        ({"sort": "speed"}, ".sort"),
        ({"sort": {"by": 1}}, ".sort.by"),
        ({"sort": {"by": "price", "partition": "all"}}, ".sort.partition"),
        ({"allow_fallbacks": "no"}, ".allow_fallbacks"),
        ({"max_price": 1}, ".max_price"),
        ({"max_price": {"tokens": 1}}, ".max_price.tokens"),
    ]
    rows = [({"dynagate": wishes}, f"dynagate{field}") for wishes, field in own]
    rows += [({"provider": wishes}, f"provider{field}") for wishes, field in own if wishes != []]
    return [
        *rows,
        ({"dynagate": {"max_price": {"input": 0.5}}}, "dynagate.max_price.input"),
        ({"dynagate": {"max_price": {"input": -1}}}, "dynagate.max_price.input"),
        ({"provider": {"max_price": {"prompt": "0.5"}}}, "provider.max_price.prompt"),
        ({"provider": {"max_price": {"prompt": "cheap"}}}, "provider.max_price.prompt"),
        ({"dynagate": {"models": ["nothing-like-it"]}}, "dynagate.models[0]"),
        ({"dynagate": {"models": "other"}}, "dynagate.models"),
        ({"models": ["other", "nothing-like-it"]}, "models[1]"),
        ({"models": {}}, "models"),
        ({"models": [{}]}, "models[0]"),
        ({"route": "round"}, "route"),
        ({"dynagate": {}, "provider": {"sort": "price"}}, "provider"),
    ]


@pytest.mark.parametrize(
    ("fields", "param"), refused_fields(), ids=[json.dumps(one) for one, _ in refused_fields()]
)
async def test_what_cannot_be_meant_is_refused_by_its_name(
    shown: Asker, upstream: FakeUpstream, fields: dict[str, Any], param: str
) -> None:
    refused = await shown.chat(model="all", **fields)

    assert_refused(refused, 400, "invalid_parameter", param)
    assert upstream.requests == []


@pytest.mark.parametrize(
    "promise",
    [
        {"data_collection": "deny"},
        {"zdr": True},
        {"enforce_distillable_text": True},
        {"quantizations": ["fp8"]},
    ],
)
async def test_what_nobody_here_can_promise_is_refused(
    shown: Asker, promise: dict[str, Any]
) -> None:
    refused = await shown.chat(model="all", provider=promise)

    assert_refused(refused, 400, "unsupported_feature", f"provider.{next(iter(promise))}")


@pytest.mark.parametrize(
    "rules",
    [
        {"guards": {"input": [{"name": "secret", "pattern": "hi", "action": "block"}]}},
        {"transforms": {"system_prefix": "Say nothing of money."}},
    ],
    ids=["guards", "transforms"],
)
@pytest.mark.parametrize("is_own", [True, False], ids=["own", "borrowed"])
async def test_a_model_with_rules_of_its_own_is_not_reached_beside_one_without_them(
    begin: Begin, upstream: FakeUpstream, rules: dict[str, Any], *, is_own: bool
) -> None:
    targets = [{"provider": "up", "model": "m"}]
    held, alike = {"targets": targets, **rules}, {"targets": targets}
    caller = await begin(models={"held": held, "free": alike, "alike": alike})

    def asking(name: str) -> dict[str, Any]:
        return {"dynagate": {"models": [name]}} if is_own else {"models": [name]}

    refused = await caller.chat(model="free", **asking("held"))
    answered = await caller.chat(model="free", **asking("alike"))

    field = "dynagate.models[0]" if is_own else "models[0]"
    assert_refused(refused, 400, "invalid_parameter", field)
    assert answered.status == 200
    assert len(upstream.requests) == 1


async def test_nothing_that_is_asked_for_widens_what_a_key_may_reach(
    begin: Begin, upstream: FakeUpstream, tmp_path: Path
) -> None:
    plans = {"small": {"models": ["openai"]}}
    made = await Keys(tmp_path).made("small")
    caller = await begin(state={"url": SQLITE}, plans=plans)
    chat = {"model": "openai", "messages": TURNS}
    upstream.default = status(500)

    replies: list[Reply] = []
    for fields in ({"dynagate": {"models": ["chaotic"]}}, {"models": ["chaotic"]}):
        document = {**chat, **fields}
        replies.append(
            await caller.ask(
                "POST", "/v1/chat/completions", json=document, headers=bearer(made["key"])
            )
        )

    for refused in replies:
        assert_refused(refused, 403, "model_not_allowed")
    assert upstream.requests == []


async def test_a_budget_pays_for_the_dearest_of_all_models_that_are_asked(
    begin: Begin, upstream: FakeUpstream, tmp_path: Path
) -> None:
    def priced(usd: float) -> dict[str, Any]:
        card = {"price": {"input": usd, "output": usd}}
        return {"targets": [{"provider": "up", "model": f"m{usd}", "card": card}]}

    # A thousand tokens of the dear one cost more than there is.
    plans = {"b": {"budget": {"usd": 0.001, "per": "day"}}}
    made = await Keys(tmp_path).made("b")
    models = {"cheap": priced(0.1), "dear": priced(10)}
    caller = await begin(state={"url": SQLITE}, plans=plans, models=models)
    chat = {"model": "cheap", "messages": TURNS, "max_tokens": 1000}

    async def ask(**fields: object) -> Reply:
        return await caller.ask(
            "POST", "/v1/chat/completions", json=chat | fields, headers=bearer(made["key"])
        )

    assert (await ask()).status == 200
    assert_refused(await ask(dynagate={"models": ["dear"]}), 429, "insufficient_quota")
    limited = {"models": ["dear"], "max_price": {"input": 1}}
    assert (await ask(dynagate=limited)).status == 200
    assert len(upstream.requests) == 2


@pytest.fixture
async def routed(begin: Begin, upstream: FakeUpstream) -> Asker:
    """A gateway before what says that it is OpenRouter, and one that is not."""
    settings = {"host": "openrouter", "base_url": upstream.url, "api_key": "sk-canary-upstream"}
    more = {"router": {"kind": "openai", "settings": settings}}
    free = {"card": {"price": {"input": 0}}}
    models = {
        "routed": {"targets": [{"provider": "router", "model": "x/small", **free}]},
        "large": {"targets": [{"provider": "router", "model": "x/large", **free}]},
        "open/*": {"targets": [{"provider": "router", "model": "*", **free}]},
        "mixed": {
            "targets": [
                {"provider": "router", "model": "x/small", **free},
                {"provider": "up", "model": "m", **free},
            ]
        },
        "secret": {
            "targets": [
                {"provider": "router", "model": "x/own", "when": {"plans": ["default"]}, **free}
            ]
        },
    }
    return await begin(more=more, models=models)


THEIRS = {
    "models": ["x/large", "open/free"],
    "provider": {"order": ["deepinfra"], "data_collection": "deny", "max_price": {"prompt": "1"}},
    "route": "fallback",
}


@pytest.mark.parametrize("is_stream", [True, False], ids=["streamed", "whole"])
async def test_openrouters_own_fields_pass_to_it_as_they_are(
    routed: Asker, upstream: FakeUpstream, *, is_stream: bool
) -> None:
    answer = await routed.chat(model="routed", stream=is_stream, **THEIRS)

    assert answer.status == 200
    assert {name: heard(upstream)[name] for name in THEIRS} == THEIRS
    assert heard(upstream)["model"] == "x/small"


async def test_ours_is_read_beside_them(routed: Asker, upstream: FakeUpstream) -> None:
    answer = await routed.chat(model="routed", dynagate={"only": ["router"]}, **THEIRS)

    assert answer.status == 200
    assert heard(upstream)["provider"] == THEIRS["provider"]
    assert "dynagate" not in heard(upstream)


async def test_openrouters_fields_are_not_for_a_further_model_that_is_elsewhere(
    routed: Asker, upstream: FakeUpstream
) -> None:
    refused = await routed.chat(model="routed", dynagate={"models": ["openai"]}, **THEIRS)

    assert_refused(refused, 400, "invalid_parameter", "models")
    assert upstream.requests == []


@pytest.mark.parametrize("name", ["x/dear", "x/own", "large"])
async def test_models_of_openrouter_that_have_no_open_name_here_are_refused(
    routed: Asker, upstream: FakeUpstream, name: str
) -> None:
    refused = await routed.chat(model="routed", models=["x/large", name])

    assert_refused(refused, 403, "model_not_allowed", "models[1]")
    assert upstream.requests == []


async def test_more_models_than_anybody_needs_are_refused_before_they_are_looked_up(
    routed: Asker, upstream: FakeUpstream
) -> None:
    refused = await routed.chat(model="routed", models=["x/large"] * 17)

    assert_refused(refused, 400, "invalid_parameter", "models")
    assert upstream.requests == []


async def test_a_list_price_is_known_too(begin: Begin, upstream: FakeUpstream) -> None:
    settings = {"host": "openai", "base_url": "https://api.openai.com/v1", "api_key": "sk-canary"}
    models = {
        "mini": {
            "targets": [
                {"provider": "openai", "model": "gpt-4o-mini"},
                {"provider": "up", "model": "m", "card": {"price": {"input": 0.1}}},
            ]
        }
    }
    caller = await begin(more={"openai": {"kind": "openai", "settings": settings}}, models=models)

    # OpenAI lists 0.15 dollars for a million tokens.
    answer = await caller.chat(model="mini", dynagate={"max_price": {"input": 0.14}})
    refused = await caller.chat(
        model="mini", dynagate={"max_price": {"input": 0.14}, "ignore": ["up"]}
    )

    assert answer.headers["X-Provider"] == "up"
    assert_refused(refused, 400, "invalid_parameter", "dynagate.max_price.input")


async def test_where_others_may_answer_the_fields_are_ours_to_read(
    routed: Asker, upstream: FakeUpstream
) -> None:
    answer = await routed.chat(model="mixed", models=["large"], provider={"only": ["up"]})
    refused = await routed.chat(model="mixed", provider={"only": ["deepinfra"]})

    assert (answer.status, answer.headers["X-Provider"]) == (200, "up")
    assert not FIELDS & heard(upstream).keys()
    assert_refused(refused, 400, "invalid_parameter", "provider.only[0]")


async def test_the_example_of_the_callers_page_runs(begin: Begin, upstream: FakeUpstream) -> None:
    (example,) = blocks(section(page("docs/caller.md"), "Who answers: what you want"), "python")
    upstream.default = reply("Hello to you")
    caller = await begin(
        more={"openai": {"kind": "openai", "settings": {"base_url": upstream.url}}},
        models={"mistral": {"targets": [{"provider": "up", "model": "m"}]}},
    )

    printed = await asyncio.to_thread(run_python, example, caller.gateway.url)

    assert printed.strip() == "Hello to you"


async def test_the_schema_tells_of_the_field(caller: Asker) -> None:
    schemas = (await caller.get("/openapi.json")).json()["components"]["schemas"]

    told = {name for name, one in schemas.items() if "dynagate" in one.get("properties", ())}
    assert told == {"Chat", "Completion", "Embedding", "Image", "Moderation", "Speech"}


@pytest.mark.parametrize(
    ("path", "document"),
    [
        ("/v1/images/generations", {"model": "painted", "prompt": "a cat"}),
        ("/v1/audio/speech", {"model": "spoken", "input": "hi"}),
        ("/v1/moderations", {"model": "judged", "input": "hi"}),
    ],
)
async def test_pictures_sound_and_judgements_take_wishes_too(
    begin: Begin, path: str, document: dict[str, Any]
) -> None:
    targets = {"painted": "dall-e-3", "spoken": "tts-1", "judged": "omni-moderation"}
    models = {
        name: {"targets": [{"provider": "up", "model": model}]} for name, model in targets.items()
    }
    caller = await begin(models=models)

    refused = await caller.post(path, {**document, "dynagate": {"only": ["chaos"]}})
    unknown = await caller.post(path, {**document, "dynagate": {"unly": ["up"]}})

    assert_refused(refused, 400, "invalid_parameter", "dynagate.only")
    assert_refused(unknown, 400, "invalid_parameter", "dynagate.unly")

"""Section 2: each parameter of the GET API at its ends, beyond them, and where it comes from."""

from urllib.parse import quote

import pytest

from gateway.schema.json import JsonObject
from gateway.testing.upstream import FakeUpstream
from tests.contract.asking import Asker, assert_refused, heard, prompt_heard
from tests.contract.conftest import Begin

GENERATE = "/api/generate_response?user_input=hi"
JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
NO_NUMBERS = ("abc", "nan", "inf", "-inf", "1e999", "0x1", "1_0", "1,5", "\uff11", "9" * 400, "")
RANGES = {
    "temperature": ("0", "3", "-0.01", "3.01"),
    "top_p": ("0", "1", "-0.01", "1.01"),
    "presence_penalty": ("-2", "2", "-2.01", "2.01"),
    "frequency_penalty": ("-2", "2", "-2.01", "2.01"),
    "speed": ("0.25", "4", "0.24", "4.01"),
}
ON = ("true", "True", "TRUE", "1", "yes", "Yes", "on", "")
OFF = ("false", "False", "0", "no", "NO", "off")
NO_BOOLEANS = ("2", "maybe", "t", "null", "-1", " true")


@pytest.mark.parametrize("name", ["temperature", "top_p", "presence_penalty", "frequency_penalty"])
async def test_both_ends_of_a_range_reach_the_model(
    caller: Asker, upstream: FakeUpstream, name: str
) -> None:
    for value in (*RANGES[name][:2], "0.5", "5e-1"):
        reply = await caller.get(f"{GENERATE}&{name}={value}")

        assert reply.status == 200
        assert heard(upstream)[name] == float(value)


@pytest.mark.parametrize("name", RANGES)
async def test_what_is_out_of_range_is_refused_with_the_range(
    caller: Asker, upstream: FakeUpstream, name: str
) -> None:
    low, high, *outside = RANGES[name]
    for value in (*outside, *NO_NUMBERS):
        error = assert_refused(
            await caller.get(f"{GENERATE}&{name}={quote(value)}"), 400, "invalid_parameter", name
        )

        assert name in error["message"]
        assert f"{low} to {high}" in error["message"]
        assert value[:80] in error["message"]
    assert upstream.requests == []


@pytest.mark.parametrize("seed", ["0", "42", "-2", str(2**63 - 1), str(-(2**63))])
async def test_a_seed_of_64_bits_is_sent_and_echoed(
    caller: Asker, upstream: FakeUpstream, seed: str
) -> None:
    reply = await caller.get(f"{GENERATE}&seed={seed}")

    assert reply.headers["X-Seed"] == seed
    assert heard(upstream)["seed"] == int(seed)


@pytest.mark.parametrize("seed", [str(2**63), str(-(2**63) - 1), "1.0", "1e3", *NO_NUMBERS])
async def test_what_is_no_64_bit_seed_is_refused(caller: Asker, seed: str) -> None:
    reply = await caller.get(f"{GENERATE}&seed={quote(seed)}")

    assert_refused(reply, 400, "invalid_parameter", "seed")


@pytest.mark.parametrize("query", ["", "&seed=-1"])
async def test_a_seed_that_is_left_open_is_random_and_echoed(
    caller: Asker, upstream: FakeUpstream, query: str
) -> None:
    first, second = [await caller.get(GENERATE + query) for _ in range(2)]

    assert first.headers["X-Seed"] != second.headers["X-Seed"]
    assert str(heard(upstream)["seed"]) == second.headers["X-Seed"]


async def test_booleans_take_the_words_of_the_contract(caller: Asker) -> None:
    for word in ON:
        assert (await caller.get(f"{GENERATE}&json={word}")).json() == {"message": "hello"}
        assert (await caller.get(f"{GENERATE}&stream={word}")).is_stream
    for word in OFF:
        reply = await caller.get(f"{GENERATE}&json={word}&stream={word}")
        assert reply.text == "hello"


async def test_a_boolean_without_a_value_is_true(caller: Asker) -> None:
    assert (await caller.get(f"{GENERATE}&json")).json() == {"message": "hello"}


@pytest.mark.parametrize("name", ["json", "stream", "private"])
async def test_no_other_word_is_a_boolean(caller: Asker, name: str) -> None:
    for word in NO_BOOLEANS:
        reply = await caller.get(f"{GENERATE}&{name}={quote(word)}")

        assert_refused(reply, 400, "invalid_parameter", name)


@pytest.mark.parametrize(
    "path",
    [
        "/api/generate_response",
        "/api/generate_response?",
        "/api/generate_response?user_input",
        "/api/generate_response?user_input=",
        "/api/generate_response?user_input=%20%0A+",
        "/api/text/%20",
        "/text/%E3%80%80",
    ],
)
async def test_user_input_is_required(caller: Asker, path: str) -> None:
    reply = await caller.get(path)

    assert_refused(reply, 400, "missing_parameter", "user_input")


async def test_user_input_is_not_trimmed(caller: Asker, upstream: FakeUpstream) -> None:
    await caller.get("/api/generate_response?user_input=%20%20hi%0A")

    assert prompt_heard(upstream) == "  hi\n"


async def test_system_is_the_turn_before(caller: Asker, upstream: FakeUpstream) -> None:
    await caller.get(f"{GENERATE}&system=You%20are%20a%20pirate")

    assert heard(upstream)["messages"] == [
        {"role": "system", "content": "You are a pirate"},
        {"role": "user", "content": "hi"},
    ]


async def test_a_model_is_found_by_name_or_alias(caller: Asker) -> None:
    named = await caller.get(f"{GENERATE}&model=chaotic")
    alias = await caller.get(f"{GENERATE}&model=echo")

    assert (named.text, alias.text) == ("hi", "hi")
    assert (named.headers["X-Provider"], alias.headers["X-Provider"]) == ("chaos", "chaos")


async def test_an_unknown_model_is_told_the_nearest_names(caller: Asker) -> None:
    error = assert_refused(
        await caller.get(f"{GENERATE}&model=opnai"), 404, "model_not_found", "model"
    )

    assert "openai" in error["message"]


async def test_a_referrer_has_256_characters_and_goes_nowhere(
    caller: Asker, upstream: FakeUpstream
) -> None:
    fits = await caller.get(f"{GENERATE}&referrer={'r' * 256}")
    refused = await caller.get(f"{GENERATE}&referrer={'r' * 257}")

    assert fits.status == 200
    assert b"rrrr" not in upstream.requests[0].body
    assert "rrrr" not in caller.gateway.lines()
    assert_refused(refused, 400, "invalid_parameter", "referrer")


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("voice", "nova", "Nova"),
        ("speed", "1.5", "0"),
        ("format", "flac", "ogg"),
        ("quality", "hd", "ultra"),
    ],
)
async def test_audio_parameters_on_text_are_checked_and_then_ignored(
    caller: Asker, upstream: FakeUpstream, name: str, good: str, bad: str
) -> None:
    taken = await caller.get(f"{GENERATE}&{name}={good}")
    refused = await caller.get(f"{GENERATE}&{name}={bad}")

    assert taken.status == 200
    assert taken.headers["X-Ignored-Params"] == name
    assert name not in heard(upstream)
    assert_refused(refused, 400, "invalid_parameter", name)


async def test_unknown_parameters_are_ignored_and_named(
    caller: Asker, upstream: FakeUpstream
) -> None:
    reply = await caller.get(f"{GENERATE}&utm_source=x&fbclid=y&Temperature=9")

    assert reply.status == 200
    assert reply.headers["X-Ignored-Params"] == "utm_source, fbclid, Temperature"
    assert "Temperature" not in heard(upstream)


async def test_unknown_names_of_a_body_are_named_too(caller: Asker) -> None:
    reply = await caller.post("/api/generate_response?a=1", {"user_input": "hi", "b": {}, "c": 2})

    assert reply.status == 200
    assert reply.headers["X-Ignored-Params"] == "a, b, c"


async def test_names_of_ignored_parameters_cannot_make_a_header(caller: Asker) -> None:
    reply = await caller.get(f"{GENERATE}&a%0D%0AX-Evil:%20b=1&%F0%9F%99%82=2&a,b=3")

    assert reply.status == 200
    assert "X-Evil" not in reply.headers
    assert len(reply.headers["X-Ignored-Params"].split(", ")) == 3


async def test_of_a_repeated_parameter_the_last_counts(
    caller: Asker, upstream: FakeUpstream
) -> None:
    reply = await caller.get(f"{GENERATE}&temperature=9&temperature=1&user_input=last")

    assert reply.status == 200
    assert heard(upstream)["temperature"] == 1
    assert prompt_heard(upstream) == "last"


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        ('{"user_input": "hi", "temperature": 1, "json": true}', JSON),
        ('{"user_input": "hi", "temperature": "1", "json": "yes"}', {}),
        # What `curl -d '{…}'` sends.
        ('{"user_input": "hi", "temperature": 1, "json": true}', FORM),
        ("user_input=hi&temperature=1&json", FORM),
    ],
)  # fmt: skip
async def test_post_takes_the_same_names_as_json_or_as_a_form(
    caller: Asker, upstream: FakeUpstream, body: str, headers: dict[str, str]
) -> None:
    reply = await caller.ask("POST", "/api/generate_response", data=body, headers=headers)

    assert reply.json() == {"message": "hello"}
    assert heard(upstream)["temperature"] == 1
    assert prompt_heard(upstream) == "hi"


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        ('{"user_input": "body", "seed": 7}', {"Content-Type": "application/json"}),
        ("user_input=body&seed=7", FORM),
    ],
)
async def test_the_body_wins_over_the_query(
    caller: Asker, upstream: FakeUpstream, body: str, headers: dict[str, str]
) -> None:
    path = "/api/generate_response?user_input=query&seed=1&temperature=2"

    reply = await caller.ask("POST", path, data=body, headers=headers)

    assert reply.headers["X-Seed"] == "7"
    assert prompt_heard(upstream) == "body"
    assert heard(upstream)["temperature"] == 2


@pytest.mark.parametrize(
    ("document", "param"),
    [
        ({"user_input": 5}, "user_input"),
        ({"user_input": ["hi"]}, "user_input"),
        ({"user_input": "a\0b"}, "user_input"),
        ({"temperature": True}, "temperature"),
        ({"temperature": [1]}, "temperature"),
        ({"top_p": {}}, "top_p"),
        ({"seed": 1.5}, "seed"),
        ({"seed": 2**63}, "seed"),
        ({"json": 1}, "json"),
        ({"stream": "perhaps"}, "stream"),
        ({"model": 7}, "model"),
        ({"system": {}}, "system"),
        ({"referrer": 1}, "referrer"),
        ({"voice": 1}, "voice"),
        ({"format": []}, "format"),
    ],
)
async def test_json_values_of_the_wrong_kind_are_refused_by_name(
    caller: Asker, document: JsonObject, param: str
) -> None:
    reply = await caller.post("/api/generate_response", {"user_input": "hi"} | document)

    assert_refused(reply, 400, "invalid_parameter", param)


async def test_null_in_json_is_as_good_as_absent(caller: Asker, upstream: FakeUpstream) -> None:
    document = {"user_input": "hi", "temperature": None, "model": None}

    reply = await caller.post("/api/generate_response", document)

    assert reply.text == "hello"
    assert "temperature" not in heard(upstream)


async def test_a_multipart_form_is_415(caller: Asker) -> None:
    reply = await caller.ask(
        "POST",
        "/api/generate_response",
        data=b"--x--",
        headers={"Content-Type": "multipart/form-data; boundary=x"},
    )

    assert_refused(reply, 415, "unsupported_media_type")


async def test_a_knob_that_the_target_lacks_is_left_out_and_named(
    begin: Begin, upstream: FakeUpstream
) -> None:
    card = {"parameters": ["temperature"]}
    target = {"provider": "up", "model": "plain", "card": card}
    caller = await begin(models={"plain": {"targets": [target]}})

    reply = await caller.get(f"{GENERATE}&model=plain&temperature=1&top_p=0.5&seed=4")

    assert reply.status == 200
    assert reply.headers["X-Dropped-Params"] == "top_p, seed"
    assert heard(upstream)["temperature"] == 1
    assert {"top_p", "seed"} & heard(upstream).keys() == set()


async def test_a_value_out_of_a_targets_range_goes_to_another_target(
    begin: Begin, upstream: FakeUpstream, second: FakeUpstream
) -> None:
    narrow = {"provider": "up", "model": "a", "card": {"ranges": {"temperature": [0, 1]}}}
    targets = [narrow, {"provider": "second", "model": "b"}]
    caller = await begin(second, models={"wide": {"targets": targets}})

    first = await caller.get(f"{GENERATE}&model=wide&temperature=1")
    other = await caller.get(f"{GENERATE}&model=wide&temperature=1.5")

    assert (first.headers["X-Provider"], other.headers["X-Provider"]) == ("up", "second")


async def test_a_value_out_of_every_targets_range_is_told_that_range(
    begin: Begin, upstream: FakeUpstream
) -> None:
    narrow = {"provider": "up", "model": "a", "card": {"ranges": {"temperature": [0, 1]}}}
    caller = await begin(models={"narrow": {"targets": [narrow]}})

    reply = await caller.get(f"{GENERATE}&model=narrow&temperature=1.5")

    error = assert_refused(reply, 400, "invalid_parameter", "temperature")
    assert "0 to 1" in error["message"]
    assert upstream.requests == []


async def test_a_feature_that_no_target_has_is_named(begin: Begin, upstream: FakeUpstream) -> None:
    card = {"tools": False, "json_schema": False, "input_modalities": ["text"]}
    target = {"provider": "up", "model": "plain", "card": card}
    caller = await begin(models={"plain": {"targets": [target]}})
    tool = {"type": "function", "function": {"name": "f"}}
    picture = [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}]
    schema = {"type": "json_schema", "json_schema": {"name": "s", "schema": {"type": "object"}}}

    tools = await caller.chat(model="plain", tools=[tool])
    vision = await caller.chat(model="plain", messages=[{"role": "user", "content": picture}])
    held = await caller.chat(model="plain", response_format=schema)

    assert_refused(tools, 400, "unsupported_feature", "tools")
    assert_refused(vision, 400, "unsupported_feature", "messages")
    assert_refused(held, 400, "unsupported_feature", "response_format")
    assert upstream.requests == []

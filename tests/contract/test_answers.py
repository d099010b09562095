"""Section 3: what text answers look like."""

import json

import pytest

from gateway.testing.upstream import FakeUpstream, reply, status, stream
from tests.contract.asking import Asker, assert_refused, heard

GENERATE = "/api/generate_response?user_input=hi"
LIST = "/api/generate_response?user_input=List%203%20Pokemons&json=true"
OBJECT = "/api/generate_response?user_input=Return%20JSON%20with%20name%20and%20age&json=true"
PRIVATE = "private, no-store"


@pytest.mark.parametrize(
    "words",
    [
        "hello",
        "  untrimmed \n\n",
        "Sponsored: not ours to add or to take away",
        "Grüße, мир! 你好 🙂\u2028\r\n\tdata: [DONE]\n\n",
    ],
)
async def test_text_is_the_models_words_and_nothing_else(
    caller: Asker, upstream: FakeUpstream, words: str
) -> None:
    upstream.will(reply(words))

    answer = await caller.get(GENERATE)

    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert answer.body == words.encode()


async def test_a_request_for_a_list_is_held_to_a_list_of_that_noun_and_count(
    caller: Asker, upstream: FakeUpstream
) -> None:
    upstream.will(reply('{"Pokemons": ["Pikachu", "Mew", "Abra"]}'))

    answer = await caller.get(LIST)

    schema = heard(upstream)["response_format"]["json_schema"]["schema"]
    assert schema["properties"]["Pokemons"]["minItems"] == 3
    assert schema["properties"]["Pokemons"]["maxItems"] == 3
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json() == {"Pokemons": ["Pikachu", "Mew", "Abra"]}


async def test_a_request_for_an_object_is_json_mode_and_kept_as_it_is(
    caller: Asker, upstream: FakeUpstream
) -> None:
    upstream.will(reply('{"name": "Ada", "age": 36, "tags": [null, 1.5]}'))

    answer = await caller.get(OBJECT)

    assert heard(upstream)["response_format"] == {"type": "json_object"}
    assert answer.json() == {"name": "Ada", "age": 36, "tags": [None, 1.5]}


async def test_anything_else_is_asked_normally_and_put_into_message(
    caller: Asker, upstream: FakeUpstream
) -> None:
    upstream.will(reply('He said "hi"\n'))

    answer = await caller.get(f"{GENERATE}&json=true")

    assert "response_format" not in heard(upstream)
    assert answer.json() == {"message": 'He said "hi"\n'}


@pytest.mark.parametrize("path", [LIST, OBJECT])
@pytest.mark.parametrize(
    "said",
    [
        "I would rather not.",
        '{"Pokemons": [',
        "[1, 2]",
        "null",
        '{"a": NaN}',
        '{"a": 1, "a": 2}',
        '{"a": "\\ud800"}',
        "{" * 500,
    ],
)
async def test_an_answer_that_will_not_parse_falls_back_to_message(
    caller: Asker, upstream: FakeUpstream, path: str, said: str
) -> None:
    upstream.will(reply(said))

    answer = await caller.get(path)

    assert answer.status == 200
    assert answer.json() == {"message": said}


async def test_an_error_key_of_the_models_does_not_look_like_ours(
    caller: Asker, upstream: FakeUpstream
) -> None:
    upstream.will(reply('{"error": "no such thing"}'))

    answer = await caller.get(OBJECT)

    assert answer.status == 200
    assert answer.json() == {"message": {"error": "no such thing"}}


async def test_a_stream_is_chunks_and_ends_with_the_requests_id(
    caller: Asker, upstream: FakeUpstream
) -> None:
    upstream.will(stream("one ", "two"))

    answer = await caller.get(f"{GENERATE}&stream=true")

    request_id = answer.headers["X-Request-Id"]
    assert answer.headers["Content-Type"].startswith("text/event-stream")
    assert {chunk["object"] for chunk in answer.chunks} == {"chat.completion.chunk"}
    assert answer.words == "one two"
    assert answer.chunks[-1]["choices"][0]["finish_reason"] == "stop"
    assert answer.frames[-1] == f"id: {request_id}-end\ndata: [DONE]".encode()


async def test_an_event_source_that_comes_back_after_the_end_is_told_to_stop(
    caller: Asker, upstream: FakeUpstream
) -> None:
    answer = await caller.get(f"{GENERATE}&stream=true")
    last = answer.frames[-1].split(b"\n")[0].removeprefix(b"id: ").decode()

    again = await caller.get(f"{GENERATE}&stream=true", Last_Event_ID=last)

    assert (again.status, again.body) == (204, b"")
    assert len(upstream.requests) == 1


@pytest.mark.parametrize(
    ("path", "said", "wanted"),
    [
        (f"{GENERATE}&json=true", 'a "b"\n', {"message": 'a "b"\n'}),
        (LIST, '{"Pokemons": ["Mew", "Abra", "Ditto"]}', {"Pokemons": ["Mew", "Abra", "Ditto"]}),
        (OBJECT, '{"name": "Ada"}', {"name": "Ada"}),
    ],
)
async def test_with_json_the_json_text_is_streamed(
    caller: Asker, upstream: FakeUpstream, path: str, said: str, wanted: object
) -> None:
    upstream.will(reply(said))

    answer = await caller.get(f"{path}&stream=true")

    assert json.loads(answer.words) == wanted
    assert answer.is_done


@pytest.mark.parametrize("more", ["", "&json=true", "&stream=true"])
async def test_every_answer_echoes_its_seed(caller: Asker, more: str) -> None:
    assert (await caller.get(f"{GENERATE}&seed=5{more}")).headers["X-Seed"] == "5"
    assert int((await caller.get(f"{GENERATE}{more}")).headers["X-Seed"]) >= 0


@pytest.mark.parametrize(
    ("path", "kept"),
    [
        (f"{GENERATE}&seed=5", "public, max-age=86400"),
        ("/text/hi?seed=5&json=true", "public, max-age=86400"),
        (f"{GENERATE}&seed=-1", PRIVATE),
        (f"{GENERATE}&seed=5&private=true", PRIVATE),
        (GENERATE, PRIVATE),
        # A stream may end in an error after its headers are out.
        (f"{GENERATE}&seed=5&stream=true", PRIVATE),
        ("/api/text/models", PRIVATE),
        ("/v1/models", PRIVATE),
    ],
)
async def test_only_what_would_come_out_the_same_may_be_kept(
    caller: Asker, path: str, kept: str
) -> None:
    answer = await caller.get(path)

    assert answer.headers["Cache-Control"] == kept
    assert answer.headers["Vary"] == "Accept, Authorization, Origin"


async def test_errors_are_never_kept(caller: Asker, upstream: FakeUpstream) -> None:
    upstream.will(status(500))

    failed = await caller.get(f"{GENERATE}&seed=5")
    refused = await caller.get(f"{GENERATE}&seed=x")

    assert_refused(failed, 502, "upstream_failed")
    assert_refused(refused, 400, "invalid_parameter", "seed")
    assert failed.headers["Vary"] == refused.headers["Vary"] == "Accept, Authorization, Origin"


async def test_what_is_posted_is_never_kept(caller: Asker) -> None:
    answer = await caller.post("/api/generate_response", {"user_input": "hi", "seed": 5})

    assert answer.headers["Cache-Control"] == PRIVATE


async def test_text_models_are_an_array_of_cards(caller: Asker) -> None:
    cards = (await caller.get("/api/text/models")).json()

    assert isinstance(cards, list)
    assert all({"name", "provider", "context", "tools", "vision"} <= card.keys() for card in cards)
    assert [card["name"] for card in cards if card["provider"] == "up"] == ["openai"]

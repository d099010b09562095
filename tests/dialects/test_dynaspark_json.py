"""`json=true`: which object a prompt wants, and answers that always parse."""

import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.dialects.dynaspark_json import (
    JsonKind,
    ListAnswer,
    MessageAnswer,
    ObjectAnswer,
    StreamJson,
    classify,
    render_json,
    response_format,
)

PROPERTY = settings(deadline=None, database=None, derandomize=True, max_examples=200)
WORDS = st.text(st.characters(exclude_categories=["Cs"]))
KINDS = [MessageAnswer(), ObjectAnswer(), ListAnswer("colors", 3)]


@pytest.mark.parametrize(
    ("prompt", "noun", "count"),
    [
        ("List 3 Pokemons", "Pokemons", 3),
        ("LIST 3 Pokemon", "Pokemon", 3),
        ("List 3 colors", "colors", 3),
        ("list\n 3  colors.", "colors", 3),
        ("Give me five European capitals", "capitals", 5),
        ("Give 3 Pokemons", "Pokemons", 3),
        ("Name three programming languages that run on the JVM", "languages", 3),
        ("Please list 10 books about dogs.", "books", 10),
        ("Can you give me 3 ideas for dinner?", "ideas", 3),
        ("could you please list the top 5 movies of 1999", "movies", 5),
        ("List all planets", "planets", None),
        ("list planets", "planets", None),
        ("name the planets", "planets", None),
        ("Name one European capital", "capital", 1),
        ("List 1 color", "color", 1),
        ("List twenty colors", "colors", 20),
        ("List 100 colors", "colors", 100),
        ("List 5-10 colors", "colors", None),
        ("List at least 3 colors", "colors", None),
        ("List 3 of the best movies ever", "movies", 3),
        ("name 4 sports cars", "cars", 4),
        ("List 3D shapes", "shapes", None),
        ("List 3 fruits and explain why", "fruits", 3),
        ("List red and blue cars", "cars", None),
        ("List pros and cons of nuclear power", "pros and cons", None),
        ("Give me a list of 5 fruits", "fruits", 5),
        ("I need a list of 4 rivers in Spain, please", "rivers", 4),
        ("List of 5 cities", "cities", 5),
        ("Suggest 7 names for my cat", "names", 7),
        ("Tell me 3 facts about cats", "facts", 3),
        ("List 10 words", "words", 10),
        ("List 3 JSON libraries for Python", "libraries", 3),
        ("List the differences between JSON and XML", "differences", None),
        ("List 3 Pokémons", "Pokémons", 3),
    ],
)
def test_a_prompt_for_a_list_names_noun_and_count(
    prompt: str, noun: str, count: int | None
) -> None:
    assert classify(prompt) == ListAnswer(noun, count)


@pytest.mark.parametrize(
    "prompt",
    [
        "Answer in JSON",
        "Describe Rome as JSON",
        "List 3 colors as JSON",
        "Give me the weather in valid JSON format",
        "Give me a JSON object with fields name and age",
        "JSON please: 3 colors",
        "Return an object with name and age of Einstein",
        "Describe Einstein with the keys name, age",
        "Describe Einstein with the following fields: name and age",
        "Here is a text.\n\n" + "word " * 5000 + "\n\nSummarise it and respond with JSON only.",
    ],
)
def test_a_prompt_for_json_or_named_fields_gets_its_own_object(prompt: str) -> None:
    assert classify(prompt) == ObjectAnswer()


@pytest.mark.parametrize(
    "prompt",
    [
        "Hello",
        "Hello world",
        "What is AI?",
        "Explain quantum computing in simple terms",
        "Tell me a long story",
        "Write a Python function to sort a list of dictionaries by a key",
        "Write a Python function that parses JSON",
        "Create a linked list of integers in C",
        "Name the capital of France",
        "Name the boss of Apple",
        "Name my dog",
        "Name a color",
        "Name: John",
        "Give me a poem",
        "Give me details about Rome",
        "Give me 500 words on cats",
        "Give me 50 words about cats",
        "List 0 colors",
        "List 101 colors",
        "List 99999999999999999999 colors",
        "List 3 colors and 2 animals",
        "List comprehensions are fast, why?",
        "List",
        "List 3",
        "List 3 " + "x" * 100 + "s",
        "Listing 3 colors",
        "What is JSON?",
        "What does null mean in JSON?",
        "How do I parse JSON in Python?",
        "Describe a house with keys and locks",
        "Nenne drei Farben",
        "列出三种颜色",
        "",
    ],
)
def test_anything_else_is_a_message(prompt: str) -> None:
    assert classify(prompt) == MessageAnswer()


@pytest.mark.parametrize(
    "unit",
    ["list all ", "please ", "as json", "return me ", "with the keys ", "list 3 a and ", " ", "a"],
)
def test_a_prompt_of_megabytes_is_read_in_no_time(unit: str) -> None:
    begun_s = time.thread_time()

    classify(unit * (4_000_000 // len(unit)))

    # CPU time of this thread: quadratic work would take minutes.
    assert time.thread_time() - begun_s < 1


@PROPERTY
@given(WORDS)
def test_every_prompt_has_a_kind_and_every_kind_a_format(prompt: str) -> None:
    kind = classify(prompt)

    assert (response_format(kind) is None) == isinstance(kind, MessageAnswer)


def test_a_list_of_open_length_is_bounded() -> None:
    held_to = response_format(ListAnswer("planets"))

    assert held_to is not None
    assert held_to.schema is not None
    items = held_to.schema["properties"]["planets"]
    assert (items["minItems"], items["maxItems"]) == (1, 50)


COLORS = ListAnswer("colors", 3)


@pytest.mark.parametrize(
    ("kind", "said", "document"),
    [
        (MessageAnswer(), "Hello!", {"message": "Hello!"}),
        (MessageAnswer(), '{"a": 1}', {"message": '{"a": 1}'}),
        (MessageAnswer(), "", {"message": ""}),
        (COLORS, '{"colors": ["red", "blue"]}', {"colors": ["red", "blue"]}),
        (COLORS, ' ```json\n{"colors": ["red"]}\n```\n', {"colors": ["red"]}),
        (COLORS, '```\n{"colors": []}```', {"colors": []}),
        (COLORS, '{"colors": "red"}', {"message": '{"colors": "red"}'}),
        (COLORS, '{"colors": [1]}', {"message": '{"colors": [1]}'}),
        (COLORS, '{"Colors": ["red"]}', {"message": '{"Colors": ["red"]}'}),
        (COLORS, "red, blue", {"message": "red, blue"}),
        (ObjectAnswer(), '{"age": 76, "name": {"a": null}}', {"age": 76, "name": {"a": None}}),
        (ObjectAnswer(), '{"age": 76', {"message": '{"age": 76'}),
        (ObjectAnswer(), "[1]", {"message": "[1]"}),
        (ObjectAnswer(), '{"a": NaN}', {"message": '{"a": NaN}'}),
        (ObjectAnswer(), '{"a": 1e999}', {"message": '{"a": 1e999}'}),
        (ObjectAnswer(), '{"error": "x"}', {"message": {"error": "x"}}),
        (ObjectAnswer(), '{"a": {"error": 1}}', {"a": {"error": 1}}),
        (ObjectAnswer(), "```", {"message": "```"}),
    ],
)
def test_an_answer_is_kept_or_wrapped(kind: JsonKind, said: str, document: dict[str, Any]) -> None:
    assert render_json(kind, said) == document


@PROPERTY
@given(st.sampled_from(KINDS), WORDS | st.sampled_from(['{"error":1}', "{}", '{"colors":["a"]}']))
def test_no_answer_renders_with_a_top_level_error(kind: JsonKind, said: str) -> None:
    assert "error" not in render_json(kind, said)


@PROPERTY
@given(st.lists(WORDS))
def test_a_streamed_message_is_one_object_with_every_word(pieces: list[str]) -> None:
    stream = StreamJson(MessageAnswer())

    sent = "".join([*map(stream.feed, pieces), stream.end(), stream.end()])

    assert json.loads(sent) == {"message": "".join(pieces)}


@pytest.mark.parametrize("kind", [ObjectAnswer(), COLORS])
def test_a_streamed_object_is_the_models_own_text(kind: JsonKind) -> None:
    stream = StreamJson(kind)

    sent = "".join([stream.feed('{"colors": '), stream.feed('["red"]}'), stream.end()])

    assert sent == '{"colors": ["red"]}'

"""What the core knows of OpenAI's wires."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.schema.json import JsonObject, read_object
from gateway.schema.sse import DONE
from gateway.schema.usage import Usage
from gateway.schema.wires import (
    Tap,
    error_message,
    is_meaningful,
    openai_usage,
    retarget,
    usage_at_end,
    usage_of,
)

COUNTS = st.integers(0, 10_000)


def frame(document: JsonObject) -> bytes:
    return b"data: " + orjson.dumps(document) + b"\n\n"


def test_retargeting_leaves_the_callers_document_alone() -> None:
    document = {"model": "ours", "n": 1}

    assert retarget(document, "theirs") == {"model": "theirs", "n": 1}
    assert document["model"] == "ours"


@pytest.mark.parametrize(
    ("choice", "is_answer"),
    [
        ({"delta": {"role": "assistant", "content": ""}}, False),
        ({"delta": {"content": "a"}}, True),
        ({"delta": {"reasoning_content": "a"}}, True),
        ({"delta": {"tool_calls": [{"index": 0}]}}, True),
        ({"delta": {"refusal": "no"}}, True),
        ({"message": {"content": "a"}}, True),
        ({"message": {"content": None}}, False),
        ({"text": "a"}, True),
        ({"text": ""}, False),
        ("garbage", False),
    ],
)
def test_only_pieces_of_an_answer_are_meaningful(choice: object, *, is_answer: bool) -> None:
    assert is_meaningful({"choices": [choice]}) is is_answer


@given(st.tuples(COUNTS, COUNTS, COUNTS), st.tuples(COUNTS, COUNTS, COUNTS))
def test_buckets_are_disjoint_and_add_up_to_the_upstreams_totals(
    came_in: tuple[int, int, int], went_out: tuple[int, int, int]
) -> None:
    (prompt, cached, heard), (completion, reasoned, spoken) = came_in, went_out
    said = {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "prompt_tokens_details": {"cached_tokens": cached, "audio_tokens": heard},
        "completion_tokens_details": {"reasoning_tokens": reasoned, "audio_tokens": spoken},
    }

    usage = usage_of({"usage": said})

    assert usage is not None
    assert (usage.total_in, usage.total_out) == (prompt, completion)
    assert min(usage.input_tokens, usage.output_tokens) >= 0
    assert usage_of({"usage": openai_usage(usage)}) == usage


@pytest.mark.parametrize("usage", [None, 3, {"prompt_tokens": "many"}, {"prompt_tokens": -4}])
def test_a_strange_usage_is_none_or_nothing(usage: object) -> None:
    assert usage_of({"usage": usage}) in {None, Usage()}


def test_a_usage_chunk_is_taken_out_unless_it_was_asked_for() -> None:
    last = frame({"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 1}})
    silent, wanted = Tap(read_object, is_usage_wanted=False), Tap(read_object, is_usage_wanted=True)

    assert silent.watch(last + DONE) == DONE
    assert wanted.watch(last + DONE) == last + DONE
    assert silent.usage == wanted.usage == Usage(input_tokens=3, output_tokens=1)
    assert silent.is_done


def test_a_chunk_with_words_and_usage_passes() -> None:
    mixed = frame({"choices": [{"delta": {"content": "a"}}], "usage": {"prompt_tokens": 3}})
    tap = Tap(read_object, is_usage_wanted=False)

    assert tap.watch(mixed) == mixed
    assert tap.usage == Usage(input_tokens=3)


def test_words_that_look_like_usage_or_errors_pass_as_they_are() -> None:
    said = frame({"choices": [{"delta": {"content": '"usage": {"error": 1} [DONE]'}}]})
    tap = Tap(read_object, is_usage_wanted=False)

    assert tap.watch(said) == said
    assert (tap.usage, tap.error, tap.is_done) == (None, None, False)


def test_nothing_after_an_error_passes() -> None:
    good, bad = (
        frame({"choices": [{"delta": {"content": "a"}}]}),
        frame({"error": {"message": "x"}}),
    )
    tap = Tap(read_object, is_usage_wanted=False)

    assert tap.watch(good + bad + DONE) == good
    assert tap.error is not None
    assert error_message(tap.error) == "x"


@pytest.mark.parametrize(
    "document",
    [
        {"error": {"message": "why"}},
        {"error": "why"},
        {"message": "why"},
        {"detail": "why"},
        {"error": {"code": "why"}},
    ],
)
def test_an_errors_words_are_found_in_any_shape(document: JsonObject) -> None:
    assert error_message(document) == "why"


def test_the_usage_of_a_large_reply_is_read_from_its_end() -> None:
    usage = {"prompt_tokens": 7, "prompt_tokens_details": {"cached_tokens": 2}}
    body = orjson.dumps({"data": "x" * 10_000, "usage": usage})

    found = usage_at_end(body, read_object)

    assert found == Usage(input_tokens=5, cached_input_tokens=2)
    assert usage_at_end(b"x" * 10_000, read_object) is None
    assert usage_at_end(b'"usage": {"prompt_tokens": 7', read_object) is None

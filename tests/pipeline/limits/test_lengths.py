"""How many tokens a call may have written, by what its caller asks for."""

import pytest

from gateway.dialects.openai_chat import parse_chat
from gateway.dialects.openai_completions import parse_completion
from gateway.pipeline.limits.lengths import OUTPUT_TOKENS, answers_of, ceilings_of, output_ceiling
from gateway.schema.json import JsonObject

TURNS: JsonObject = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
PROMPT: JsonObject = {"model": "m", "prompt": "hi"}


@pytest.mark.parametrize(
    ("fields", "count", "multiplier"),
    [
        ({}, 1, "n"),
        ({"n": None}, 1, "n"),
        ({"n": 3}, 3, "n"),
        ({"best_of": 5}, 5, "best_of"),
        ({"best_of": 5, "n": 2}, 5, "best_of"),
        ({"best_of": 2, "n": 5}, 5, "n"),
        ({"prompt": ["a", "b", "c"], "n": 2}, 6, "prompt"),
        ({"prompt": [[1], [2]]}, 2, "prompt"),
        ({"prompt": [1, 2, 3]}, 1, "n"),
    ],
)
def test_a_completion_has_its_prompts_times_its_drafts(
    fields: JsonObject, count: int, multiplier: str
) -> None:
    assert answers_of(parse_completion(PROMPT | fields)) == (count, multiplier)


def test_a_field_that_a_format_does_not_know_is_no_ceiling() -> None:
    chat = parse_chat(TURNS | {"max_tokens": 1, "max_completion_tokens": 9, "n": 2, "best_of": 7})
    completion = parse_completion(PROMPT | {"max_completion_tokens": "x"})

    assert ceilings_of(chat) == {"max_tokens": 1, "max_completion_tokens": 9}
    assert answers_of(chat) == (2, "n")
    assert ceilings_of(completion) == {}


def test_what_is_reserved_is_the_largest_ceiling_for_all_answers() -> None:
    both = parse_chat(TURNS | {"max_tokens": 1, "max_completion_tokens": 9, "n": 2})
    drafts = parse_completion(PROMPT | {"max_tokens": 10, "best_of": 3, "prompt": ["a", "b"]})
    unsaid = parse_completion(PROMPT | {"max_completion_tokens": 1, "best_of": 3})

    assert output_ceiling(both) == ("max_completion_tokens", 18)
    assert output_ceiling(drafts) == ("max_tokens", 60)
    assert output_ceiling(unsaid) == (None, 3 * OUTPUT_TOKENS)

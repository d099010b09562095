"""What guards leave of a request is what every target gets, whichever form it takes."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from gateway.config.guarding import Guard, Guards
from gateway.dialects.dynaspark import parse_text
from gateway.dialects.openai_chat import parse_chat
from gateway.dialects.openai_completions import parse_completion
from gateway.dialects.openai_media import parse_embeddings, parse_moderation, parse_speech
from gateway.pipeline.call import Call
from gateway.pipeline.rules import guards
from gateway.pipeline.rules.guarded_text import guard_set
from gateway.schema.ask import Ask
from gateway.schema.json import JsonObject

WORD = "sk-abcd1234"


def dynaspark(document: JsonObject) -> Ask:
    return parse_text(document, default_model="m", random_seed=1)[0]


@pytest.mark.parametrize(
    ("parse", "document"),
    [
        (parse_chat, {"messages": [{"role": "user", "content": f"a {WORD}"}]}),
        (
            parse_chat,
            {"messages": [{"role": "user", "content": [{"type": "text", "text": f"a {WORD}"}]}]},
        ),
        (parse_completion, {"prompt": [f"a {WORD}", "b"], "suffix": WORD}),
        (parse_embeddings, {"input": f"a {WORD}"}),
        (parse_embeddings, {"input": ["b", f"a {WORD}"]}),
        (parse_moderation, {"input": f"a {WORD}"}),
        (parse_speech, {"input": f"a {WORD}", "voice": "alloy", "instructions": WORD}),
        (dynaspark, {"user_input": f"a {WORD}", "system": WORD}),
    ],
)
async def test_no_form_of_a_redacted_request_holds_what_was_found(
    parse: Callable[[JsonObject], Ask], document: JsonObject
) -> None:
    ask = parse({"model": "m", **document})
    guard = Guard(pattern="sk-[a-z0-9]{8}", action="redact", replace="[key]")
    found = guard_set(Guards(input=(guard,)))
    assert found is not None
    call: Any = SimpleNamespace(
        ask=ask, guards={}, removed_fields=(), is_opened=False, added_turns=0
    )

    await guards.check(cast(Call, call), found)

    meant = repr(ask.meaning())
    assert "[key]" in meant
    assert WORD not in meant
    if ask.wire is not None:
        assert WORD not in repr(ask.document)

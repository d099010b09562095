"""Section 6: whatever is sent, it is never our fault."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.dialects import openai_chat, openai_completions
from gateway.testing.upstream import FakeUpstream, converse
from tests.contract.asking import Asker
from tests.contract.conftest import Begin

JSON_TYPE = {"Content-Type": "application/json"}
CHAT_FIELDS = (
    *openai_chat.FIELDS,
    *("stop", "stream_options", "tools", "tool_choice", "response_format", "modalities"),
)
LEAVES = (
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=8)
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)
WORDS = st.sampled_from(
    (
        *("type", "text", "function", "name", "image_url", "url", "role", "content", "user"),
        *("tool", "assistant", "tool_calls", "id", "json_schema", "schema", "arguments", "data:,"),
    )
)
NEARLY = st.recursive(
    LEAVES | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=10,
)
TURNS = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["user", "assistant", "tool", "system", "function"]) | NEARLY},
        optional=dict.fromkeys(("content", "tool_calls", "tool_call_id", "name"), NEARLY),
    ),
    max_size=3,
)
CHATS = st.fixed_dictionaries(
    {"model": st.sampled_from(["openai", "chaotic", "up-x"]), "messages": TURNS},
    optional={name: VALUES | NEARLY for name in CHAT_FIELDS if name != "model"},
)
PROMPTS = st.fixed_dictionaries(
    {"model": st.sampled_from(["openai", "chaotic", "up-x"]), "prompt": VALUES},
    optional={name: VALUES for name in openai_completions.FIELDS if name != "model"},
)
QUERIES = st.dictionaries(
    st.sampled_from(["user_input", "model", "seed", "temperature", "json", "stream", "voice"])
    | st.text(max_size=8),
    VALUES,
    max_size=6,
)
RARELY = settings(
    max_examples=150,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


async def assert_never_ours(caller: Asker, path: str, document: Any) -> None:  # Any: JSON values.
    """Send `document` as it is; whatever it is, it must not be our fault."""
    data = json.dumps(document).encode()

    reply = await caller.ask("POST", path, data=data, headers=JSON_TYPE)

    assert reply.status < 500, (document, reply.body)
    assert reply.headers["X-Request-Id"]


@pytest.fixture
async def unlimited(begin: Begin, upstream: FakeUpstream) -> Asker:
    """Somebody who may ask as often as a search for mistakes needs."""
    upstream.default = converse()
    return await begin(limits={"anonymous": {"requests": "100000/second", "concurrent": 10}})


@RARELY
@given(document=CHATS | VALUES)
async def test_no_chat_document_is_ever_our_fault(
    unlimited: Asker,
    document: Any,  # Any: JSON values.
) -> None:
    await assert_never_ours(unlimited, "/v1/chat/completions", document)


@RARELY
@given(document=PROMPTS | VALUES)
async def test_no_completion_document_is_ever_our_fault(
    unlimited: Asker,
    document: Any,  # Any: JSON values.
) -> None:
    await assert_never_ours(unlimited, "/v1/completions", document)


@RARELY
@given(document=QUERIES)
async def test_no_posted_parameters_are_ever_our_fault(
    unlimited: Asker,
    document: Any,  # Any: JSON values.
) -> None:
    await assert_never_ours(unlimited, "/api/generate_response", document)

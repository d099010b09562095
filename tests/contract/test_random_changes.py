"""Whatever is sent to a model with transforms and guards, or to be explained, is not our fault."""

import json
from typing import Any

import pytest
from hypothesis import given

from gateway.testing.upstream import FakeUpstream, converse
from tests.contract.administering import SECRET, administer
from tests.contract.asking import Asker
from tests.contract.conftest import Begin
from tests.contract.test_random_documents import (
    CHATS,
    NEARLY,
    PROMPTS,
    RARELY,
    VALUES,
    assert_never_ours,
)

RULES = {
    "transforms": {
        "rename": {"name": "max_tokens", "user": "seed", "stop": "stops"},
        "remove": ["logprobs"],
        "default": {"max_completion_tokens": 5, "n": 1},
        "set": {"temperature": 0, "top_k": 4},
        "system_prefix": "Be kind.",
    },
    "guards": {
        "input": [
            {"pattern": "[a-f]", "action": "redact", "replace": "x"},
            {"pattern": "7", "action": "flag"},
        ],
        "output": [{"pattern": "x{2,}", "action": "redact"}, {"pattern": "zz"}],
        "hold_chars": 4,
    },
}


@pytest.fixture
async def changed(begin: Begin, upstream: FakeUpstream) -> Asker:
    """Somebody who asks models with rules."""
    upstream.default = converse()
    up, chaos = {"provider": "up", "model": "*"}, {"provider": "chaos", "model": "echo"}
    models = {
        "openai": {"targets": [{**up, "model": "m"}], **RULES},
        "chaotic": {"targets": [chaos], **RULES},
        "up-*": {"targets": [up], **RULES},
    }
    limits = {"anonymous": {"requests": "100000/second", "concurrent": 10}}
    return await begin(limits=limits, models=models, admin={"secret": SECRET})


@RARELY
@given(document=CHATS)
async def test_no_chat_that_is_changed_is_ever_our_fault(
    changed: Asker, document: Any
) -> None:  # Any: JSON values.
    await assert_never_ours(changed, "/v1/chat/completions", document)


@RARELY
@given(document=PROMPTS)
async def test_no_completion_that_is_changed_is_ever_our_fault(
    changed: Asker, document: Any
) -> None:  # Any: as above.
    await assert_never_ours(changed, "/v1/completions", document)


@RARELY
@given(document=CHATS | PROMPTS | VALUES | NEARLY)
async def test_no_request_that_is_explained_is_ever_our_fault(
    changed: Asker, document: Any
) -> None:  # Any: as above.
    try:
        json.dumps(document, allow_nan=False).encode()
    except ValueError:
        return
    for path in ("/v1/chat/completions", "/v1/completions", "/api/generate_response"):
        wish = {"path": path, "body": document}

        reply = await administer(changed, "POST", "/admin/explain", wish)

        assert reply.status < 500, (wish, reply.body)
        if reply.status == 200 and reply.json()["error"] is not None:
            assert reply.json()["error"]["status"] < 500, reply.text

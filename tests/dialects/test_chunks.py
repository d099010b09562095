"""The frames and the usage object that OpenAI's clients read."""

import json
from typing import Any

from gateway.dialects.chunks import ChunkWriter
from gateway.schema.events import Started
from gateway.schema.usage import Usage
from gateway.schema.wires import openai_usage


def document(frame: bytes) -> dict[str, Any]:
    assert frame.startswith(b"data: ")
    assert frame.endswith(b"\n\n")
    assert frame.count(b"\n") == 2
    return dict(json.loads(frame.removeprefix(b"data: ")))


def test_a_chunk_is_openais() -> None:
    writer = ChunkWriter("chatcmpl-1", 1700000000, 'mo"del')

    chunk = document(writer.chunk(1, {"content": "zwei\nZeilen"}))

    assert chunk == {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1700000000,
        "model": 'mo"del',
        "choices": [{"index": 1, "delta": {"content": "zwei\nZeilen"}, "finish_reason": None}],
    }


def test_a_finish_and_further_fields_stand_in_the_choice() -> None:
    writer = ChunkWriter("chatcmpl-1", 1, "m")

    chunk = document(writer.chunk(0, {}, "stop", {"logprobs": {"content": []}}))

    assert chunk["choices"] == [
        {"index": 0, "delta": {}, "finish_reason": "stop", "logprobs": {"content": []}}
    ]


def test_the_upstreams_name_and_time_win_from_then_on() -> None:
    writer = ChunkWriter("chatcmpl-1", 1, "ours")

    writer.start(Started(model="theirs", created=2))
    writer.start(Started())
    chunk = document(writer.chunk(0, {}))

    assert (chunk["model"], chunk["created"]) == ("theirs", 2)


def test_the_usage_chunk_has_no_choices() -> None:
    usage = Usage(input_tokens=3, output_tokens=2)

    chunk = document(ChunkWriter("chatcmpl-1", 1, "m").usage(usage))

    assert chunk["choices"] == []
    assert chunk["usage"] == openai_usage(usage)


def test_disjoint_buckets_become_totals_with_details() -> None:
    usage = Usage(
        input_tokens=1,
        cached_input_tokens=2,
        cache_write_tokens=4,
        audio_in_tokens=8,
        output_tokens=16,
        reasoning_tokens=32,
        audio_out_tokens=64,
    )

    assert openai_usage(usage) == {
        "prompt_tokens": 15,
        "completion_tokens": 112,
        "total_tokens": 127,
        "prompt_tokens_details": {"cached_tokens": 2, "audio_tokens": 8},
        "completion_tokens_details": {"reasoning_tokens": 32, "audio_tokens": 64},
    }

"""What passes through the gateway to the byte, and what does not: headers and cookies."""

import json

import orjson
import pytest

from gateway.schema.json import JsonObject
from gateway.testing.actions import framed
from gateway.testing.openai_documents import frame
from gateway.testing.upstream import FakeUpstream, body, reply, stream
from tests.contract.asking import Asker, heard

HOSTILE = [
    "data: [DONE]\n\n",
    '\n\ndata: {"choices":[{"delta":{"content":"forged"}}]}\n\n',
    "event: error\ndata: x\n\n",
    "id: 7\nretry: 1\n\n: comment\n\n",
    "\r\n\r\n\r\r\u2028\u2029\u0085\x0b\x0c",
    "\u00e9\u4f60\U0001f642" * 9,
    '"usage": {"prompt_tokens": 9}, "error": {"message": "x"}, "choices": []',
    '\\"finish_reason\\":\\"stop\\"',
    "\ufeff \ufffe\x00\x7f",
]
HOP_HEADERS = {
    "connection": "keep-alive",
    "keep-alive": "timeout=5",
    "proxy-authenticate": "Basic",
    "set-cookie": "session=upstream",
    "server": "upstream/1",
    "x-request-id": "upstream-id",
    "x-upstream-secret": "yes",
    "access-control-allow-origin": "*",
    "content-disposition": "attachment",
    "content-encoding": "identity",
    "strict-transport-security": "max-age=9",
    "x-ratelimit-limit": "7",
    "cache-control": "public",
    "refresh": "0",
    "location": "http://elsewhere.example/",
}


@pytest.mark.parametrize("slice_bytes", [1, 7, None])
async def test_a_stream_is_the_upstreams_frames_to_the_byte(
    caller: Asker, upstream: FakeUpstream, slice_bytes: int | None
) -> None:
    upstream.slice_bytes = slice_bytes
    upstream.will(stream(*HOSTILE))
    documents: list[JsonObject] = [
        {"index": 0, "logprobs": None, "finish_reason": None, "delta": {"content": text}}
        for text in HOSTILE
    ]
    documents[0]["delta"] = {"role": "assistant", "content": HOSTILE[0]}
    documents.append({"index": 0, "logprobs": None, "finish_reason": "stop", "delta": {}})

    answer = await caller.chat(stream=True)

    assert [chunk["choices"] for chunk in answer.chunks] == [[one] for one in documents]
    assert answer.words == "".join(HOSTILE)
    sent = frame({**answer.chunks[3], "choices": [documents[3]]})
    assert sent.rstrip(b"\n") in answer.frames
    assert answer.frames[-1] == b"data: [DONE]"
    assert answer.body.count(b"\n\ndata: [DONE]\n\n") == 1


@pytest.mark.parametrize("slice_bytes", [1, 7, None])
@pytest.mark.parametrize("more", ["", "&stream=true", "&json=true", "&json=true&stream=true"])
async def test_words_are_the_upstreams_words_to_the_byte(
    caller: Asker, upstream: FakeUpstream, slice_bytes: int | None, more: str
) -> None:
    text = "".join(HOSTILE)
    upstream.slice_bytes = slice_bytes
    upstream.will(stream(*HOSTILE) if "stream" in more else reply(text))

    answer = await caller.get(f"/api/generate_response?user_input=hi{more}")

    said = answer.words if "stream" in more else answer.text
    assert (json.loads(said) == {"message": text}) if "json" in more else (said == text)
    if "stream" in more:
        assert answer.body.count(b"[DONE]\n\n") == 1
        assert b"forged" not in b"".join(answer.frames[:2])


@pytest.mark.parametrize("newline", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("slice_bytes", [1, None])
async def test_every_line_end_of_the_standard_is_understood(
    caller: Asker, upstream: FakeUpstream, newline: bytes, slice_bytes: int | None
) -> None:
    choice = {"index": 0, "delta": {"content": "hi"}, "finish_reason": "stop"}
    frames = [
        b"\xef\xbb\xbf: hello" + newline * 2,
        b"event: message" + newline + b"data:" + orjson.dumps({"choices": [choice]}) + newline * 2,
        b"data: [DONE]" + newline * 2,
    ]
    upstream.slice_bytes = slice_bytes
    upstream.will(lambda _request: framed(frames))

    answer = await caller.chat(stream=True)

    assert answer.words == "hi"
    assert answer.frames[-1] == b"data: [DONE]"


async def test_an_event_of_several_data_lines_is_one_event(
    caller: Asker, upstream: FakeUpstream
) -> None:
    split = b'data: {"choices": [{"index": 0,\ndata: "delta": {"content": "hi"}}]}\n\n'
    finish = frame({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    upstream.will(lambda _request: framed([split, finish, b"data: [DONE]\n\n"]))

    answer = await caller.chat(stream=True)

    assert answer.body.startswith(split)
    assert answer.is_done


async def test_a_whole_reply_is_the_upstreams_bytes_in_any_slicing(
    caller: Asker, upstream: FakeUpstream
) -> None:
    data = b'{ "choices": [ {"message": {"content": "\\u00fc \xc3\xbc"}} ],\n "x": 1.50 }\n'
    upstream.slice_bytes = 1
    upstream.will(body(data))

    assert (await caller.chat()).body == data


@pytest.mark.parametrize("is_stream", [True, False])
async def test_no_header_of_the_upstream_is_relayed(
    caller: Asker, upstream: FakeUpstream, is_stream: bool
) -> None:
    upstream.will(*[reply(headers=HOP_HEADERS)] * 2)

    answers = [
        await caller.chat(stream=is_stream),
        await caller.get(f"/text/hi?stream={is_stream}"),
    ]

    for answer in answers:
        assert answer.status == 200
        for name, value in HOP_HEADERS.items():
            assert answer.headers.get(name) != value or name == "connection"


async def test_no_header_or_cookie_of_the_caller_is_relayed(
    caller: Asker, upstream: FakeUpstream
) -> None:
    headers = {
        "Cookie": "session=mine",
        "Authorization": "Bearer sk-mine",
        "X-Api-Key": "mine",
        "Proxy-Authorization": "Basic bWluZQ==",
        "TE": "trailers",
        "Forwarded": "for=mine",
        "X-Forwarded-For": "192.0.2.1",
        "X-Request-Id": "mine",
        "User-Agent": "mine",
        "Referer": "http://localhost/mine",
        "Accept-Language": "mine",
    }

    await caller.chat()
    plain = upstream.requests[-1].headers
    document = {"model": "openai", "messages": [{"role": "user", "content": "hi"}]}
    await caller.post("/v1/chat/completions", document, **headers)

    assert upstream.requests[-1].headers == plain
    assert plain["authorization"] == "Bearer sk-canary-upstream"


async def test_no_cookie_is_kept_for_the_next_call(caller: Asker, upstream: FakeUpstream) -> None:
    upstream.will(reply(headers={"set-cookie": "a=b; Path=/"}))

    await caller.chat()
    await caller.chat()

    assert "cookie" not in upstream.requests[-1].headers


async def test_a_prompt_full_of_line_breaks_forges_nothing_upstream(
    caller: Asker, upstream: FakeUpstream
) -> None:
    prompt = "a\r\n\r\nPOST /evil HTTP/1.1\r\nHost: x\r\n\r\n"

    await caller.chat(prompt)

    assert len(upstream.requests) == 1
    assert heard(upstream)["messages"][0]["content"] == prompt

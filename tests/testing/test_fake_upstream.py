"""The scripted upstream does what its script says, seen by an ordinary HTTP client."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import aiohttp
import orjson
import pytest

from gateway.schema.json import JsonObject
from gateway.schema.sse import DONE, data_of, frames_of
from gateway.testing.upstream import (
    Answer,
    FakeUpstream,
    Tokens,
    body,
    chunks,
    converse,
    empty,
    error_in_stream,
    garbage,
    hang_before_head,
    hang_in_stream,
    rate_limit,
    raw,
    reply,
    reset,
    status,
    stream,
    tool_call,
    truncated,
)


@pytest.fixture
async def upstream() -> AsyncGenerator[FakeUpstream]:
    async with FakeUpstream() as running:
        yield running


@pytest.fixture
async def client() -> AsyncGenerator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


def chat(text: object = "hi", **more: Any) -> JsonObject:
    return {"model": "fake", "messages": [{"role": "user", "content": text}], **more}


async def whole(
    client: aiohttp.ClientSession, upstream: FakeUpstream, document: JsonObject
) -> JsonObject:
    async with client.post(f"{upstream.url}/v1/chat/completions", json=document) as answer:
        found = await answer.json()
        assert isinstance(found, dict)
        return found


async def read_stream(
    client: aiohttp.ClientSession, upstream: FakeUpstream, document: JsonObject
) -> list[JsonObject]:
    async with client.post(f"{upstream.url}/v1/chat/completions", json=document) as answer:
        content = await answer.read()
    assert content.endswith(DONE)
    return [orjson.loads(data_of(frame)) for frame in frames_of(content.removesuffix(DONE))]


def text_of(documents: list[JsonObject]) -> str:
    return "".join(
        choice["delta"].get("content", "") for item in documents for choice in item["choices"]
    )


async def test_the_script_is_played_in_order_and_then_the_default(
    upstream: FakeUpstream, client: aiohttp.ClientSession
) -> None:
    upstream.will(reply("one"), reply("two"))

    texts = [
        (await whole(client, upstream, chat(model=f"m{number}")))["choices"][0]["message"][
            "content"
        ]
        for number in range(3)
    ]

    assert texts == ["one", "two", "hello"]
    assert upstream.attempts == ["m0", "m1", "m2"]


async def test_a_reply_is_whole_or_streamed_as_the_request_asks(
    upstream: FakeUpstream, client: aiohttp.ClientSession
) -> None:
    upstream.will(
        reply("two words", reasoning="hm"),
        reply("two words", reasoning="hm", usage=Tokens(10, 4, cached=6, reasoning=1)),
    )
    options = {"stream": True, "stream_options": {"include_usage": True}}

    at_once = await whole(client, upstream, chat())
    pieces = await read_stream(client, upstream, chat(**options))

    assert at_once["object"] == "chat.completion"
    assert at_once["choices"][0]["message"]["content"] == "two words"
    assert at_once["choices"][0]["message"]["reasoning_content"] == "hm"
    assert pieces[0]["choices"][0]["delta"] == {"role": "assistant", "reasoning_content": "hm"}
    assert text_of(pieces) == "two words"
    assert pieces[-2]["choices"][0]["finish_reason"] == "stop"
    assert pieces[-1]["choices"] == []
    assert pieces[-1]["usage"]["total_tokens"] == 14
    assert pieces[-1]["usage"]["prompt_tokens_details"] == {"cached_tokens": 6}
    assert pieces[-1]["usage"]["completion_tokens_details"] == {"reasoning_tokens": 1}


async def test_usage_is_streamed_only_when_it_is_asked_for(
    upstream: FakeUpstream, client: aiohttp.ClientSession
) -> None:
    upstream.will(reply("hello", usage=Tokens(10, 4)))

    pieces = await read_stream(client, upstream, chat(stream=True))

    assert not any("usage" in piece for piece in pieces)


async def test_plain_completions_have_text_and_as_many_choices_as_asked(
    upstream: FakeUpstream, client: aiohttp.ClientSession
) -> None:
    upstream.will(reply("on we go"))
    asked = {"model": "fake", "prompt": "so", "n": 2}

    async with client.post(f"{upstream.url}/v1/completions", json=asked) as answer:
        found = await answer.json()

    assert found["object"] == "text_completion"
    assert [choice["text"] for choice in found["choices"]] == ["on we go", "on we go"]


async def test_a_tool_call_streams_arguments_that_join_to_what_was_given(
    upstream: FakeUpstream, client: aiohttp.ClientSession
) -> None:
    upstream.will(tool_call("get_weather", {"city": "Oslo"}))

    pieces = await read_stream(client, upstream, chat(stream=True))

    calls = [
        call for piece in pieces for call in piece["choices"][0]["delta"].get("tool_calls", [])
    ]
    assert calls[0]["function"]["name"] == "get_weather"
    joined = "".join(call["function"]["arguments"] for call in calls)
    assert orjson.loads(joined) == {"city": "Oslo"}
    assert pieces[-1]["choices"][0]["finish_reason"] == "tool_calls"


async def test_converse_echoes_calls_the_tool_that_is_required_and_writes_json(
    upstream: FakeUpstream, client: aiohttp.ClientSession
) -> None:
    upstream.default = converse()
    tool = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}

    echoed = await whole(client, upstream, chat("good morning"))
    called = await whole(client, upstream, chat(tools=[tool], tool_choice="required"))
    written = await whole(client, upstream, chat("x", response_format={"type": "json_object"}))

    assert echoed["choices"][0]["message"]["content"] == "good morning"
    assert called["choices"][0]["message"]["tool_calls"][0]["function"]["name"] == "look"
    assert orjson.loads(written["choices"][0]["message"]["content"]) == {"heard": "x"}


async def test_the_pieces_after_the_first_wait_until_the_test_says_so(
    upstream: FakeUpstream, client: aiohttp.ClientSession
) -> None:
    go_on = asyncio.Event()
    upstream.will(stream("first", " second", hold=go_on))

    async with client.post(f"{upstream.url}/v1/chat/completions", json=chat(stream=True)) as answer:
        before = await answer.content.readany()
        go_on.set()
        after = await answer.content.read()

    assert b"first" in before
    assert b"second" not in before
    assert b"second" in after


async def test_gaps_lie_between_the_pieces(
    upstream: FakeUpstream, client: aiohttp.ClientSession
) -> None:
    upstream.will(stream("a", "b", gap_s=0.001, finish="length"))

    pieces = await read_stream(client, upstream, chat(stream=True))

    assert text_of(pieces) == "ab"
    assert pieces[-1]["choices"][0]["finish_reason"] == "length"


async def test_converse_hears_parts_and_plain_prompts(
    upstream: FakeUpstream, client: aiohttp.ClientSession
) -> None:
    upstream.default = converse()
    parts = [
        {"type": "text", "text": "look"},
        {"type": "image_url", "image_url": {"url": "data:,"}},
    ]
    nobody = {"model": "fake", "messages": [{"role": "system", "content": "be brief"}]}

    seen = await whole(client, upstream, chat(parts))
    silent = await whole(client, upstream, nobody)
    prompted = []
    for prompt in ("go", ["go on"]):
        asked = {"model": "fake", "prompt": prompt}
        async with client.post(f"{upstream.url}/v1/completions", json=asked) as answer:
            prompted.append((await answer.json())["choices"][0]["text"])

    assert seen["choices"][0]["message"]["content"] == "look"
    assert silent["choices"][0]["message"]["content"] == "hello"
    assert prompted == ["go", "go on"]


async def test_plain_completions_stream_too(
    upstream: FakeUpstream, client: aiohttp.ClientSession
) -> None:
    upstream.will(stream("on ", "we go"))
    asked = {"model": "fake", "prompt": "so", "stream": True}

    async with client.post(f"{upstream.url}/v1/completions", json=asked) as answer:
        content = await answer.read()

    frames = frames_of(content.removesuffix(DONE))
    choices = [orjson.loads(data_of(frame))["choices"][0] for frame in frames]
    assert "".join(choice["text"] for choice in choices) == "on we go"
    assert choices[-1]["finish_reason"] == "stop"


async def test_a_connection_that_is_not_to_be_kept_is_closed(upstream: FakeUpstream) -> None:
    connector = aiohttp.TCPConnector(force_close=True)
    async with aiohttp.ClientSession(connector=connector) as client:
        await whole(client, upstream, chat())
        await whole(client, upstream, chat())

    assert upstream.accepted == 2
    assert upstream.requests[0].headers["connection"] == "close"


async def test_what_is_no_http_is_reset(upstream: FakeUpstream) -> None:
    port = int(upstream.url.rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)

    writer.write(b"what?\r\n\r\n")
    with pytest.raises(ConnectionResetError):
        await reader.read()
    writer.close()

    assert upstream.requests == []
    assert upstream.closed == 0


async def test_statuses_come_with_an_error_body_and_headers(
    upstream: FakeUpstream, client: aiohttp.ClientSession
) -> None:
    upstream.will(rate_limit(retry_after_s=9), status(503, "busy"))

    async with client.post(f"{upstream.url}/v1/chat/completions", json=chat()) as limited:
        assert limited.status == 429
        assert limited.headers["retry-after"] == "9"
        assert (await limited.json())["error"]["code"] == "rate_limit_exceeded"
    async with client.post(f"{upstream.url}/v1/chat/completions", json=chat()) as busy:
        assert busy.status == 503
        assert (await busy.json())["error"]["message"] == "busy"


async def test_models_are_listed_and_do_not_use_up_the_script(
    client: aiohttp.ClientSession,
) -> None:
    async with FakeUpstream(models=["a", "b"]) as upstream:
        upstream.will(reply("kept"))

        async with client.get(f"{upstream.url}/v1/models") as answer:
            listed = await answer.json()
        said = await whole(client, upstream, chat())

    assert [row["id"] for row in listed["data"]] == ["a", "b"]
    assert said["choices"][0]["message"]["content"] == "kept"


async def test_the_listing_can_fail_too(
    upstream: FakeUpstream, client: aiohttp.ClientSession
) -> None:
    upstream.listing = status(401)

    async with client.get(f"{upstream.url}/v1/models") as answer:
        assert answer.status == 401


async def test_an_unknown_path_is_a_404_and_a_wrong_method_a_405(
    upstream: FakeUpstream, client: aiohttp.ClientSession
) -> None:
    async with client.get(f"{upstream.url}/v1/nothing") as missing:
        assert missing.status == 404
    async with client.get(f"{upstream.url}/v1/chat/completions") as wrong:
        assert wrong.status == 405
        assert wrong.headers["allow"] == "POST"


async def test_requests_are_recorded_as_they_came(
    upstream: FakeUpstream, client: aiohttp.ClientSession
) -> None:
    headers = {"Authorization": "Bearer secret"}
    url = f"{upstream.url}/v1/chat/completions"

    async with client.post(url, json=chat("hello"), headers=headers):
        pass

    request = upstream.requests[0]
    assert (request.method, request.path) == ("POST", "/v1/chat/completions")
    assert request.headers["authorization"] == "Bearer secret"
    assert request.document == chat("hello")


async def test_a_chunked_request_is_put_together(
    upstream: FakeUpstream, client: aiohttp.ClientSession
) -> None:
    async def pieces() -> AsyncGenerator[bytes]:
        data = orjson.dumps(chat("in pieces"))
        yield data[:10]
        yield data[10:]

    async with client.post(f"{upstream.url}/v1/chat/completions", data=pieces()) as answer:
        assert answer.status == 200

    assert upstream.requests[0].document == chat("in pieces")


async def test_one_byte_slices_change_nothing_but_the_slicing(
    client: aiohttp.ClientSession,
) -> None:
    async with FakeUpstream(default=reply("žluť 🌈"), slice_bytes=1) as upstream:
        pieces = await read_stream(client, upstream, chat(stream=True))

    assert text_of(pieces) == "žluť 🌈"


async def test_a_connection_serves_one_request_after_another(
    upstream: FakeUpstream, client: aiohttp.ClientSession
) -> None:
    for _ in range(3):
        await whole(client, upstream, chat())

    assert upstream.accepted == 1
    assert upstream.open == 1


async def test_a_peer_that_leaves_a_hanging_answer_is_noticed(
    upstream: FakeUpstream, client: aiohttp.ClientSession
) -> None:
    upstream.will(hang_before_head(), hang_in_stream(after=1))
    url = f"{upstream.url}/v1/chat/completions"

    task = asyncio.create_task(whole(client, upstream, chat("first")))
    await upstream.wait_requests(1)
    task.cancel()
    await upstream.wait_abandoned(1)
    async with client.post(url, json=chat("second", stream=True)) as answer:
        assert b"piece0" in await answer.content.readany()
        answer.close()
    await upstream.wait_closed(2)

    last = [request.document["messages"][0]["content"] for request in upstream.abandoned]
    assert last == ["first", "second"]
    assert upstream.open == 0


async def test_a_finished_answer_is_not_abandoned_when_its_connection_closes(
    upstream: FakeUpstream,
) -> None:
    async with aiohttp.ClientSession() as client:
        await whole(client, upstream, chat())

    await upstream.wait_closed(1)

    assert upstream.abandoned == []


@pytest.mark.parametrize("is_stream", [True, False])
@pytest.mark.parametrize(
    "answer",
    [
        reset(),
        reset(after=1),
        truncated(),
        raw(b"HTTP/1.1 200 OK\r\n"),
        raw(b"\x00\x01 what?\r\n\r\n"),
    ],
    ids=["reset", "reset later", "truncated", "half a head", "no HTTP"],
)
async def test_a_broken_connection_is_an_error_of_the_client_and_no_closing_of_its_own(
    upstream: FakeUpstream, client: aiohttp.ClientSession, answer: Answer, is_stream: bool
) -> None:
    upstream.will(answer)

    with pytest.raises(aiohttp.ClientError):
        await read_stream(client, upstream, chat(stream=is_stream))

    assert upstream.closed == 0
    assert upstream.abandoned == []


async def test_a_held_reset_comes_after_what_was_read(
    upstream: FakeUpstream, client: aiohttp.ClientSession
) -> None:
    is_read = asyncio.Event()
    upstream.will(reset(after=2, hold=is_read))

    async with client.post(f"{upstream.url}/v1/chat/completions", json=chat(stream=True)) as answer:
        seen = b""
        while b"piece1" not in seen:
            seen += await answer.content.readany()
        is_read.set()
        with pytest.raises(aiohttp.ClientError):
            await answer.content.read()


async def test_an_error_can_come_with_a_200(
    upstream: FakeUpstream, client: aiohttp.ClientSession
) -> None:
    upstream.will(error_in_stream("a", message="broke"), error_in_stream(message="broke"))

    async with client.post(f"{upstream.url}/v1/chat/completions", json=chat(stream=True)) as answer:
        streamed = await answer.read()
    at_once = await whole(client, upstream, chat())

    assert answer.status == 200
    assert b'"content":"a"' in streamed
    assert b'"message":"broke"' in streamed
    assert not streamed.endswith(DONE)
    assert at_once["error"]["message"] == "broke"


async def test_an_empty_answer_only_finishes(
    upstream: FakeUpstream, client: aiohttp.ClientSession
) -> None:
    upstream.will(empty(), empty(finish="content_filter"))

    pieces = await read_stream(client, upstream, chat(stream=True))
    at_once = await whole(client, upstream, chat())

    assert text_of(pieces) == ""
    assert [piece["choices"][0]["finish_reason"] for piece in pieces] == ["stop"]
    assert at_once["choices"][0]["message"]["content"] == ""
    assert at_once["choices"][0]["finish_reason"] == "content_filter"


async def test_garbage_bodies_and_chunks_are_sent_as_given(
    upstream: FakeUpstream, client: aiohttp.ClientSession
) -> None:
    url = f"{upstream.url}/v1/chat/completions"
    upstream.will(
        garbage(b"{nope"),
        garbage(b"{nope"),
        body(b"<p>", content_type="text/html"),
        chunks({"a": 1}),
    )

    answers = []
    for document in (chat(), chat(stream=True), chat(), chat(stream=True)):
        async with client.post(url, json=document) as answer:
            answers.append((answer.content_type, await answer.read()))

    assert answers == [
        ("application/json", b"{nope"),
        ("text/event-stream", b"data: {nope\n\ndata: [DONE]\n\n"),
        ("text/html", b"<p>"),
        ("text/event-stream", b'data: {"a":1}\n\ndata: [DONE]\n\n'),
    ]


async def test_a_stopped_upstream_refuses_and_comes_back_on_the_same_port(
    upstream: FakeUpstream, client: aiohttp.ClientSession
) -> None:
    await whole(client, upstream, chat())

    await upstream.stop()
    with pytest.raises(aiohttp.ClientError):
        await whole(client, upstream, chat())
    await upstream.start()
    answer = await whole(client, upstream, chat())

    assert answer["choices"][0]["message"]["content"] == "hello"


async def test_waiting_for_what_does_not_come_says_what_was_seen(
    upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.testing.upstream.PATIENCE_S", 0.01)

    with pytest.raises(AssertionError, match="for 1 requests: saw 0 requests"):
        await upstream.wait_requests(1)

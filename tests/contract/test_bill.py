"""What a call used and cost, as the log tells it: counted here where the upstream does not."""

import json
from typing import Any

import pytest

from gateway.schema.json import JsonObject
from gateway.testing.actions import Answer, Hang, Send, piece
from gateway.testing.http_wire import head
from gateway.testing.openai_documents import frame
from gateway.testing.upstream import FakeUpstream, body, chunks, hang_before_head, reply
from tests.contract.asking import Asker, knock
from tests.contract.conftest import Begin
from tests.running import Running
from tests.web.raw_http import becomes

PRICE = {"input": 1, "output": 10}
MODELS = {
    "priced": {"targets": [{"provider": "up", "model": "x", "card": {"price": PRICE}}]},
}
WORDS = "one two three four five six seven eight"
HEAD = head(200, {"content-type": "text/event-stream", "transfer-encoding": "chunked"})


def line_of(gateway: Running) -> dict[str, Any]:
    """Return the log's line of the only call."""
    (line,) = [json.loads(line) for line in gateway.lines().splitlines()]
    return dict(line)


def word(text: str, **more: object) -> JsonObject:
    """Return a chunk that says `text`."""
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": None}
    return {"id": "c", "object": "chat.completion.chunk", "choices": [choice], **more}


def uncounted(*pieces: str) -> Answer:
    """Stream `pieces` and never say how many tokens they are."""
    finish = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "id": "c"}
    first = word("")
    first["choices"][0]["delta"]["role"] = "assistant"
    return chunks(first, *map(word, pieces), finish)


async def ask(caller: Asker, path: str, text: str, **fields: object) -> Any:
    """Ask by a path that is forwarded as bytes, or by one that takes events."""
    if path == "forward":
        return await caller.chat(text, model="priced", **fields)
    document = {"user_input": text, "model": "priced", **fields}
    return await caller.post("/api/generate_response", document)


@pytest.mark.parametrize("path", ["forward", "events"])
@pytest.mark.parametrize("is_stream", [True, False])
async def test_what_an_upstream_does_not_count_is_counted_here(
    begin: Begin, upstream: FakeUpstream, path: str, is_stream: bool
) -> None:
    caller = await begin(models=MODELS)
    message = {"role": "assistant", "content": WORDS}
    whole = {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}], "id": "c"}
    upstream.will(
        uncounted(*(f"{part} " for part in WORDS.split()))
        if is_stream
        else body(json.dumps(whole).encode())
    )

    answer = await ask(caller, path, "q" * 41, stream=is_stream)

    assert answer.status == 200
    line = line_of(caller.gateway)
    assert line["is_estimated"] is True
    assert (line["input_tokens"], line["output_tokens"]) == (11, 10)
    assert line["cost_usd_micros"] == 11 * 1 + 10 * 10


async def test_a_stream_in_one_block_is_measured_like_one_in_many(
    begin: Begin, upstream: FakeUpstream
) -> None:
    caller = await begin(models=MODELS)
    text = [f"{part} " for part in WORDS.split()] * 5
    upstream.slice_bytes = 64
    upstream.will(uncounted(*text), uncounted(*text))
    await ask(caller, "forward", "hi", stream=True)
    upstream.slice_bytes = None

    await ask(caller, "forward", "hi", stream=True)

    small, large = [json.loads(line) for line in caller.gateway.lines().splitlines()]
    assert abs(small["output_tokens"] - 50) <= 1
    assert abs(large["output_tokens"] - 50) <= 1


@pytest.mark.parametrize("path", ["forward", "events"])
async def test_what_the_upstream_counts_is_no_estimate(
    begin: Begin, upstream: FakeUpstream, path: str
) -> None:
    caller = await begin(models=MODELS)

    await ask(caller, path, "hi", stream=True)

    line = line_of(caller.gateway)
    assert "is_estimated" not in line
    assert line["cost_usd_micros"] == 3 * 1 + 1 * 10


FIGURES = [
    ({"cost": 0.0000125}, 13),
    (
        {"cost": 0.95, "is_byok": True, "cost_details": {"upstream_inference_cost": 19}},
        19950000,
    ),
    ({"cost": {"total_cost": 0.006}}, 6000),
    ({"cost_in_usd_ticks": 37756000}, 3776),
    ({"cost": "free", "cost_in_usd_ticks": -1}, 3 + 50),
    ({"cost": 1e300}, 3 + 50),
]


@pytest.mark.parametrize("path", ["forward", "events"])
@pytest.mark.parametrize("is_stream", [True, False])
@pytest.mark.parametrize("figure", FIGURES)
async def test_an_upstreams_own_figure_wins(
    begin: Begin, upstream: FakeUpstream, path: str, is_stream: bool, figure: tuple[JsonObject, int]
) -> None:
    said, micros = figure
    caller = await begin(models=MODELS)
    usage = {"prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8, **said}
    choice = {"index": 0, "message": {"role": "assistant", "content": "hi"}}
    whole = {"choices": [{**choice, "finish_reason": "stop"}], "usage": usage}
    finish = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    streamed = chunks(word("hi"), finish, {"choices": [], "usage": usage})
    upstream.will(streamed if is_stream else body(json.dumps(whole).encode()))

    await ask(caller, path, "hi", stream=is_stream)

    assert line_of(caller.gateway)["cost_usd_micros"] == micros


# The policy, the ceiling of the answer, the tokens out and their cost.
POLICIES = [
    ("forward", "streamed", None, 10, 101),
    ("forward", "estimate", None, 4096, 40961),
    ("forward", "estimate", 50, 50, 501),
    ("forward", "estimate", 5, 10, 101),
    ("forward", "free", None, 10, None),
    ("events", "streamed", None, 10, 101),
    ("events", "estimate", None, 4096, 40961),
    ("events", "free", None, 10, None),
]


@pytest.mark.parametrize("case", POLICIES)
async def test_a_call_whose_caller_leaves_is_billed_as_the_policy_says(
    begin: Begin, upstream: FakeUpstream, case: tuple[str, str, int | None, int, int | None]
) -> None:
    path, policy, ceiling, tokens, micros = case
    caller = await begin(models=MODELS, ledger={"aborted": policy})
    pieces = [piece(frame(word(f"{part} "))) for part in WORDS.split()]
    upstream.will(lambda _request: [Send(HEAD), *pieces, Hang()])
    turn = {"messages": [{"role": "user", "content": "hi"}]}
    is_forward = path == "forward"
    document = {"model": "priced", "stream": True}
    document |= {} if ceiling is None else {"max_tokens": ceiling}
    document |= turn if is_forward else {"user_input": "hi"}
    data = json.dumps(document).encode()
    where = b"/v1/chat/completions" if is_forward else b"/api/generate_response"
    async with knock(caller.gateway) as wire:
        await wire.send(
            b"POST %b HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n%b" % (where, len(data), data)
        )
        await wire.until(b"eight")

        wire.abort()
        await upstream.wait_closed()

    await becomes(lambda: caller.gateway.lines() != "")
    line = line_of(caller.gateway)
    assert line["is_aborted"] is True
    assert (line["input_tokens"], line["output_tokens"]) == (1, tokens)
    assert line.get("cost_usd_micros") == micros


@pytest.mark.parametrize(("policy", "tokens"), [("streamed", None), ("estimate", 4096)])
async def test_a_call_that_was_left_before_it_was_answered_used_nothing_unless_presumed(
    begin: Begin, upstream: FakeUpstream, policy: str, tokens: int | None
) -> None:
    caller = await begin(models=MODELS, ledger={"aborted": policy})
    upstream.will(hang_before_head())
    data = b'{"model": "priced", "messages": [{"role": "user", "content": "hi"}]}'
    async with knock(caller.gateway) as wire:
        await wire.send(
            b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"
            b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(data), data)
        )
        await upstream.wait_requests()

        wire.abort()
        await upstream.wait_closed()

    await becomes(lambda: caller.gateway.lines() != "")
    assert line_of(caller.gateway).get("output_tokens") == tokens


async def test_cached_tokens_are_paid_once_and_reasoning_that_stands_apart_is_added(
    begin: Begin, upstream: FakeUpstream
) -> None:
    price = {"input": 10, "cached_input": 1, "cache_write": 12, "output": 100, "reasoning": 1000}
    target = {"provider": "up", "model": "x", "card": {"price": price}}
    caller = await begin(models={"priced": {"targets": [target]}})
    usage = {
        "prompt_tokens": 10,
        "completion_tokens": 2,
        "total_tokens": 15,
        "prompt_tokens_details": {"cached_tokens": 6, "cache_write_tokens": 1},
        "completion_tokens_details": {"reasoning_tokens": 3},
    }
    choice = {"index": 0, "message": {"role": "assistant", "content": "hi"}}
    upstream.will(body(json.dumps({"choices": [choice], "usage": usage}).encode()))

    await caller.chat(model="priced")

    assert line_of(caller.gateway)["cost_usd_micros"] == 3 * 10 + 6 * 1 + 1 * 12 + 2 * 100 + 3000


async def test_a_picture_is_paid_by_the_piece(begin: Begin, upstream: FakeUpstream) -> None:
    card = {"price": {"image": 0.04, "request": 0.001}}
    target = {"provider": "up", "model": "gpt-image-1", "card": card}
    caller = await begin(models={"priced": {"targets": [target]}})
    pixel = (
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5E"
        "rkJggg=="
    )
    upstream.will(body(json.dumps({"data": [{"b64_json": pixel}] * 2}).encode()))

    made = await caller.post("/v1/images/generations", {"model": "priced", "prompt": "a", "n": 2})

    assert made.status == 200, made.text
    assert line_of(caller.gateway)["cost_usd_micros"] == 2 * 40_000 + 1000


async def test_a_call_that_fails_costs_nothing(begin: Begin, upstream: FakeUpstream) -> None:
    caller = await begin(models=MODELS)
    upstream.will(reply(""))

    assert (await caller.chat(model="priced")).status == 502

    line = line_of(caller.gateway)
    assert "is_estimated" not in line
    assert line.get("cost_usd_micros", 0) in {0, 3}


async def test_sound_is_paid_by_the_second(begin: Begin, upstream: FakeUpstream) -> None:
    card = {"price": {"audio_second": 0.01}}
    target = {"provider": "up", "model": "tts", "card": card}
    caller = await begin(models={"priced": {"targets": [target]}})
    upstream.will(body(bytes(96_000), content_type="audio/pcm"))
    document = {"model": "priced", "input": "hi", "voice": "alloy", "response_format": "pcm"}

    spoken = await caller.post("/v1/audio/speech", document)

    assert (spoken.status, len(spoken.body)) == (200, 96_000)
    assert line_of(caller.gateway)["cost_usd_micros"] == 20_000

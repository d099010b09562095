"""Section 7: the live feeds, read over bare sockets."""

import asyncio
import json
import resource
import sys
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from urllib.parse import quote, urlsplit

import aiohttp
import pytest

from gateway.testing.upstream import FakeUpstream, hang_in_stream, reply, status, stream
from tests.contract.asking import Asker, assert_refused, knock
from tests.contract.conftest import Begin, configuration
from tests.contract.feeding import IMAGE, TEXT, read
from tests.running import run_gateway
from tests.web.raw_http import becomes

PATHS = {
    "text": ["/api/text/feed", "/text/feed", "/feed/text", "/api/feed/text"],
    "image": ["/api/image/feed", "/image/feed", "/feed/image", "/api/feed/image"],
}
ALL_PATHS = [path for paths in PATHS.values() for path in paths]
CANARIES = ("canary-system", "canary-referrer", "canary-key", "canary-source", "canary-client")


async def painter(begin: Begin, **sections: object) -> Asker:
    """Start a gateway that draws."""
    flux = {"targets": [{"provider": "here", "model": "painter"}]}
    return await begin(models={"flux": flux}, more={"here": {"kind": "local"}}, **sections)


async def metric(caller: Asker, name: str) -> float:
    """Return what `/metrics` says."""
    answer = await caller.ask("GET", "/metrics", is_admin=True)
    (line,) = [line for line in answer.text.splitlines() if line.startswith(f"{name} ")]
    return float(line.rpartition(" ")[2])


async def test_a_text_appears_as_the_contract_says(caller: Asker) -> None:
    async with read(caller) as reader:
        await caller.get(
            "/api/generate_response?user_input=hi%20there&temperature=0.5&seed=7&top_p=1"
            "&presence_penalty=1&frequency_penalty=-1"
        )
        event = await reader.event()

    assert event.json() == {
        "response": "hello",
        "model": "openai",
        "messages": [{"role": "user", "content": "hi there"}],
        "parameters": {
            "temperature": 0.5,
            "top_p": 1.0,
            "presence_penalty": 1.0,
            "frequency_penalty": -1.0,
            "seed": 7,
        },
    }


@pytest.mark.parametrize("path", PATHS["text"])
async def test_every_alias_is_the_same_feed(caller: Asker, path: str) -> None:
    async with read(caller, path) as reader:
        await caller.post("/api/generate_response", {"user_input": "hi"})

        assert (await reader.event()).json()["response"] == "hello"


async def test_a_stream_appears_when_it_has_ended_well(
    caller: Asker, upstream: FakeUpstream
) -> None:
    upstream.will(stream("one ", "two"), stream("one ", "two"))
    async with read(caller) as reader:
        await caller.get("/text/hi?stream=true")
        plain = (await reader.event()).json()
        await caller.get("/text/hi?stream=true&json=true")
        wrapped = (await reader.event()).json()

    assert (plain["response"], plain["parameters"]) == ("one two", {"stream": True})
    assert json.loads(wrapped["response"]) == {"message": "one two"}
    assert wrapped["parameters"] == {"json": True, "stream": True}


async def test_events_come_in_order_and_ids_sort(caller: Asker) -> None:
    async with read(caller) as reader:
        for number in range(5):
            await caller.get(f"/text/prompt%20{number}")
        events = [await reader.event() for _ in range(5)]

    said = [event.json()["messages"][0]["content"] for event in events]
    ids = [event.id for event in events]
    assert said == [f"prompt {number}" for number in range(5)]
    assert ids == sorted(set(ids))


async def test_a_reader_who_comes_back_misses_nothing(caller: Asker) -> None:
    async with read(caller) as reader:
        await caller.get("/text/a")
        seen = await reader.event()
    for prompt in "bcd":
        await caller.get(f"/text/{prompt}")
    async with read(caller, Last_Event_ID=seen.id) as reader:
        await caller.get("/text/e")
        prompts = [(await reader.event()).json()["messages"][0]["content"] for _ in range(4)]

    assert prompts == ["b", "c", "d", "e"]


async def test_an_unknown_last_event_id_begins_now(caller: Asker) -> None:
    await caller.get("/text/a")
    async with read(caller, Last_Event_ID="0-1-2") as reader:
        await caller.get("/text/b")

        assert (await reader.event()).json()["messages"][0]["content"] == "b"


async def test_past_results_replays_the_last(caller: Asker) -> None:
    for prompt in "abc":
        await caller.get(f"/text/{prompt}")
    async with read(caller, f"{TEXT}?past_results=2") as reader:
        prompts = [(await reader.event()).json()["messages"][0]["content"] for _ in range(2)]

    assert prompts == ["b", "c"]


@pytest.mark.parametrize("wrong", ["-1", "101", "many", "", "1.5"])
async def test_past_results_out_of_range_is_an_error(caller: Asker, wrong: str) -> None:
    answer = await caller.get(f"{TEXT}?past_results={wrong}")

    error = assert_refused(answer, 400, "invalid_parameter", "past_results")
    assert "100" in error["message"]


@pytest.mark.parametrize("path", ALL_PATHS)
async def test_head_answers_the_headers(caller: Asker, path: str) -> None:
    answer = await caller.ask("HEAD", path)

    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/event-stream"
    assert answer.headers["Cache-Control"] == "no-store"
    assert await metric(caller, "dynagate_feed_readers") == 0


async def test_the_head_of_a_feed_says_that_nobody_may_hold_it_back(caller: Asker) -> None:
    async with knock(caller.gateway) as wire:
        origin = b"Origin: http://localhost:3000\r\nAccept-Encoding: gzip, br\r\n"
        await wire.send(b"GET /text/feed HTTP/1.1\r\nHost: localhost\r\n%b\r\n" % origin)
        head = (await wire.until(b"\r\n\r\n")).decode().lower()

    assert "content-type: text/event-stream\r\n" in head
    assert "cache-control: no-store\r\n" in head
    assert "x-accel-buffering: no\r\n" in head
    assert "access-control-allow-origin: http://localhost:3000\r\n" in head
    assert "x-request-id: req_" in head
    assert "content-encoding" not in head
    assert head.count("\r\ncache-control") == 1


async def test_a_page_of_another_site_may_not_read(caller: Asker) -> None:
    answer = await caller.get(TEXT, Origin="https://evil.example")

    assert_refused(answer, 403, "origin_not_allowed")


async def test_silence_is_pinged(caller: Asker) -> None:
    feeds = caller.gateway.gateway.serving.feeds
    assert feeds is not None
    feeds.ping_s = 0.02
    async with read(caller) as first, read(caller) as second:
        for reader in (first, second):
            assert [await reader.frame() for _ in range(3)] == [b": ping\n\n"] * 3


async def test_reading_is_not_counted(caller: Asker) -> None:
    async with read(caller):
        answer = await caller.get("/text/hi")

    assert answer.headers["X-RateLimit-Remaining"] == "99"


async def test_what_is_private_failed_or_from_elsewhere_never_appears(
    caller: Asker, upstream: FakeUpstream
) -> None:
    async with read(caller) as reader:
        await caller.get("/text/secret?private=true")
        await caller.get("/text/secret?private=true&stream=true")
        await caller.chat("secret")
        await caller.chat("secret", stream=True)
        await caller.post("/v1/completions", {"model": "openai", "prompt": "secret"})
        upstream.will(status(500), status(500))
        assert (await caller.get("/text/secret")).status == 502
        assert (await caller.get("/text/secret?stream=true")).status == 502
        assert (await caller.get("/text/secret?temperature=9")).status == 400
        assert (await caller.get("/text/secret?model=nobody")).status == 404
        await caller.ask("HEAD", "/text/secret")
        await caller.get("/text/public")
        event = await reader.event()

    assert event.json()["messages"][0]["content"] == "public"


async def test_a_stream_that_broke_off_never_appears(caller: Asker, upstream: FakeUpstream) -> None:
    upstream.will(hang_in_stream(2))
    async with read(caller) as reader:
        async with knock(caller.gateway) as wire:
            await wire.send(b"GET /text/broken?stream=1 HTTP/1.1\r\nHost: localhost\r\n\r\n")
            await wire.until(b"piece1 ")
        await becomes(lambda: caller.gateway.gateway.serving.services.metrics.in_flight == 0)
        await caller.get("/text/whole")

        assert (await reader.event()).json()["messages"][0]["content"] == "whole"


async def test_nothing_of_the_caller_appears(caller: Asker) -> None:
    async with read(caller) as reader:
        await caller.get(
            "/text/hi?system=canary-system&referrer=canary-referrer&api_key=canary-key"
            "&unknown=canary-source",
            Authorization="Bearer canary-key",
            Referer="http://canary-referrer",
            X_Request_Id="canary-client",
        )
        event = await reader.event()

    assert set(event.json()) == {"response", "model", "messages", "parameters"}
    assert not [canary for canary in CANARIES if canary.encode() in event.data]
    assert b"127.0.0.1" not in event.data


@pytest.mark.parametrize(
    "prompt",
    [
        "a\ndata: {}\n\nid: 1",
        "a\r\n\r\ndata: forged",
        "a\rdata: forged\r\r",
        "a\u2028data: forged\u2029\x85\x0b\x0c\x1c\x1d\x1edata: x",
        '"}\n\nevent: x\ndata: {"',
    ],
)
async def test_a_prompt_cannot_forge_an_event(
    caller: Asker, upstream: FakeUpstream, prompt: str
) -> None:
    upstream.default = reply(prompt)
    async with read(caller) as reader:
        await caller.get(f"/text/{quote(prompt)}")
        forged = await reader.event()
        await caller.get("/text/next")
        after = await reader.event()

    assert len(forged.data.decode().splitlines()) == 1
    assert forged.json()["messages"][0]["content"] == prompt
    assert forged.json()["response"] == prompt
    assert after.json()["messages"][0]["content"] == "next"


@pytest.mark.parametrize("streaming", ["false", "true"])
async def test_long_turns_and_answers_are_cut(
    caller: Asker, upstream: FakeUpstream, streaming: str
) -> None:
    upstream.default = reply("é" * 40_000)
    async with read(caller) as reader:
        fields = {"user_input": "p" * 3000, "stream": streaming}
        answer = await caller.post("/api/generate_response", fields)
        event = (await reader.event()).json()

    assert answer.status == 200
    assert event["response"] == "é" * 8192
    assert event["messages"][0]["content"] == "p" * 2000


@pytest.mark.parametrize(
    "asked", ["/image/A%20lake?", "/api/generate_image?user_input=A%20lake&"], ids=["bytes", "url"]
)
async def test_a_picture_appears_and_its_url_only_reads(begin: Begin, asked: str) -> None:
    caller = await painter(begin)
    async with read(caller, IMAGE) as reader:
        drawn = await caller.get(f"{asked}width=96&height=64&seed=5&nologo=true&referrer=canary")
        event = (await reader.event()).json()
    url = event.pop("imageURL")
    parts = urlsplit(url)
    opened = await caller.get(f"{parts.path}?{parts.query}")

    assert drawn.status == 200
    assert event == {
        "prompt": "A lake",
        "width": 96,
        "height": 64,
        "seed": 5,
        "model": "flux",
        "nologo": True,
        "status": "end_generating",
    }
    assert url.startswith(f"{caller.gateway.url}/image/-?id=")
    assert (opened.status, opened.headers["Content-Type"]) == (200, "image/jpeg")
    assert "X-RateLimit-Remaining" not in opened.headers
    if drawn.headers["Content-Type"] == "image/jpeg":
        assert opened.body == drawn.body


async def test_private_pictures_and_those_made_of_others_never_appear(begin: Begin) -> None:
    flux = {"targets": [{"provider": "here", "model": "painter"}]}
    caller = await begin(models={"flux": flux}, more={"here": {"kind": "local"}})
    picture = await caller.get("/image/seed?width=64&height=64&private=true")
    async with read(caller, IMAGE) as reader, read(caller) as texts:
        await caller.get("/image/secret?width=64&height=64&private=true")
        fields = {"user_input": "make it sepia", "width": 64, "image": _data_url(picture.body)}
        changed = await caller.post("/api/generate_image", fields)
        assert changed.status == 200
        await caller.get("/image/public?width=64&height=64&wm=canary-mark")
        event = await reader.event()
        await caller.get("/text/hi")

        assert (await texts.event()).json()["response"] == "hello"
    assert event.json()["prompt"] == "public"
    assert b"canary" not in event.data


def _data_url(picture: bytes) -> str:
    return f"data:image/jpeg;base64,{b64encode(picture).decode()}"


async def test_a_slow_reader_is_dropped_and_nobody_else_notices(
    begin: Begin, upstream: FakeUpstream, capfd: pytest.CaptureFixture[str]
) -> None:
    limits = {"anonymous": {"requests": "9999/hour", "concurrent": 99}}
    caller = await begin(feeds={"queue": 8, "readers_per_address": 21}, limits=limits)
    upstream.default = reply("x" * 16_384)
    async with AsyncExitStack() as stack:
        quick = [await stack.enter_async_context(read(caller)) for _ in range(20)]
        slow = await stack.enter_async_context(read(caller, held_bytes=1024))
        dropped = 0.0
        while not dropped:
            assert (await caller.get("/text/hi")).status == 200
            for reader in quick:
                assert len((await reader.event()).data) > 16_384
            dropped = await metric(caller, "dynagate_dropped_feed_readers_total")
        rest = await slow.wire.rest()

        assert dropped == 1
        assert await metric(caller, "dynagate_feed_readers") == 20
    reason = "a reader of the text feed was dropped: 8 events were waiting"
    assert capfd.readouterr().err.count(reason) == 1
    assert b": ended, 8 events were waiting\n\n" in rest


async def test_a_reader_who_leaves_frees_its_place(caller: Asker) -> None:
    metrics = caller.gateway.gateway.serving.services.metrics
    async with read(caller), read(caller, IMAGE):
        assert metrics.feed_readers == 2
    await becomes(lambda: metrics.feed_readers == 0)

    assert metrics.dropped_feed_readers == 0


async def test_more_readers_than_allowed_are_refused(begin: Begin) -> None:
    caller = await begin(feeds={"readers": 1})
    async with read(caller):
        answer = await caller.get(IMAGE)

    assert_refused(answer, 503, "unavailable")
    assert int(answer.headers["Retry-After"]) > 0


async def test_feeds_that_are_off_say_so(begin: Begin) -> None:
    caller = await begin(feeds={"enabled": False})
    answers = [await caller.get(path) for path in ALL_PATHS]

    for answer in answers:
        assert "feeds.enabled" in assert_refused(answer, 404, "not_found")["message"]
    assert (await caller.get("/text/hi")).text == "hello"


@pytest.mark.parametrize(("enabled", "status"), [(None, 404), (False, 404), (True, 200)])
async def test_where_others_can_connect_feeds_must_be_written_out(
    begin: Begin, enabled: bool | None, status: int
) -> None:
    caller = await begin(
        server={"host": "0.0.0.0"},  # noqa: S104
        auth={"open_to": "world"},
        feeds={"enabled": enabled},
    )

    assert (await caller.ask("HEAD", TEXT)).status == status


async def test_where_others_can_connect_no_caller_names_the_host_of_a_picture(
    begin: Begin,
) -> None:
    caller = await painter(
        begin,
        server={"host": "0.0.0.0"},  # noqa: S104
        auth={"open_to": "world"},
        feeds={"enabled": True},
    )
    async with read(caller, IMAGE) as reader:
        await caller.get("/image/A%20lake?width=64&height=64", Host="evil.example")
        event = (await reader.event()).json()

    assert event["imageURL"].startswith(f"{caller.gateway.url}/image/-?id=")


@pytest.fixture
async def patient(
    session: aiohttp.ClientSession, upstream: FakeUpstream, tmp_path: Path
) -> AsyncIterator[Asker]:
    """Somebody who calls a gateway that gives calls 30 s to end."""
    async with run_gateway(configuration(upstream), tmp_path, drain_s=30) as running:
        yield Asker(session, running)


async def test_a_reader_that_has_stopped_reading_does_not_hold_a_stop_up(patient: Asker) -> None:
    feeds, runner = patient.gateway.gateway.serving.feeds, patient.gateway.public.runner
    assert feeds is not None
    assert runner is not None
    async with read(patient, held_bytes=1024):
        for _ in range(60):
            feeds.publish_text({"response": "x" * 500_000})
        server = runner.server
        assert server is not None
        # aiohttp tells nobody else that a peer does not read.
        await becomes(lambda: any(one._paused for one in server.connections))  # noqa: SLF001
        async with asyncio.timeout(4):
            await runner.stop()


async def test_a_stop_ends_the_feeds_at_once_and_says_why(patient: Asker) -> None:
    runner = patient.gateway.public.runner
    assert runner is not None
    async with read(patient) as reader, read(patient, IMAGE) as other:
        patient.gateway.gateway.serving.is_draining = True
        async with asyncio.timeout(2):
            await runner.stop()
        rest = [await one.wire.rest() for one in (reader, other)]

    assert [b": ended, the gateway is stopping\n\n" in end for end in rest] == [True, True]
    assert [end.endswith(b"0\r\n\r\n") for end in rest] == [True, True]
    assert patient.gateway.gateway.serving.services.metrics.dropped_feed_readers == 0


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_a_thousand_readers_share_what_is_published(begin: Begin) -> None:
    caller = await begin(feeds={"readers_per_address": 2000})
    feeds = caller.gateway.gateway.serving.feeds
    assert feeds is not None
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    async with AsyncExitStack() as stack:
        readers = [await stack.enter_async_context(read(caller)) for _ in range(1000)]
        before = _resident_bytes()
        for number in range(100):
            feeds.publish_text({"number": number, "response": "x" * 10_000})
            for reader in readers:
                assert (await reader.event()).json()["number"] == number
        grown = _resident_bytes() - before

        refused = await caller.get(TEXT)
        assert_refused(refused, 503, "unavailable")
    # A copy of the history for each reader would be 1 GB.
    assert grown < 200 * 1024 * 1024
    assert caller.gateway.gateway.serving.services.metrics.dropped_feed_readers == 0


def _resident_bytes() -> int:
    with open("/proc/self/statm", encoding="ascii") as statm:  # noqa: PTH123 - no file on a disk.
        return int(statm.read().split()[1]) * resource.getpagesize()

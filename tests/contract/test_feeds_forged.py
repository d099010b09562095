"""Section 7: nothing that a caller or a model says can forge an event of a feed."""

import json
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.testing.upstream import FakeUpstream, reply, stream
from tests.contract.asking import Asker, Reply
from tests.contract.conftest import Begin
from tests.contract.feeding import IMAGE, TEXT, Event, Reader, read

FORGERIES = st.sampled_from(
    (
        *("\n", "\r", "\r\n", "\n\n", "\0", "\x0b", "\x0c", "\x1c", "\x1e", "\x85", "\ufeff"),
        *("\u2028", "\u2029", "\ud800", "\udfff", "\udc80", "\ud83d\ude00", '"', '"}', "\\", "\\n"),
        *("data:", "data: {}", "id: 1", "id:", "event: x", "retry: 1", ": ping", "[DONE]"),
        *("0\r\n\r\n", "5\r\nforge\r\n", "%0a%0a", "&#10;", "\\u000a"),
    )
)
ANYTHING = st.text(st.characters(exclude_categories=()), max_size=4)
SAID = st.lists(FORGERIES | ANYTHING, min_size=1, max_size=8).map("".join)
SOMETIMES = settings(
    max_examples=60,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
LIMITS = {"anonymous": {"requests": "999999/hour", "concurrent": 99}}
JSON_TYPE = {"Content-Type": "application/json"}


@pytest.fixture
async def caller(begin: Begin) -> Asker:
    """Somebody who may call as often as it takes."""
    flux = {"targets": [{"provider": "here", "model": "painter"}]}
    return await begin(limits=LIMITS, models={"flux": flux}, more={"here": {"kind": "local"}})


async def post(caller: Asker, path: str, document: dict[str, Any]) -> Reply:
    """Send `document` with what is not ASCII escaped, so that lone surrogates can be sent."""
    return await caller.ask("POST", path, data=json.dumps(document), headers=JSON_TYPE)


def quoted(said: str) -> str:
    """Return `said` as it can stand in a URL, lone surrogates as the bytes they would have."""
    return quote(said.encode("utf-8", "surrogatepass"), safe="")


async def events_before(reader: Reader, mark: str) -> list[Event]:
    """Return the events up to the one whose prompt is `mark`; each must be one of ours."""
    events: list[Event] = []
    while True:
        event = await reader.event()
        assert len(event.data.decode().splitlines()) == 1, event
        assert not {0, 10, 13} & set(event.data), event
        found = event.json()
        if mark in {found.get("prompt"), found.get("messages", [{}])[0].get("content")}:
            return events
        events.append(event)


@given(said=SAID)
@SOMETIMES
async def test_no_prompt_forges_an_event_of_a_text(
    caller: Asker, upstream: FakeUpstream, said: str
) -> None:
    async with read(caller) as reader:
        answers = [
            await post(caller, "/api/generate_response", {"user_input": said}),
            await post(caller, "/api/generate_response", {"user_input": said, "stream": True}),
            await caller.get(f"/text/{quoted(said)}"),
            await post(caller, "/api/generate_response", {"user_input": "x", "system": said}),
            await caller.get(f"/text/x?model=up-{quoted(said)}"),
        ]
        await caller.get("/text/the-mark")
        events = await events_before(reader, "the-mark")

    assert {answer.status for answer in answers} <= {200, 400, 404}, answers
    assert len(events) == sum(answer.status == 200 for answer in answers)
    # Two escaped halves beside each other are one character in JSON (RFC 8259, 7).
    meant = said.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    for event in events:
        content = event.json()["messages"][0]["content"]
        assert content in {meant, "x"} or meant.strip() == content.strip()


@given(said=SAID)
@SOMETIMES
async def test_no_answer_of_a_model_forges_an_event(
    caller: Asker, upstream: FakeUpstream, said: str
) -> None:
    async with read(caller) as reader:
        upstream.will(reply(said), stream(said, said))
        answers = [await caller.get("/text/hi"), await caller.get("/text/hi?stream=true")]
        await caller.get("/text/the-mark")
        events = await events_before(reader, "the-mark")

    assert len(events) == sum(
        answer.status == 200 and b'"error"' not in answer.body for answer in answers
    )
    assert {answer.status for answer in answers} <= {200, 502}, answers


@pytest.mark.parametrize(
    "said",
    [
        "a\n\nid: 1\ndata: {}\n\n",
        "a\r\rdata: {}\r\r",
        "a\0data: b",
        "a\u2028data: {}\u2029\x85b",
        '"}\n\nevent: x\ndata: {"',
        "a \ud800 b",
    ],
)
async def test_no_prompt_forges_an_event_of_a_picture(caller: Asker, said: str) -> None:
    small = {"width": 64, "height": 64}
    async with read(caller, IMAGE) as reader:
        posted = await post(caller, "/api/generate_image", {"user_input": said, **small})
        asked = await caller.get(f"/image/{quoted(said)}?width=64&height=64")
        await caller.get("/image/the-mark?width=64&height=64")
        events = await events_before(reader, "the-mark")

    assert {posted.status, asked.status} <= {200, 400}
    assert len(events) == [posted.status, asked.status].count(200)
    assert all(event.json()["prompt"].strip() == said.strip() for event in events)


@pytest.mark.parametrize("last_id", ["\t", "0 data: x", "\xff", "a" * 4000, "-1", "💥"])
async def test_no_last_event_id_forges_an_event(caller: Asker, last_id: str) -> None:
    await caller.get("/text/before")
    async with read(caller, TEXT, Last_Event_ID=last_id) as reader:
        await caller.get("/text/the-mark")

        assert await events_before(reader, "the-mark") == []

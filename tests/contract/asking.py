"""How the contract's tests ask a gateway, and what they read of its answers."""

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any, cast

import aiohttp
from multidict import CIMultiDictProxy
from yarl import URL

from gateway.pipeline.attempts.gate import Gate
from gateway.schema.json import JsonObject
from gateway.testing.upstream import FakeUpstream
from tests.running import Running
from tests.web.raw_http import Caller as RawCaller

CANARY = "sk-canary-upstream"
"""The key that the gateway presents to the scripted upstream; nobody else may ever see it."""

_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "invalid_request_error",
    405: "invalid_request_error",
    410: "invalid_request_error",
    409: "invalid_request_error",
    412: "invalid_request_error",
    428: "invalid_request_error",
    501: "server_error",
    408: "invalid_request_error",
    413: "invalid_request_error",
    414: "invalid_request_error",
    415: "invalid_request_error",
    421: "invalid_request_error",
    429: "rate_limit_error",
    431: "invalid_request_error",
    500: "server_error",
    502: "server_error",
    503: "server_error",
    504: "server_error",
}


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer."""

    status: int
    headers: CIMultiDictProxy[str]
    body: bytes

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()

    def json(self) -> Any:  # Any: whatever the answer holds.
        """Return the body as JSON."""
        return json.loads(self.body)

    @property
    def frames(self) -> list[bytes]:
        """The server-sent events, without their blank lines; pings are none."""
        return [frame for frame in self.body.split(b"\n\n") if frame and frame != b": ping"]

    @property
    def chunks(self) -> list[JsonObject]:
        """The JSON objects that the events hold."""
        data = [_data_of(frame) for frame in self.frames]
        return [json.loads(text) for text in data if text not in {b"", b"[DONE]"}]

    @property
    def words(self) -> str:
        """What a stream of chat chunks says."""
        choices = [choice for chunk in self.chunks for choice in chunk.get("choices", ())]
        return "".join(choice["delta"].get("content") or "" for choice in choices)

    @property
    def error(self) -> JsonObject:
        """The error of an answer, or of the last event of a stream."""
        return cast(JsonObject, (self.chunks[-1] if self.is_stream else self.json())["error"])

    @property
    def is_stream(self) -> bool:
        """Whether it came as server-sent events."""
        return self.headers.get("Content-Type", "").startswith("text/event-stream")

    @property
    def is_done(self) -> bool:
        """Whether a stream says that it is complete."""
        return b"data: [DONE]" in self.body


class Asker:
    """A caller of one gateway; paths are sent as they are written."""

    def __init__(self, session: aiohttp.ClientSession, gateway: Running) -> None:
        self.session = session
        self.gateway = gateway

    async def ask(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        json: object = None,
        data: bytes | str | None = None,
        is_admin: bool = False,
    ) -> Reply:
        """Return the whole answer; no redirect is followed."""
        base = self.gateway.admin_url if is_admin else self.gateway.url
        async with self.session.request(
            method,
            URL(base + path, encoded=True),
            headers=headers,
            json=json,
            data=data,
            allow_redirects=False,
        ) as answer:
            return Reply(answer.status, answer.headers, await answer.read())

    async def get(self, path: str, **headers: str) -> Reply:
        """Ask by GET; an underscore in a header's name is a hyphen."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.ask("GET", path, headers=named)

    async def post(self, path: str, document: object, **headers: str) -> Reply:
        """Ask by POST with a JSON body."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.ask("POST", path, json=document, headers=named)

    async def chat(self, text: str = "hi", /, **fields: object) -> Reply:
        """Ask `/v1/chat/completions` for one turn; the model is `openai` unless it is named."""
        document = {"model": "openai", "messages": [{"role": "user", "content": text}]}
        return await self.post("/v1/chat/completions", document | fields)


@asynccontextmanager
async def knock_at(port: int) -> AsyncGenerator[RawCaller]:
    """Open a bare connection to a port of this machine; it is dropped at the end."""
    raw = RawCaller(*await asyncio.open_connection("127.0.0.1", port))
    try:
        yield raw
    finally:
        raw.abort()


def knock(gateway: Running) -> AbstractAsyncContextManager[RawCaller]:
    """Open a bare connection to the public listener."""
    return knock_at(gateway.public.port or 0)


def gate_of(gateway: Running) -> Gate:
    """Return the gate before the scripted upstream."""
    gate = gateway.gateway.serving.services.router.find("openai").targets[0].connected.gate
    assert isinstance(gate, Gate)
    return gate


def assert_refused(reply: Reply, status: int, code: str, param: str | None = None) -> JsonObject:
    """Check the one error body of the contract and the headers that go with it; return it."""
    assert reply.status == status, reply.body[:500]
    error: JsonObject = reply.json()["error"]
    assert set(error) == {"message", "type", "code", "param", "details"}
    assert (error["code"], error["type"]) == (code, _TYPES[status]), error
    assert error["message"]
    assert isinstance(error["details"], dict)
    if param is not None:
        assert error["param"] == param, error
    assert reply.headers["Content-Type"] == "application/json"
    assert reply.headers["Cache-Control"] == "no-store"
    assert reply.headers["X-Request-Id"]
    return error


def assert_broken_off(reply: Reply, code: str) -> JsonObject:
    """Check a stream that ends with an error as its last event; return the error."""
    assert reply.status == 200
    assert not reply.is_done
    error = reply.error
    assert set(error) == {"message", "type", "code", "param", "details"}
    assert error["code"] == code, error
    return error


def _data_of(frame: bytes) -> bytes:
    """Read an event by the standard's words: `data:` lines, one space off, joined."""
    lines = [line[5:] for line in frame.split(b"\n") if line.startswith(b"data:")]
    return b"\n".join(line.removeprefix(b" ") for line in lines)


async def newest_in_feed(caller: "Asker") -> bytes:
    """Return the first line of data that the feed of texts has now."""
    async with caller.session.get(f"{caller.gateway.url}/api/text/feed?past_results=5") as feed:
        async for line in feed.content:
            if line.startswith(b"data:"):
                return line
    return b""


def heard(upstream: FakeUpstream) -> JsonObject:
    """Return the document that the upstream was last sent."""
    return upstream.requests[-1].document


def prompt_heard(upstream: FakeUpstream) -> str:
    """Return the last turn that the upstream was last sent."""
    return str(heard(upstream)["messages"][-1]["content"])

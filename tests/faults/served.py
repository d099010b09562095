"""What a row faces: a gateway or a stand-in that answers, how it is asked, what it holds."""

import io
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import orjson
from yarl import URL

from gateway.schema.json import JsonObject
from tests.contract.asking import Reply, knock_at
from tests.web.raw_http import Caller

ADMIN_SECRET = "canary-admin-secret-0123456789"  # noqa: S105 - a test's.
TRACE = "Traceback (most recent call last)"


def chat_document(text: str = "hi", **fields: object) -> JsonObject:
    """Return a question to the model `openai`."""
    return {"model": "openai", "messages": [{"role": "user", "content": text}], **fields}


def posted(document: object, path: str = "/v1/chat/completions", *headers: str) -> bytes:
    """Return a whole request with a JSON body."""
    body = document if isinstance(document, bytes) else orjson.dumps(document)
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", "Content-Type: application/json", *headers]
    return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body


@dataclass(slots=True)
class Served:
    """One that listens on loopback, by its process."""

    session: aiohttp.ClientSession
    port: int
    admin_port: int
    pid: int
    log: Callable[[], str]
    """What it has logged so far."""

    @property
    def traces(self) -> int:
        """How many tracebacks its log has."""
        return self.log().count(TRACE)

    @property
    def descriptors(self) -> int:
        """How many files and sockets its process has open."""
        return sum(1 for _ in Path(f"/proc/{self.pid}/fd").iterdir())

    @property
    def resident_bytes(self) -> int:
        """The memory of its process now."""
        return self._status("VmRSS")

    @property
    def peak_bytes(self) -> int:
        """The most memory that its process ever had, or since `forget_peak`."""
        return self._status("VmHWM")

    def forget_peak(self) -> int:
        """Begin to look for the most memory anew; return what is used now."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")
        return self.resident_bytes

    def wire(self) -> AbstractAsyncContextManager[Caller]:
        """Open a bare connection; it is dropped at the end."""
        return knock_at(self.port)

    async def ask(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        json: object = None,
        data: bytes | io.BytesIO | None = None,
        is_admin: bool = False,
    ) -> Reply:
        """Return the answer, of one that is cut what came of it; no redirect is followed."""
        port = self.admin_port if is_admin else self.port
        body = b""
        async with self.session.request(
            method,
            URL(f"http://127.0.0.1:{port}{path}", encoded=True),
            headers=headers,
            json=json,
            data=data,
            allow_redirects=False,
        ) as answer:
            with suppress(aiohttp.ClientPayloadError):
                async for piece in answer.content.iter_any():
                    body += piece
            return Reply(answer.status, answer.headers, body)

    async def get(self, path: str, **headers: str) -> Reply:
        """Ask by GET; an underscore in a header's name is a hyphen."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.ask("GET", path, headers=named)

    async def chat(self, text: str = "hi", /, **fields: object) -> Reply:
        """Ask `/v1/chat/completions` for one turn; the model is `openai` unless it is named."""
        return await self.ask("POST", "/v1/chat/completions", json=chat_document(text, **fields))

    async def administer(self, method: str, path: str, document: object = None) -> Reply:
        """Ask the operator's listener."""
        secret = {"Authorization": f"Bearer {ADMIN_SECRET}"}
        return await self.ask(method, path, headers=secret, json=document, is_admin=True)

    def _status(self, name: str) -> int:
        for line in Path(f"/proc/{self.pid}/status").read_text("utf-8").splitlines():
            if line.startswith(name + ":"):
                return int(line.split()[1]) * 1024
        raise LookupError(name)


@asynccontextmanager
async def session() -> AsyncGenerator[aiohttp.ClientSession]:
    """Open a client without cookies that waits for nothing longer than a minute."""
    timeout = aiohttp.ClientTimeout(total=60)
    jar = aiohttp.DummyCookieJar()
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(
        connector=connector, cookie_jar=jar, timeout=timeout
    ) as client:
        yield client

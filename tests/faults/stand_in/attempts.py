"""One attempt of the stand-in: an upstream is asked, and its answer passed on."""

import asyncio
import json
import sys
import zlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from typing import Any

import aiohttp
from aiohttp import web

from tests.faults.stand_in.errors import CallerGoneError, LedgerFullError, UpstreamFailedError
from tests.faults.stand_in.ledger import Ledger
from tests.faults.stand_in.settings import Settings

_BROKEN = (aiohttp.ClientError, TimeoutError, UnicodeError)
_SENT = {"model", "messages", "stream"}
_WORDS = (b'"content":"', b'"reasoning_content":"')


class Attempts:
    """Asks upstreams over one session."""

    def __init__(self, settings: Settings, session: aiohttp.ClientSession, ledger: Ledger) -> None:
        self._settings = settings
        self._defects = settings.defects
        self._session = session
        self._ledger = ledger
        self._hoard: list[bytes] = []
        self._left_over = b""

    async def ask(
        self, request: web.Request, url: str, asked: dict[str, Any], remaining: str
    ) -> web.StreamResponse:
        """Ask the upstream at `url`; raise `UpstreamFailedError` or what aiohttp does."""
        headers = {
            "Authorization": f"Bearer {self._settings.key}",
            "Content-Type": "application/json",
        }
        if "forwards_headers" in self._defects:
            headers = {**request.headers, **headers}
            headers.pop("Content-Length", None)
        async with AsyncExitStack() as stack:
            async with asyncio.timeout(self._settings.first_s):
                upstream = await stack.enter_async_context(
                    self._session.post(
                        url + "/chat/completions",
                        data=json.dumps({name: asked[name] for name in _SENT & asked.keys()}),
                        headers=headers,
                        allow_redirects=False,
                    )
                )
            if upstream.status != 200:
                await self._refused(upstream)
            given = {"X-RateLimit-Remaining": remaining}
            if "forwards_headers" in self._defects:
                given |= {
                    name: text
                    for name, text in upstream.headers.items()
                    if name not in {"Content-Length", "Transfer-Encoding"}
                }
            if asked.get("stream"):
                try:
                    return await self._stream(request, upstream, given, asked, url)
                except aiohttp.ClientConnectionResetError:
                    raise CallerGoneError from None
            async with asyncio.timeout(self._settings.idle_s):
                body = await self._body(upstream)
            self._ledger.keep(str(asked.get("model")))
            if "hoards" in self._defects:
                self._hoard.append(body * 100)
            return web.Response(body=body, headers=given, content_type="application/json")

    async def _refused(self, upstream: aiohttp.ClientResponse) -> None:
        words = (await upstream.content.read(4096)).decode("utf-8", "replace")
        status = upstream.status
        if "passes_status" not in self._defects:
            status = status if status in {400, 429} else 502
        message = words if "leaks" in self._defects else "the upstream refused"
        raise UpstreamFailedError(message, status, upstream.headers.get("Retry-After", ""))

    async def _body(self, upstream: aiohttp.ClientResponse) -> bytes:
        body = bytearray()
        async for piece in upstream.content.iter_any():
            body += piece
            if len(body) > self._settings.body_bytes and "no_size_limit" not in self._defects:
                raise UpstreamFailedError("the answer is too large")
        if upstream.headers.get("Content-Encoding") and "inflates" in self._defects:
            body = bytearray(zlib.decompress(body, wbits=31))
        if "trusts_200" in self._defects or "raw_errors" in self._defects:
            if "raw_errors" in self._defects:
                json.loads(body)["choices"][0]
            return bytes(body)
        try:
            json.loads(body)["choices"][0]["message"]["content"]
        except (ValueError, KeyError, TypeError, RecursionError, LookupError):
            raise UpstreamFailedError("the answer makes no sense") from None
        return bytes(body)

    async def _stream(  # noqa: C901, PLR0912 - as above.
        self,
        request: web.Request,
        upstream: aiohttp.ClientResponse,
        given: dict[str, str],
        asked: dict[str, Any],
        url: str,
    ) -> web.StreamResponse:
        answer = web.StreamResponse(headers=given)
        answer.content_type = "text/event-stream"
        held: list[bytes] = []
        is_begun = is_done = False
        if "early_head" in self._defects:
            await answer.prepare(request)
            is_begun = True
        try:
            async for frame in self._frames(upstream):
                held.append(frame)
                if b'"error"' in frame and not self._defects & {"trusts_200", "leaks"}:
                    raise UpstreamFailedError("an error came")  # noqa: TRY301
                if not is_begun and "trusts_200" not in self._defects:
                    if not any(word in frame for word in _WORDS):
                        continue
                    if b'"content":""' in frame:
                        continue
                if not is_begun:
                    await answer.prepare(request)
                    is_begun = True
                is_done = is_done or frame.startswith(b"data: [DONE]")
                if is_done:
                    self._ledger.keep(str(asked.get("model")))
                await self._write(request, answer, b"".join(held))
                held.clear()
            # Read to its end, the connection can be used again.
            if is_done:
                return answer
            raise UpstreamFailedError("the stream broke off")  # noqa: TRY301
        except aiohttp.ClientConnectionResetError:
            raise
        except (*_BROKEN, UpstreamFailedError, LedgerFullError):
            if not is_begun:
                raise
        if "replays" in self._defects:
            with suppress(aiohttp.ClientError):
                async with self._session.post(
                    url + "/chat/completions", data=json.dumps(asked)
                ) as again:
                    async for frame in self._frames(again):
                        await answer.write(frame)
        last = b'data: {"error":{"message":"broke off","type":"server_error",'
        await answer.write(last + b'"code":"upstream_failed","param":null,"details":{}}}\n\n')
        if "done_always" in self._defects:
            await answer.write(b"data: [DONE]\n\n")
        return answer

    async def _write(self, request: web.Request, answer: web.StreamResponse, data: bytes) -> None:
        if "mixes" in self._defects:
            self._left_over, data = data, self._left_over or data
        if "buffer_all" in self._defects and request.transport is not None:
            request.transport.write(b"%x\r\n%b\r\n" % (len(data), data))
            return
        await answer.write(data)

    async def _frames(self, upstream: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
        pieces = upstream.content.iter_any()
        if "reframes" in self._defects:
            async for piece in pieces:
                words = piece.decode("utf-8", "replace")
                yield words.encode()
            return
        buffer = b""
        most = sys.maxsize if "no_size_limit" in self._defects else 1024 * 1024
        while True:
            async with asyncio.timeout(self._settings.idle_s):
                piece = await anext(pieces, b"")
            if not piece:
                return
            buffer += piece
            if len(buffer) > most:
                raise UpstreamFailedError("a line is too long")
            *frames, buffer = buffer.split(b"\n\n")
            for frame in frames:
                yield frame + b"\n\n"

"""A throw-away gateway with defects that can be switched on: each makes rows of the matrix red.

It answers `/v1/chat/completions` alone, and only well enough for the checks to pass without a
defect. `python -m tests.faults.stand_in CONFIG PORT` serves it by a process of its own.
"""

import asyncio
import json
import signal
import sys
import time
import zlib
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Literal

import aiohttp
from aiohttp import web

from gateway.config.listeners import Bounds
from gateway.schema.json import JsonObject
from gateway.testing.server import render_error
from gateway.web.server import Runner

Defect = Literal[
    "stock_server",  # aiohttp's own runner: no deadline for heads, no cancelled handlers
    "no_failover",  # the first target is the only one
    "early_head",  # the head is sent before there is a first word
    "replays",  # a stream that breaks off is asked for again
    "done_always",  # `[DONE]` ends what broke off, too
    "trusts_200",  # whatever comes with 200 is an answer
    "no_idle",  # silence of an upstream has no end
    "passes_status",  # what an upstream answers is what the caller gets
    "leaks",  # an upstream's words about us are passed on
    "raw_errors",  # what goes wrong is a traceback and a 500
    "no_size_limit",  # bodies of any size are held, from upstreams and from callers
    "inflates",  # what is compressed is decompressed, however long it gets
    "retries_always",  # everything that fails is asked again, three times
    "no_breaker",  # a target that is down is asked for ever
    "reframes",  # pieces are text and lines wherever they were cut
    "forwards_headers",  # headers go through, both ways
    "buffer_all",  # the caller's pace is nobody's business
    "no_body_timeout",  # a body may take its time
    "counts_late",  # the limit is looked at, and counted later
    "leaks_slot",  # a caller that left keeps its place
    "trusts_forwarded",  # callers say who they are
    "obeys_body",  # the body says where the call, and our key, go
    "mixes",  # the next one gets what was left of the last one's answer
    "cuts_drain",  # told to stop it stops
    "drains_for_ever",  # told to stop it waits until all is over
    "no_pool",  # as many connections as there are callers
    "blocks",  # the loop waits while it thinks
]
_LARGE = 1024 * 1024
_STEERING = ("api_base", "base_url")
_WORDS = (b'"content":"', b'"reasoning_content":"')


class UpstreamFailedError(Exception):
    """An attempt that failed, with the status that its caller gets."""

    def __init__(self, message: str, status: int = 502, retry_after: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after


class StandIn:
    """The whole of it; one for each application."""

    def __init__(self, document: Mapping[str, Any], session: aiohttp.ClientSession) -> None:
        self._defects = frozenset(document.get("defects", ()))
        self._session = session
        self._urls = [one["settings"]["base_url"] for one in document["providers"].values()]
        self._key = next(iter(document["providers"].values()))["settings"]["api_key"]
        bounds = document["server"].get("bounds", {})
        self._body_s = bounds.get("body_s", 60)
        self._body_bytes = bounds.get("body_bytes", 20 * _LARGE)
        # It parses what it is sent in one go.
        is_any = bool(self._defects & {"blocks", "inflates"})
        self._asked_bytes = self._body_bytes if is_any else _LARGE
        self._idle_s = document.get("deadlines", {}).get("between_tokens_s", 60)
        self._first_s = document.get("deadlines", {}).get("first_token_s", 60)
        self._health = {"failures": 5, "cooldown_s": 5.0, **document.get("health", {})}
        limits = document["limits"]["anonymous"]
        self._most = int(limits["requests"].partition("/")[0])
        self._places = limits["concurrent"]
        self._used: dict[str, int] = {}
        self._inside: dict[str, int] = {}
        self._failed = [0] * len(self._urls)
        self._open_until = [0.0] * len(self._urls)
        self._left_over = b""
        self.is_draining = False
        self._budget = 10.0
        """Attempts at targets that failed last time, besides the first of a call."""

    async def chat(self, request: web.Request) -> web.StreamResponse:
        """Answer one question."""
        if self.is_draining:
            return _error(503, "stopping")
        try:
            asked = await self._document(request)
        except (ValueError, TypeError, RecursionError) as error:
            if "raw_errors" in self._defects:
                raise
            return _error(400, f"no JSON object: {type(error).__name__}")
        who = request.remote or ""
        if "trusts_forwarded" in self._defects:
            who = request.headers.get("X-Forwarded-For", who)
        refused = await self._take(who)
        if refused is not None:
            return refused
        remaining = str(self._most - self._used[who])
        try:
            answer = await self._answer(request, asked, remaining)
        except UpstreamFailedError as failed:
            answer = _error(failed.status, str(failed))
            if failed.retry_after:
                answer.headers["Retry-After"] = failed.retry_after
            answer.headers["X-RateLimit-Remaining"] = remaining
        except asyncio.CancelledError:
            if "leaks_slot" in self._defects:
                self._inside[who] += 1
            raise
        finally:
            self._inside[who] -= 1
        return answer

    async def _document(self, request: web.Request) -> dict[str, Any]:
        if request.headers.get("Content-Encoding") and "inflates" not in self._defects:
            raise web.HTTPUnsupportedMediaType
        most = sys.maxsize if "no_size_limit" in self._defects else self._asked_bytes
        if (request.content_length or 0) > most:
            raise web.HTTPRequestEntityTooLarge(max_size=most, actual_size=most)
        body = b""
        limit_s = None if "no_body_timeout" in self._defects else self._body_s
        try:
            async with asyncio.timeout(limit_s):
                async for piece in request.content.iter_any():
                    body += piece
                    if len(body) > most:
                        raise web.HTTPRequestEntityTooLarge(max_size=most, actual_size=len(body))
        except TimeoutError:
            raise web.HTTPRequestTimeout from None
        if request.headers.get("Content-Encoding"):
            body = zlib.decompress(body, wbits=31)
        if "blocks" in self._defects:
            time.sleep(len(body) / 1024 / 1024)  # noqa: ASYNC251 - that is the defect.
        asked = json.loads(body)
        if not isinstance(asked, dict) or not isinstance(asked.get("messages"), list):
            msg = "not a question"
            raise TypeError(msg)
        body.decode()
        json.dumps(asked, ensure_ascii=False).encode()  # Lone surrogates.
        return asked

    async def _take(self, who: str) -> web.Response | None:
        used = self._used.get(who, 0)
        if used >= self._most or self._inside.get(who, 0) >= self._places:
            return _error(429, "too many")
        if "counts_late" in self._defects:
            await asyncio.sleep(0.01)
        self._used[who] = used + 1
        self._inside[who] = self._inside.get(who, 0) + 1
        return None

    async def _answer(  # noqa: C901 - a defect is a branch.
        self, request: web.Request, asked: dict[str, Any], remaining: str
    ) -> web.StreamResponse:
        urls = self._urls
        if steered := [asked[name] for name in _STEERING if name in asked]:
            if "obeys_body" not in self._defects:
                return _error(400, "who answers is not for the body to say")
            urls = steered
        last: UpstreamFailedError | None = None
        self._budget += 0.1
        rounds = 4 if "retries_always" in self._defects else 1
        for number, url in list(enumerate(urls)) * rounds:
            now = time.monotonic()
            if self._open_until[number] > now and "no_breaker" not in self._defects:
                continue
            if last is not None and self._failed[number] and rounds == 1:
                if self._budget < 1:
                    break
                self._budget -= 1
            try:
                answer = await self._attempt(request, url, asked, remaining)
            except (aiohttp.ClientError, TimeoutError, UpstreamFailedError) as error:
                status = 504 if isinstance(error, TimeoutError) else 502
                if not isinstance(error, UpstreamFailedError):
                    error = UpstreamFailedError("the upstream failed", status)
                last = error
                self._failed[number] += 1
                if self._failed[number] >= self._health["failures"]:
                    self._open_until[number] = now + self._health["cooldown_s"]
                if "no_failover" in self._defects:
                    break
            else:
                self._failed[number] = 0
                return answer
        raise last or UpstreamFailedError("all are open", 503, "1")

    async def _attempt(
        self, request: web.Request, url: str, asked: dict[str, Any], remaining: str
    ) -> web.StreamResponse:
        headers = {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"}
        if "forwards_headers" in self._defects:
            headers = {**request.headers, **headers}
            headers.pop("Content-Length", None)
        async with AsyncExitStack() as stack:
            async with asyncio.timeout(None if "no_idle" in self._defects else self._first_s):
                upstream = await stack.enter_async_context(
                    self._session.post(
                        url + "/chat/completions",
                        data=json.dumps(asked),
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
                return await self._stream(request, upstream, given, asked, url)
            async with asyncio.timeout(None if "no_idle" in self._defects else self._idle_s):
                body = await self._body(upstream)
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
            if len(body) > self._body_bytes and "no_size_limit" not in self._defects:
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
                await self._write(request, answer, b"".join(held))
                held.clear()
                is_done = is_done or frame.startswith(b"data: [DONE]")
            # Read to its end, the connection can be used again.
            if is_done:
                return answer
            raise UpstreamFailedError("the stream broke off")  # noqa: TRY301
        except (aiohttp.ClientError, TimeoutError, UpstreamFailedError, UnicodeError):
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
            async with asyncio.timeout(None if "no_idle" in self._defects else self._idle_s):
                piece = await anext(pieces, b"")
            if not piece:
                return
            buffer += piece
            if len(buffer) > most:
                raise UpstreamFailedError("a line is too long")
            *frames, buffer = buffer.split(b"\n\n")
            for frame in frames:
                yield frame + b"\n\n"


def application(document: Mapping[str, Any]) -> web.Application:
    """Return the application that a configuration, and its list of `defects`, asks for."""
    app = web.Application(client_max_size=2**40)
    key = web.AppKey("stand_in", StandIn)

    async def session(app: web.Application) -> AsyncGenerator[None]:
        is_bounded = "no_pool" not in document.get("defects", ())
        http = next(iter(document["providers"].values())).get("http", {})
        limit = http.get("connections", 0) if is_bounded else 0
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=limit),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(total=None),
            read_bufsize=64 * 1024,
        ) as client:
            app[key] = StandIn(document, client)
            yield

    async def chat(request: web.Request) -> web.StreamResponse:
        return await app[key].chat(request)

    async def health(_request: web.Request) -> web.StreamResponse:
        return web.Response(text="ok", status=503 if app[key].is_draining else 200)

    async def drain(_app: web.Application) -> None:
        app[key].is_draining = True

    app.cleanup_ctx.append(session)
    app.router.add_post("/v1/chat/completions", chat)
    app.router.add_get("/health", health)
    app.router.add_get("/health/readiness", health)
    app.on_shutdown.append(drain)
    return app


def _error(status: int, message: str) -> web.Response:
    kind = "server_error" if status >= 500 else "invalid_request_error"
    code = "upstream_failed" if status >= 500 else "invalid_json"
    error: JsonObject = {"message": message, "type": kind, "code": code}
    return web.json_response({"error": {**error, "param": None, "details": {}}}, status=status)


@asynccontextmanager
async def listening(
    app: web.Application, document: Mapping[str, Any], port: int
) -> AsyncGenerator[int]:
    """Serve on `port`, by our own runner unless the defect is aiohttp's; yield the port."""
    defects = document.get("defects", ())
    runner: web.AppRunner
    if "stock_server" in defects:
        runner = web.AppRunner(app, shutdown_timeout=0.05)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
    else:
        server = document["server"]
        bounds = Bounds(**server.get("bounds", {}))
        drain_s = 0.0 if "cuts_drain" in defects else server.get("drain_s", 0)
        drain_s = 3600.0 if "drains_for_ever" in defects else drain_s
        runner = Runner(app, bounds, render_error=render_error, drain_s=drain_s)
        await runner.start("127.0.0.1", port)
    try:
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()


async def _main(path: Path, port: int) -> None:
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    document = json.loads(path.read_text("utf-8"))
    async with listening(application(document), document, port):
        await stopping.wait()


if __name__ == "__main__":
    asyncio.run(_main(Path(sys.argv[1]), int(sys.argv[2])))

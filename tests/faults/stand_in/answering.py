"""A throw-away gateway: its paths, only as good as the checks need them without a defect."""

import asyncio
import json
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from tests.faults.stand_in.admission import Admission
from tests.faults.stand_in.asked import body_of, question, wanted
from tests.faults.stand_in.attempts import Attempts
from tests.faults.stand_in.errors import (
    CallerGoneError,
    LedgerFullError,
    UpstreamFailedError,
    refusal,
)
from tests.faults.stand_in.feed import Feed
from tests.faults.stand_in.keys import KeyRing
from tests.faults.stand_in.ledger import Ledger
from tests.faults.stand_in.links import Links
from tests.faults.stand_in.settings import Settings
from tests.faults.stand_in.targets import Targets

_STEERING = ("api_base", "base_url")


class RawAnswer(web.Response):
    """An answer whose head is written as it is: aiohttp's own takes no line breaks."""

    def __init__(self, head: str) -> None:
        super().__init__()
        self._head = head.encode()
        self.force_close()

    async def prepare(self, request: web.BaseRequest) -> None:
        """Write all there is."""
        if request.transport is not None:
            request.transport.write(self._head)

    async def write_eof(self, data: bytes = b"") -> None:
        """Write nothing more."""


class StandIn:
    """The whole of it; one for each application."""

    def __init__(self, settings: Settings, session: aiohttp.ClientSession) -> None:
        self._settings = settings
        self.keys = KeyRing(settings)
        self.feed = Feed(settings)
        self.admission = Admission(settings)
        self.ledger = Ledger(settings)
        self._links = Links(settings, session)
        self._targets = Targets(settings)
        self._attempts = Attempts(settings, session, self.ledger)
        self.is_draining = False

    async def chat(self, request: web.Request) -> web.StreamResponse:
        """Answer `/v1/chat/completions`."""
        if self.is_draining:
            return refusal(503, "stopping")
        if (refused := self.keys.refused(request)) is not None:
            return refused
        try:
            asked = await question(request, self._settings)
            await self._links.open_all(asked)
        except (ValueError, TypeError, RecursionError) as error:
            if "raw_errors" in self._settings.defects:
                raise
            return refusal(400, f"no JSON object: {type(error).__name__}")
        return await self._admitted(request, asked)

    async def text(self, request: web.Request) -> web.StreamResponse:
        """Answer `/text/{prompt}`."""
        prompt = request.match_info["prompt"]
        if "opens_paths" in self._settings.defects and Path(prompt).is_file():
            return web.Response(text=Path(prompt).read_text("utf-8"))
        if "echoes_raw" in self._settings.defects:
            return RawAnswer(f"HTTP/1.1 200 OK\r\nX-Prompt: {prompt}\r\nConnection: close\r\n\r\n")
        return await self._admitted(request, wanted(prompt))

    async def generate(self, request: web.Request) -> web.StreamResponse:
        """Answer `/api/generate_response`, and publish what came of it."""
        given: dict[str, Any] = dict(request.query)
        if request.method == "POST":
            try:
                given = json.loads(await body_of(request, self._settings))
                prompt = str(given["user_input"])
            except (ValueError, TypeError, KeyError, RecursionError) as error:
                return refusal(400, f"no question: {type(error).__name__}")
        prompt = str(given.get("user_input", ""))
        asked = wanted(prompt, is_stream=str(given.get("stream")).lower() == "true")
        answer = await self._admitted(request, asked)
        if isinstance(answer, web.Response) and answer.status == 200:
            words = json.loads(answer.body or b"")["choices"][0]["message"]["content"]  # type: ignore[arg-type]
            await self.feed.publish(prompt, words, is_private=given.get("private") is True)
        return answer

    async def _admitted(self, request: web.Request, asked: dict[str, Any]) -> web.StreamResponse:
        """Answer a question if there is room for its caller."""
        who = self.admission.caller(request)
        left = await self.admission.take(who)
        if left is None:
            return refusal(429, "too many")
        is_gone = False
        try:
            return await self._answer(request, asked, str(left))
        except asyncio.CancelledError:
            is_gone = True
            raise
        finally:
            self.admission.leave(who, is_gone=is_gone)

    async def _answer(
        self, request: web.Request, asked: dict[str, Any], remaining: str
    ) -> web.StreamResponse:
        urls = self._settings.urls
        if steered := [asked[name] for name in _STEERING if name in asked]:
            if "obeys_body" not in self._settings.defects:
                return refusal(400, "who answers is not for the body to say")
            urls = tuple(map(str, steered))
        try:
            return await self._targets.answered(
                lambda url: self._attempts.ask(request, url, asked, remaining), urls
            )
        except CallerGoneError:
            return web.Response()  # Nobody reads it.
        except LedgerFullError:
            return refusal(503, "the ledger takes no rows")
        except UpstreamFailedError as failed:
            answer = refusal(failed.status, str(failed))
            if failed.retry_after:
                answer.headers["Retry-After"] = failed.retry_after
            answer.headers["X-RateLimit-Remaining"] = remaining
            return answer

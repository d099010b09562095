"""How the stand-in reads what it is asked."""

import asyncio
import json
import sys
import time
import zlib
from typing import Any

from aiohttp import web

from tests.faults.stand_in.settings import Settings


async def question(request: web.Request, settings: Settings) -> dict[str, Any]:
    """Return a question's document; raise what the body is not, or aiohttp's refusal of it."""
    defects = settings.defects
    if request.headers.get("Content-Encoding") and "inflates" not in defects:
        raise web.HTTPUnsupportedMediaType
    body = await body_of(request, settings)
    if request.headers.get("Content-Encoding"):
        body = zlib.decompress(body, wbits=31)
    if "blocks" in defects:
        time.sleep(len(body) / 1024 / 1024)  # noqa: ASYNC251 - that is the defect.
    asked = json.loads(body)
    if not isinstance(asked, dict) or not isinstance(asked.get("messages"), list):
        msg = "not a question"
        raise TypeError(msg)
    if not isinstance(asked.get("model"), str) or not isinstance(asked.get("stream", False), bool):
        msg = "not a model, or neither a stream nor none"
        raise TypeError(msg)
    body.decode()
    json.dumps(asked, ensure_ascii=False).encode()  # Lone surrogates.
    return asked


async def body_of(request: web.Request, settings: Settings) -> bytes:
    """Return a whole body, within the bounds of size and time."""
    most = sys.maxsize if "no_size_limit" in settings.defects else settings.asked_bytes
    if (request.content_length or 0) > most:
        raise web.HTTPRequestEntityTooLarge(max_size=most, actual_size=most)
    body = b""
    try:
        async with asyncio.timeout(settings.body_s):
            async for piece in request.content.iter_any():
                body += piece
                if len(body) > most:
                    raise web.HTTPRequestEntityTooLarge(max_size=most, actual_size=len(body))
    except TimeoutError:
        raise web.HTTPRequestTimeout from None
    return body


def wanted(prompt: str, *, is_stream: bool = False) -> dict[str, Any]:
    """Return the question that a prompt alone asks."""
    turn = {"role": "user", "content": prompt}
    return {"model": "openai", "messages": [turn], "stream": is_stream}

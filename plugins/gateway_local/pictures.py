"""Pictures in a conversation: read by an engine, told to the model in words."""

import base64
import binascii
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace

from gateway.schema.chat import ChatRequest, ImagePart, Message, Part, TextPart
from gateway.schema.failure import Failure
from gateway.schema.json import JsonObject
from gateway.sdk import UpstreamError
from gateway.sdk.workshop import Workshop
from gateway_local.seeing import describe

_MAX_PICTURES = 8
_MAX_BYTES = 10 * 1024 * 1024
_CHARACTERS_A_TOKEN = 4


class Seer:
    """Reads the pictures of requests, which come as data URLs: links are the gateway's to fetch."""

    def __init__(self, workshop: Workshop, *, context: int) -> None:
        self._workshop = workshop
        # Half of what the model can read is for what the pictures say.
        self._characters = context * _CHARACTERS_A_TOKEN // 2

    async def told(self, request: ChatRequest) -> ChatRequest:
        """Return `request` with each picture named where it stood, and told of in a first turn.

        Raises `UpstreamError`: too many, too large, not a picture.
        """
        places = [
            part for turn in request.messages for part in turn.parts if isinstance(part, ImagePart)
        ]
        if not places:
            return request
        if len(places) > _MAX_PICTURES:
            raise _fault(f"there are {len(places)} pictures; at most {_MAX_PICTURES} are read")
        blobs = [_inline(part.url) for part in places]
        facts = [facts async for facts in self._read(blobs)]
        system = Message("system", (TextPart(describe(facts, max_characters=self._characters)),))
        return replace(request, messages=(system, *_named(request.messages)))

    async def _read(self, blobs: list[bytes]) -> AsyncGenerator[JsonObject]:
        async with aclosing(self._workshop.call("look", "look", {}, blobs)) as items:
            async for facts, _ in items:
                yield facts


def _inline(url: str) -> bytes:
    head, _, data = url.partition(",")
    if not head.endswith(";base64"):
        raise _fault("a data URL of a picture must be base64")
    if len(data) > _MAX_BYTES * 4 // 3 + 4:
        raise _fault(f"a picture has more than {_MAX_BYTES} bytes")
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raise _fault("a data URL of a picture is not base64") from None


def _named(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    count = 0
    named = []
    for message in messages:
        parts: list[Part] = []
        for part in message.parts:
            if isinstance(part, ImagePart):
                count += 1
                parts.append(TextPart(f"[picture {count}]"))
            else:
                parts.append(part)
        named.append(replace(message, parts=tuple(parts)))
    return tuple(named)


def _fault(message: str) -> UpstreamError:
    return UpstreamError(Failure.CALLER_FAULT, f"local: {message}", param="messages")

"""What a request points at, fetched: guarded, bounded, and looked at before anybody uses it."""

import asyncio
import base64
import binascii
from collections.abc import Mapping
from dataclasses import replace

from gateway.pipeline.call import Call, Services
from gateway.schema.chat import ChatRequest, ImagePart, Message
from gateway.schema.failure import CallError, Failure
from gateway.schema.images import Picture
from gateway.sdk.errors import UpstreamError
from gateway.sdk.http import HttpError, TooLargeError

MAX_LINKS = 16
_OK = 200


async def fetch(call: Call, services: Services) -> Mapping[str, Picture]:
    """Return the picture behind each of the request's links.

    Raises `CallError`, `invalid_parameter` that names where the link stands: too many, not to be
    had from here, too large, no picture. Not a word of why an address cannot be reached: what is
    behind the guard is not the caller's to map.
    """
    links = call.ask.links
    if len(links) > MAX_LINKS:
        place = next(iter(links.values()))
        message = f"there are {len(links)} pictures by URL; at most {MAX_LINKS} are fetched"
        raise CallError("invalid_parameter", message, param=place)
    left_s = call.deadline - services.clock.monotonic()
    try:
        async with asyncio.timeout(left_s), asyncio.TaskGroup() as group:
            tasks = {
                url: group.create_task(_picture(url, place, call, services))
                for url, place in links.items()
            }
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
    except TimeoutError:
        raise CallError("deadline_exceeded", "the pictures did not come in time") from None
    return {url: task.result() for url, task in tasks.items()}


async def checked(data: bytes, place: str, services: Services) -> Picture:
    """Return a caller's picture that has been looked at; `invalid_parameter` names `place`."""
    try:
        return await services.pictures.check(data, param=place)
    except UpstreamError as error:
        if error.failure is not Failure.CALLER_FAULT:
            raise CallError("unavailable", "pictures cannot be looked at for now") from error
        raise _fault(place, error.message) from error


def data_url(picture: Picture) -> str:
    """Return the picture as a data URL (RFC 2397)."""
    return f"data:{picture.media_type};base64,{base64.b64encode(picture.data).decode()}"


def inlined(request: ChatRequest, fetched: Mapping[str, Picture]) -> ChatRequest:
    """Return `request` with what was fetched in place of its URLs."""
    urls = {url: data_url(picture) for url, picture in fetched.items()}
    return replace(request, messages=tuple(_inlined(turn, urls) for turn in request.messages))


def _inlined(turn: Message, urls: Mapping[str, str]) -> Message:
    parts = tuple(
        replace(part, url=urls[part.url])
        if isinstance(part, ImagePart) and part.url in urls
        else part
        for part in turn.parts
    )
    return replace(turn, parts=parts)


async def _picture(url: str, place: str, call: Call, services: Services) -> Picture:
    most = services.document.images.source_bytes
    if url[:5].lower() == "data:":
        data = _inside(url, place, most)
    else:
        data = await _outside(url, place, most, call, services)
    return await checked(data, place, services)


async def _outside(url: str, place: str, most: int, call: Call, services: Services) -> bytes:
    try:
        async with services.fetch.request("GET", url, deadline=call.deadline) as answer:
            if answer.status != _OK:
                raise _fault(place, f"the URL answered {answer.status}, not a picture")
            return await answer.read(most)
    except TooLargeError as error:
        raise _fault(place, f"what the URL leads to has more than {most} bytes") from error
    except HttpError as error:
        raise _fault(place, "the URL cannot be fetched from here") from error


def _inside(url: str, place: str, most: int) -> bytes:
    head, _, data = url.partition(",")
    if not head.lower().endswith(";base64"):
        raise _fault(place, "a data URL of a picture must be base64")
    if len(data) > most * 4 // 3 + 4:
        raise _fault(place, f"the picture has more than {most} bytes")
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raise _fault(place, "the data URL is not base64") from None


def _fault(place: str, message: str) -> CallError:
    return CallError("invalid_parameter", f"{place}: {message}", param=place)

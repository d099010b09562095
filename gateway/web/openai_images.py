"""OpenAI's paths for pictures."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from secrets import randbits

from aiohttp import web

from gateway.dialects.openai_images import is_by_url, parse_edit, parse_images, render_images
from gateway.pipeline.call import Services
from gateway.pipeline.paths.links import checked
from gateway.schema.ask import Ask
from gateway.schema.failure import CallError
from gateway.schema.images import ImageAnswer, Picture
from gateway.schema.reply import Made
from gateway.web.access import check_prefetch
from gateway.web.album import Album
from gateway.web.base import public_base
from gateway.web.form import form_of
from gateway.web.handlers import document_of, presented_by
from gateway.web.received import services_of
from gateway.web.reply import answer
from gateway.web.serving import SERVING


@dataclass(frozen=True, slots=True)
class ImagesRendering:
    """Answers with OpenAI's list: base64, or URLs that open without a key."""

    ask: Ask
    album: Album
    base: str

    async def made(self, reply: Made, *, request_id: str, created: int) -> tuple[str, bytes]:
        """Return the list; pictures that are answered by URL are stored first."""
        if not isinstance(reply.thing, ImageAnswer):
            msg = f"pictures were answered with {type(reply.thing).__name__}"
            raise TypeError(msg)
        urls = []
        if is_by_url(self.ask):
            urls = [self.base + await self.album.sign(one.picture) for one in reply.thing.images]
        return "application/json", render_images(reply.thing, urls, created=created)

    def headers(self) -> dict[str, str]:
        """Return nothing of its own."""
        return {}


async def generate(request: web.Request) -> web.StreamResponse:
    """`POST …/images/generations`."""
    check_prefetch(request.headers)
    return await _answer(request, parse_images(await document_of(request), random_seed=_seed()))


async def edit(request: web.Request) -> web.StreamResponse:
    """`POST …/images/edits`."""
    return await _change(request, is_variation=False)


async def vary(request: web.Request) -> web.StreamResponse:
    """`POST …/images/variations`."""
    return await _change(request, is_variation=True)


async def _change(request: web.Request, *, is_variation: bool) -> web.StreamResponse:
    check_prefetch(request.headers)
    services = services_of(request)
    async with form_of(request, "image", "mask") as form:
        sources = [await _picture(file.path, "image", services) for file in form.files["image"]]
        masks = [await _picture(file.path, "mask", services) for file in form.files.get("mask", ())]
        ask = parse_edit(
            form.fields,
            sources,
            masks[0] if masks else None,
            random_seed=_seed(),
            is_variation=is_variation,
        )
    return await _answer(request, ask)


async def _answer(request: web.Request, ask: Ask) -> web.StreamResponse:
    rendering = ImagesRendering(ask, request.app[SERVING].album, public_base(request))
    return await answer(request, rendering, presented_by(request))


async def _picture(path: Path, param: str, services: Services) -> Picture:
    """Return a sent picture that has been looked at."""
    most = services.document.images.source_bytes
    data = await asyncio.to_thread(_read, path, most + 1)
    if len(data) > most:
        message = f"{param} has more than {most} bytes"
        raise CallError("too_large", message, param=param)
    return await checked(data, param, services)


def _read(path: Path, most: int) -> bytes:
    with path.open("rb") as file:
        return file.read(most)


def _seed() -> int:
    return randbits(31)

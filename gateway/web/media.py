"""OpenAI's paths for pictures, vectors, judgements and sound."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from secrets import randbits
from tempfile import NamedTemporaryFile

from aiohttp import web

from gateway.dialects.json_gate import parse_object
from gateway.dialects.openai_images import parse_images, render_images
from gateway.dialects.openai_media import (
    parse_embeddings,
    parse_moderation,
    parse_speech,
    parse_transcription,
    render_embeddings,
    render_moderation,
    render_transcript,
)
from gateway.schema.ask import Ask
from gateway.schema.audio import Transcript
from gateway.schema.embeddings import Embeddings
from gateway.schema.images import ImageAnswer
from gateway.schema.json import JsonObject
from gateway.schema.moderation import Moderation
from gateway.schema.reply import Made
from gateway.web.body import read_body
from gateway.web.form import read_form
from gateway.web.handlers import presented_by
from gateway.web.reply import answer
from gateway.web.serving import SERVING


@dataclass(frozen=True, slots=True)
class ThingRendering:
    """Answers with one thing, or with bytes as they come."""

    ask: Ask

    def made(self, reply: Made, *, request_id: str, created: int) -> tuple[str, bytes]:
        """Return the media type and the body."""
        match reply.thing:
            case Embeddings():
                is_base64 = self.ask.document.get("encoding_format") == "base64"
                model = self.ask.model
                body = render_embeddings(reply.thing, model=model, is_base64=is_base64)
                return "application/json", body
            case ImageAnswer():
                return "application/json", render_images(reply.thing, created=created)
            case Moderation():
                model = self.ask.model
                body = render_moderation(reply.thing, model=model, request_id=request_id)
                return "application/json", body
            case Transcript():
                return render_transcript(
                    reply.thing,
                    form=self.ask.document.get("response_format") or "json",
                    is_translation=bool(self.ask.document.get("is_translation")),
                    granularities=self.ask.document.get("timestamp_granularities", ()),
                )

    def headers(self) -> dict[str, str]:
        """Return nothing of its own."""
        return {}


async def embeddings(request: web.Request) -> web.StreamResponse:
    """`POST …/embeddings`."""
    ask = parse_embeddings(await _document(request))
    return await answer(request, ThingRendering(ask), presented_by(request))


async def moderations(request: web.Request) -> web.StreamResponse:
    """`POST …/moderations`."""
    ask = parse_moderation(await _document(request))
    return await answer(request, ThingRendering(ask), presented_by(request))


async def images(request: web.Request) -> web.StreamResponse:
    """`POST …/images/generations`."""
    ask = parse_images(await _document(request), random_seed=randbits(31))
    return await answer(request, ThingRendering(ask), presented_by(request))


async def speech(request: web.Request) -> web.StreamResponse:
    """`POST …/audio/speech`."""
    ask = parse_speech(await _document(request))
    return await answer(request, ThingRendering(ask), presented_by(request))


async def transcriptions(request: web.Request) -> web.StreamResponse:
    """`POST …/audio/transcriptions`."""
    return await _transcribe(request, is_translation=False)


async def translations(request: web.Request) -> web.StreamResponse:
    """`POST …/audio/translations`."""
    return await _transcribe(request, is_translation=True)


async def _transcribe(request: web.Request, *, is_translation: bool) -> web.StreamResponse:
    bounds = request.app[SERVING].bounds
    async with _own_file() as path:
        form = await read_form(request, path, bounds.body_bytes, bounds.body_s)
        fields: JsonObject = {**form.fields, "is_translation": is_translation}
        ask = parse_transcription(fields, path, form.filename, is_translation=is_translation)
        return await answer(request, ThingRendering(ask), presented_by(request))


@asynccontextmanager
async def _own_file() -> AsyncGenerator[Path]:
    """Give a file that only this process's user can read, and take it away."""
    with NamedTemporaryFile(prefix="dynagate-") as file:
        yield Path(file.name)


async def _document(request: web.Request) -> JsonObject:
    bounds = request.app[SERVING].bounds
    return parse_object(await read_body(request, bounds.body_bytes, bounds.body_s))

"""OpenAI's paths for vectors, judgements and sound."""

from dataclasses import dataclass

from aiohttp import web

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
from gateway.web.form import form_of
from gateway.web.handlers import document_of, presented_by
from gateway.web.reply import answer


@dataclass(frozen=True, slots=True)
class ThingRendering:
    """Answers with one thing, or with bytes as they come."""

    ask: Ask

    async def made(self, reply: Made, *, request_id: str, created: int) -> tuple[str, bytes]:
        """Return the media type and the body."""
        match reply.thing:
            case Embeddings():
                is_base64 = self.ask.document.get("encoding_format") == "base64"
                model = self.ask.model
                body = render_embeddings(reply.thing, model=model, is_base64=is_base64)
                return "application/json", body
            case ImageAnswer():
                msg = "pictures are answered where they are asked for"
                raise TypeError(msg)
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
    ask = parse_embeddings(await document_of(request))
    return await answer(request, ThingRendering(ask), presented_by(request))


async def moderations(request: web.Request) -> web.StreamResponse:
    """`POST …/moderations`."""
    ask = parse_moderation(await document_of(request))
    return await answer(request, ThingRendering(ask), presented_by(request))


async def speech(request: web.Request) -> web.StreamResponse:
    """`POST …/audio/speech`."""
    ask = parse_speech(await document_of(request))
    return await answer(request, ThingRendering(ask), presented_by(request))


async def transcriptions(request: web.Request) -> web.StreamResponse:
    """`POST …/audio/transcriptions`."""
    return await _transcribe(request, is_translation=False)


async def translations(request: web.Request) -> web.StreamResponse:
    """`POST …/audio/translations`."""
    return await _transcribe(request, is_translation=True)


async def _transcribe(request: web.Request, *, is_translation: bool) -> web.StreamResponse:
    async with form_of(request, "file") as form:
        file = form.files["file"][0]
        fields: JsonObject = {**form.fields, "is_translation": is_translation}
        fields["timestamp_granularities"] = form.lists.get("timestamp_granularities", ())
        ask = parse_transcription(fields, file.path, file.filename, is_translation=is_translation)
        return await answer(request, ThingRendering(ask), presented_by(request))

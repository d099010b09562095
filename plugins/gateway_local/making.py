"""What this kind makes besides text: vectors, judgements, pictures, speech and transcripts."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from functools import cached_property

from gateway.schema.audio import Segment, SpeechRequest, Transcript, TranscriptionRequest, Word
from gateway.schema.embeddings import EmbeddingRequest, Embeddings
from gateway.schema.images import (
    ImageAnswer,
    ImageEditRequest,
    ImageRequest,
    MadeImage,
    Picture,
)
from gateway.schema.json import JsonObject
from gateway.schema.moderation import Judgement, Moderation, ModerationRequest
from gateway.schema.usage import Usage
from gateway.sdk import ModelCard
from gateway.sdk.workshop import Workshop
from gateway_local.judging import Judge
from gateway_local.voices import VOICES

EMBED, MODERATE, PAINTER = "embed", "moderate", "painter"
SPEECH, TRANSCRIBE = "speech", "transcribe"
_JUDGED_HERE = 32_768
"""Up to so many characters judging takes less than 30 ms; longer ones go to another thread."""

CARDS: Mapping[str, ModelCard] = {
    EMBED: ModelCard(
        description="all-MiniLM-L6-v2 (8 bits), run on this machine: English, 384 dimensions, "
        "256 word pieces of a text.",
        context=256,
        input_modalities=("text",),
        output_modalities=("embedding",),
        licence="Apache-2.0",
    ),
    MODERATE: ModelCard(
        description="A heuristic: a list of English phrases, no model. Irony, slang and other "
        "languages pass it.",
        input_modalities=("text",),
        output_modalities=("moderation",),
    ),
    PAINTER: ModelCard(
        description="A procedural painter, no AI model: it reads the words of the prompt that it "
        "knows (subjects, colours, time of day, weather, styles) and draws them; the same seed, "
        "size and prompt give the same picture. It changes pictures by named image operations "
        "(brighten, blur, sepia, crop, rotate, watercolour, collage and others), and within a mask "
        "also removes or draws.",
        input_modalities=("text", "image"),
        output_modalities=("image",),
        deterministic=True,
    ),
    SPEECH: ModelCard(
        description="hibari-tts, run on this machine: English, six voices derived from one.",
        input_modalities=("text",),
        output_modalities=("audio",),
        voices=tuple(VOICES),
        licence="Apache-2.0",
    ),
    TRANSCRIBE: ModelCard(
        description="Whisper base, run on this machine: a hundred languages, clear speech.",
        input_modalities=("audio",),
        output_modalities=("text",),
        licence="MIT",
    ),
}


class Maker:
    """Asks the engines; each is a process of its own that starts with the first call."""

    def __init__(self, workshop: Workshop) -> None:
        self._workshop = workshop

    @cached_property
    def _judge(self) -> Judge:
        """Read the phrases with the first text: 10 ms that a start need not take."""
        return Judge()

    async def embed(self, request: EmbeddingRequest) -> Embeddings:
        """Return one vector a text."""
        asked = {"texts": list(request.texts), "dimensions": request.dimensions}
        facts, blob = await self._workshop.only("embed", "embed", asked)
        step = 4 * int(facts["dimensions"])
        vectors = tuple(blob[at : at + step] for at in range(0, len(blob), step))
        usage = Usage(input_tokens=sum(facts["tokens"]))
        return Embeddings(vectors, usage, "all-minilm-l6-v2")

    async def moderate(self, request: ModerationRequest) -> Moderation:
        """Return one judgement a text."""
        judgements = []
        for text in request.texts:
            if len(text) <= _JUDGED_HERE:
                scores, flagged = self._judge.judge(text)
                await asyncio.sleep(0)  # Two thousand texts must not hold the loop.
            else:
                scores, flagged = await asyncio.to_thread(self._judge.judge, text)
            judgements.append(Judgement(scores, flagged))
        return Moderation(tuple(judgements), "lexicon-heuristic-en")

    async def draw(self, request: ImageRequest) -> ImageAnswer:
        """Return the pictures, always PNG."""
        return await self._painted("draw", _wanted(request))

    async def edit(self, request: ImageEditRequest) -> ImageAnswer:
        """Return the changed pictures, always PNG."""
        asked = _wanted(request) | {"has_mask": request.mask is not None}
        given = request.sources if request.mask is None else (*request.sources, request.mask)
        return await self._painted("edit", asked, [picture.data for picture in given])

    async def _painted(
        self, method: str, asked: JsonObject, blobs: Sequence[bytes] = ()
    ) -> ImageAnswer:
        made = []
        async with aclosing(self._workshop.call("painter", method, asked, blobs)) as items:
            async for facts, data in items:
                said = facts["revised_prompt"]
                made.append(MadeImage(Picture(data, facts["media_type"]), facts["seed"], said))
        return ImageAnswer(tuple(made), model="painter")

    async def transcribe(self, request: TranscriptionRequest) -> Transcript:
        """Return what was said."""
        asked = {
            "path": str(request.path),
            "language": request.language,
            "prompt": request.prompt,
            "temperature": request.temperature,
            "is_translation": request.is_translation,
            "has_words": request.has_words,
        }
        facts, _ = await self._workshop.only("transcribe", "transcribe", asked)
        return Transcript(
            text=facts["text"],
            language=facts["language"],
            duration_s=facts["duration_s"],
            segments=tuple(Segment(**row) for row in facts["segments"]),
            words=tuple(Word(**row) for row in facts["words"]),
        )

    async def speak(self, request: SpeechRequest) -> AsyncGenerator[bytes]:
        """Yield the sound as it is made."""
        asked = {
            "text": request.text,
            "voice": request.voice,
            "speed": request.speed,
            "format": request.format,
            "is_hd": request.is_hd,
        }
        async with aclosing(self._workshop.call("speech", "speak", asked)) as items:
            async for _, sound in items:
                if sound:
                    yield sound


def _wanted(request: ImageRequest | ImageEditRequest) -> JsonObject:
    """Return what the painter is asked for, in its words."""
    return {
        "prompt": request.prompt,
        "width": request.width,
        "height": request.height,
        "n": request.n,
        "seed": request.seed,
        "style": request.style,
    }

"""Vectors, judgements and sound of an OpenAI-compatible API: documents out, answers in.

Source: OpenAI API reference, Embeddings, Moderations, Audio.
"""

import base64
import binascii
from array import array
from collections.abc import Mapping

from gateway.schema.audio import Segment, SpeechRequest, Transcript, TranscriptionRequest, Word
from gateway.schema.embeddings import EmbeddingRequest, Embeddings
from gateway.schema.failure import Failure
from gateway.schema.json import JsonObject
from gateway.schema.moderation import Judgement, Moderation, ModerationRequest
from gateway.schema.usage import Usage
from gateway.sdk import UpstreamError
from gateway_openai.multipart import File, form


def embedding_document(request: EmbeddingRequest) -> JsonObject:
    """Return the body that asks for `request`; base64 is a third of the bytes that numbers are."""
    document: JsonObject = {
        "model": request.model,
        "input": list(request.texts),
        "encoding_format": "base64",
    }
    if request.dimensions is not None:
        document["dimensions"] = request.dimensions
    return document


def embeddings_of(reply: JsonObject) -> Embeddings:
    """Return the vectors of a reply, in the order of their index; hosts may answer in numbers."""
    rows = reply.get("data")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise UpstreamError(Failure.TRANSIENT, "the answer has no data")
    rows = sorted(rows, key=lambda row: row.get("index") or 0)
    usage = reply.get("usage")
    count = usage.get("prompt_tokens") if isinstance(usage, dict) else None
    return Embeddings(
        tuple(_vector(row.get("embedding")) for row in rows),
        Usage(input_tokens=count) if isinstance(count, int) else None,
        _text(reply.get("model")),
    )


def moderation_document(request: ModerationRequest) -> JsonObject:
    """Return the body that asks for `request`."""
    return {"model": request.model, "input": list(request.texts)}


def moderation_of(reply: JsonObject) -> Moderation:
    """Return the judgements of a reply."""
    rows = reply.get("results")
    if not isinstance(rows, list):
        raise UpstreamError(Failure.TRANSIENT, "the answer has no results")
    return Moderation(tuple(map(_judgement, rows)), _text(reply.get("model")))


def speech_document(request: SpeechRequest) -> JsonObject:
    """Return the body that asks for `request`."""
    document: JsonObject = {
        "model": request.model,
        "input": request.text,
        "voice": request.voice,
        "response_format": request.format,
        "speed": request.speed,
    }
    if request.instructions is not None:
        document["instructions"] = request.instructions
    return document


def transcription_form(request: TranscriptionRequest) -> tuple[bytes, Mapping[str, str]]:
    """Return a multipart body (RFC 7578) for `request`, and its headers; reads the file."""
    fields = [("model", request.model), ("response_format", "verbose_json")]
    if request.language is not None and not request.is_translation:
        fields.append(("language", request.language))
    if request.prompt is not None:
        fields.append(("prompt", request.prompt))
    if request.temperature is not None:
        fields.append(("temperature", str(request.temperature)))
    if request.has_words:
        fields += [("timestamp_granularities[]", name) for name in ("word", "segment")]
    data = request.path.read_bytes()
    return form(fields, [File("file", request.filename, data)])


def transcript_of(reply: JsonObject) -> Transcript:
    """Return what a `verbose_json` reply says; hosts that know only `json` give the text alone."""
    text = reply.get("text")
    if not isinstance(text, str):
        raise UpstreamError(Failure.TRANSIENT, "the answer has no text")
    duration = reply.get("duration")
    return Transcript(
        text=text,
        language=_text(reply.get("language")),
        duration_s=_number(duration) if duration is not None else None,
        segments=tuple(_segment(row) for row in _objects(reply.get("segments"))),
        words=tuple(
            Word(str(row.get("word", "")), _number(row.get("start")), _number(row.get("end")))
            for row in _objects(reply.get("words"))
        ),
    )


def _judgement(row: object) -> Judgement:
    if not isinstance(row, dict):
        raise UpstreamError(Failure.TRANSIENT, "a result is no object")
    scores, flags = row.get("category_scores"), row.get("categories")
    scores = scores if isinstance(scores, dict) else {}
    flags = flags if isinstance(flags, dict) else {}
    return Judgement(
        {str(name): _number(score) for name, score in scores.items()},
        frozenset(str(name) for name, flag in flags.items() if flag is True),
    )


def _segment(row: JsonObject) -> Segment:
    tokens = row.get("tokens")
    return Segment(
        text=str(row.get("text", "")),
        start_s=_number(row.get("start")),
        end_s=_number(row.get("end")),
        average_logprob=_number(row.get("avg_logprob")),
        no_speech_probability=_number(row.get("no_speech_prob")),
        compression_ratio=_number(row.get("compression_ratio")),
        temperature=_number(row.get("temperature")),
        tokens=tuple(tokens) if isinstance(tokens, list) else (),
    )


def _vector(given: object) -> bytes:
    try:
        if isinstance(given, str):
            return base64.b64decode(given, validate=True)
        if isinstance(given, list):
            return array("f", given).tobytes()
    except (binascii.Error, TypeError, OverflowError):
        pass
    raise UpstreamError(Failure.TRANSIENT, "an embedding is neither numbers nor base64")


def _objects(given: object) -> list[JsonObject]:
    return [row for row in given if isinstance(row, dict)] if isinstance(given, list) else []


def _number(given: object) -> float:
    return float(given) if isinstance(given, int | float) else 0.0


def _text(given: object) -> str | None:
    return given if isinstance(given, str) else None

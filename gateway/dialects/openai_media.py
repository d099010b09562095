"""OpenAI's embeddings, moderations and audio: callers' bodies as asks, and answers in its format.

Source: OpenAI API reference, Embeddings, Moderations, Audio.
"""

import base64
from array import array
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import orjson

from gateway.dialects.fields import Choice, Integer, Kind, Number, Text, refusal
from gateway.dialects.openai_chat import check_fields, with_model
from gateway.dialects.subtitles import srt, vtt
from gateway.dialects.wishes import take_wishes
from gateway.schema.ask import Ask, Feature
from gateway.schema.audio import Segment, SpeechRequest, Transcript, TranscriptionRequest, Word
from gateway.schema.embeddings import EmbeddingRequest, Embeddings
from gateway.schema.failure import CallError
from gateway.schema.json import JsonObject, Wire
from gateway.schema.moderation import Moderation, ModerationRequest

EMBEDDING_FIELDS: Mapping[str, Kind] = MappingProxyType(
    {
        "model": Text(256, is_blank_ok=False),
        "encoding_format": Choice(("float", "base64")),
        "dimensions": Integer(1, 65_536),
        "user": Text(512),
    }
)
MODERATION_FIELDS: Mapping[str, Kind] = MappingProxyType({"model": Text(256, is_blank_ok=False)})
SPEECH_FIELDS: Mapping[str, Kind] = MappingProxyType(
    {
        "model": Text(256, is_blank_ok=False),
        "input": Text(100_000, is_blank_ok=False),
        "voice": Text(64, is_blank_ok=False),
        "response_format": Choice(("mp3", "opus", "aac", "flac", "wav", "pcm")),
        "speed": Number(0.25, 4.0),
        "instructions": Text(4096),
        "stream_format": Choice(("audio",)),
    }
)
TRANSCRIPTION_FIELDS: Mapping[str, Kind] = MappingProxyType(
    {
        "model": Text(256, is_blank_ok=False),
        "language": Text(16),
        "prompt": Text(10_000),
        "response_format": Choice(("json", "text", "srt", "verbose_json", "vtt")),
        "temperature": Number(0.0, 1.0),
    }
)
DEFAULT_MODERATION = "omni-moderation-latest"
_MAX_TEXTS = 2048
_DEFAULT_VOICE = "alloy"


def parse_embeddings(document: JsonObject) -> Ask:
    """Return the request that `document` makes."""
    wished = take_wishes(document)
    check_fields(document, EMBEDDING_FIELDS)
    are_tokens = _are_tokens(document.get("input"))
    if not are_tokens:
        _texts(document)

    def translate(given: JsonObject) -> EmbeddingRequest:
        if are_tokens:
            message = "this model takes no token arrays: send text"
            raise CallError("unsupported_feature", message, param="input")
        # Not what was checked above: the document is the pipeline's to change.
        return EmbeddingRequest(given["model"], _texts(given), dimensions=given.get("dimensions"))

    return Ask(
        dialect="openai_embeddings",
        model=document["model"],
        translate=translate,
        needs=frozenset({Feature.EMBEDDING}),
        wire=Wire.OPENAI_EMBEDDINGS,
        document=document,
        answer="thing",
        wished=wished,
    )


def render_embeddings(made: Embeddings, *, model: str, is_base64: bool) -> bytes:
    """Return OpenAI's list; floats as numbers, or their bytes in base64."""
    data = [
        {"object": "embedding", "index": index, "embedding": _vector(raw, is_base64=is_base64)}
        for index, raw in enumerate(made.vectors)
    ]
    count = made.usage.total_in if made.usage else 0
    usage = {"prompt_tokens": count, "total_tokens": count}
    document = {"object": "list", "data": data, "model": made.model or model, "usage": usage}
    return orjson.dumps(document)


def parse_moderation(document: JsonObject) -> Ask:
    """Return the request that `document` makes."""
    wished = take_wishes(document)
    document = with_model(document, DEFAULT_MODERATION)
    check_fields(document, MODERATION_FIELDS)
    texts = _texts(document)
    return Ask(
        dialect="openai_moderations",
        model=document["model"],
        translate=lambda given: ModerationRequest(given["model"], texts),
        needs=frozenset({Feature.MODERATION}),
        document=document,
        answer="thing",
        wished=wished,
    )


def render_moderation(made: Moderation, *, model: str, request_id: str) -> bytes:
    """Return OpenAI's judgements."""
    results = [
        {
            "flagged": bool(judgement.flagged),
            "categories": {name: name in judgement.flagged for name in judgement.scores},
            "category_scores": dict(judgement.scores),
            "category_applied_input_types": {name: ["text"] for name in judgement.scores},
        }
        for judgement in made.judgements
    ]
    document = {"id": f"modr-{request_id}", "model": made.model or model, "results": results}
    return orjson.dumps(document)


def parse_speech(document: JsonObject) -> Ask:
    """Return the request that `document` makes."""
    wished = take_wishes(document)
    check_fields(document, SPEECH_FIELDS)
    if document.get("input") is None:
        raise CallError(
            "missing_parameter", "input is missing: give the text to read", param="input"
        )
    return Ask(
        dialect="openai_speech",
        model=document["model"],
        translate=_to_speech,
        needs=frozenset({Feature.SPEECH}),
        document=document,
        answer="bytes",
        wished=wished,
    )


def parse_transcription(
    fields: Mapping[str, Any], path: Path, filename: str, *, is_translation: bool
) -> Ask:
    """Return the request of a form whose file lies at `path`; the fields are its text parts."""
    for name, kind in TRANSCRIPTION_FIELDS.items():
        if name in fields:
            kind.from_text(name, fields[name])
    if not fields.get("model"):
        raise CallError("missing_parameter", "model is missing", param="model")
    granularities = fields.get("timestamp_granularities", ())
    for name in granularities:
        Choice(("word", "segment")).from_text("timestamp_granularities", name)
    heat = fields.get("temperature")
    return Ask(
        dialect="openai_transcriptions",
        model=fields["model"],
        translate=lambda given: TranscriptionRequest(
            model=given["model"],
            path=path,
            filename=filename,
            language=given.get("language") or None,
            prompt=given.get("prompt") or None,
            temperature=None if heat is None else float(heat),
            is_translation=is_translation,
            has_words="word" in granularities,
        ),
        needs=frozenset({Feature.TRANSCRIPTION}),
        document=dict(fields),
        answer="thing",
    )


def render_transcript(
    made: Transcript, *, form: str, is_translation: bool, granularities: tuple[str, ...]
) -> tuple[str, bytes]:
    """Return the media type and the body in one of OpenAI's five formats."""
    match form:
        case "text":
            return "text/plain; charset=utf-8", f"{made.text}\n".encode()
        case "srt":
            return "text/plain; charset=utf-8", srt(made.segments).encode()
        case "vtt":
            return "text/vtt; charset=utf-8", vtt(made.segments).encode()
        case "verbose_json":
            document: JsonObject = {
                "task": "translate" if is_translation else "transcribe",
                "language": made.language or "",
                "duration": made.duration_s or 0.0,
                "text": made.text,
            }
            if "segment" in granularities or not granularities:
                document["segments"] = [_segment(n, one) for n, one in enumerate(made.segments)]
            if "word" in granularities:
                document["words"] = [_word(word) for word in made.words]
            return "application/json", orjson.dumps(document)
        case _:  # `json`, the one that is left.
            return "application/json", orjson.dumps({"text": made.text})


def _to_speech(document: JsonObject) -> SpeechRequest:
    return SpeechRequest(
        model=document["model"],
        text=document["input"],
        voice=document.get("voice") or _DEFAULT_VOICE,
        format=document.get("response_format") or "mp3",
        speed=document.get("speed") or 1.0,
        is_hd=document["model"].endswith("-hd"),
        instructions=document.get("instructions"),
    )


def _texts(document: JsonObject) -> tuple[str, ...]:
    given = document.get("input")
    if given is None:
        raise CallError("missing_parameter", "input is missing: give text", param="input")
    texts = [given] if isinstance(given, str) else given
    if isinstance(texts, list):
        texts = [_text_of(text) for text in texts]
    if not isinstance(texts, list) or not 0 < len(texts) <= _MAX_TEXTS:
        raise refusal("input", given, f"a string or an array of 1 to {_MAX_TEXTS} strings")
    for number, text in enumerate(texts):
        if not isinstance(text, str) or not text:
            raise refusal(f"input[{number}]", text, "a string that is not empty")
    return tuple(texts)


def _are_tokens(given: Any) -> bool:  # Any: a JSON value.
    """Say whether `given` is an array of token numbers, or up to 2,048 such arrays."""
    if not isinstance(given, list) or not given:
        return False
    if isinstance(given[0], list):
        return len(given) <= _MAX_TEXTS and all(
            isinstance(one, list) and bool(one) and _are_numbers(one) for one in given
        )
    return _are_numbers(given)


def _are_numbers(given: list[Any]) -> bool:  # Any: JSON values.
    return all(type(number) is int and number >= 0 for number in given)


def _text_of(given: Any) -> Any:  # Any: a JSON value; a text part of a newer API is its text.
    is_part = isinstance(given, dict) and given.get("type") == "text"
    return given.get("text") if is_part else given


def _vector(raw: bytes, *, is_base64: bool) -> str | list[float]:
    if is_base64:
        return base64.b64encode(raw).decode()
    floats = array("f")
    floats.frombytes(raw)
    return floats.tolist()


def _segment(number: int, segment: Segment) -> JsonObject:
    return {
        "id": number,
        "seek": 0,
        "start": segment.start_s,
        "end": segment.end_s,
        "text": segment.text,
        "tokens": list(segment.tokens),
        "temperature": segment.temperature,
        "avg_logprob": segment.average_logprob,
        "compression_ratio": segment.compression_ratio,
        "no_speech_prob": segment.no_speech_probability,
    }


def _word(word: Word) -> JsonObject:
    return {"word": word.text, "start": word.start_s, "end": word.end_s}

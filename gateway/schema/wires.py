"""What the core may know of a wire: facts about documents and frames, so that bytes can pass."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from gateway.schema.json import JsonObject, Wire
from gateway.schema.sse import DONE, data_of, frames_of
from gateway.schema.stated_cost import stated_cost
from gateway.schema.usage import Usage

_USAGE = re.compile(rb'"usage"\s*:\s*\{')
_FINISH, _FINISH_SPACED = b'"finish_reason":"', b'"finish_reason": "'
_EMPTY, _EMPTY_SPACED = b'"choices":[]', b'"choices": []'
_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")
_EDGE_BYTES = 1024
_MESSAGE_CHARS = 64 * 1024
_MOST_TOKENS = 10**12
"""Of tokens: more is nonsense that no column holds."""
_KNOB_FIELDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "max_output_tokens": ("max_tokens", "max_completion_tokens"),
        "top_logprobs": ("logprobs", "top_logprobs"),
    }
)
_PIECES = (
    "content",
    "reasoning_content",
    "reasoning",
    "refusal",
    "tool_calls",
    "function_call",
    "audio",
)


def retarget(document: JsonObject, model: str) -> JsonObject:
    """Return `document` asking for `model`; the original keeps its own."""
    return {**document, "model": model}


def fields_of(knob: str, document: JsonObject) -> tuple[str, ...]:
    """Return the fields of `document` that say the knob of this name in `schema.chat.Sampling`.

    A document without any of them, such as that of another dialect, has the knob's own name.
    """
    named = _KNOB_FIELDS.get(knob, ())
    return tuple(name for name in named if document.get(name) is not None) or (knob,)


def inline(document: JsonObject, pictures: Mapping[str, str]) -> JsonObject:
    """Return an OpenAI chat `document` with the data URLs of `pictures` in place of their URLs."""
    return {**document, "messages": [_inlined(turn, pictures) for turn in document["messages"]]}


def _inlined(turn: JsonObject, pictures: Mapping[str, str]) -> JsonObject:
    content = turn.get("content")
    if not isinstance(content, list):
        return turn
    parts = []
    for part in content:
        image = part.get("image_url")
        if part.get("type") == "image_url" and image["url"] in pictures:
            parts.append({**part, "image_url": {**image, "url": pictures[image["url"]]}})
        else:
            parts.append(part)
    return {**turn, "content": parts}


def begins_like_reply(wire: Wire, head: bytes) -> bool:
    """Say whether a reply too large to be parsed begins as a JSON object with an answer in it."""
    name = b'"data"' if wire is Wire.OPENAI_EMBEDDINGS else b'"choices"'
    return head[:_EDGE_BYTES].lstrip().startswith(b"{") and name in head


def ends_like_reply(tail: bytes) -> bool:
    """Say whether the end of a reply is that of a JSON object."""
    return tail.rstrip().endswith(b"}")


def is_answer(wire: Wire, reply: JsonObject, asked: JsonObject) -> bool:
    """Say whether a whole `reply` on one of OpenAI's wires holds the answer to what was `asked`."""
    if wire is not Wire.OPENAI_EMBEDDINGS:
        return is_meaningful(reply)
    rows, given = reply.get("data"), asked["input"]
    is_one = not isinstance(given, list) or (bool(given) and isinstance(given[0], int))
    count = 1 if is_one else len(given)
    return isinstance(rows, list) and len(rows) == count and all(map(_is_vector, rows))


def _is_vector(row: object) -> bool:
    vector = row.get("embedding") if isinstance(row, dict) else None
    if isinstance(vector, str):
        return _BASE64.fullmatch(vector) is not None
    return isinstance(vector, list) and bool(vector)


def is_meaningful(document: JsonObject) -> bool:
    """Say whether a chunk or a whole reply of OpenAI's wires carries part of an answer."""
    choices = document.get("choices")
    if not isinstance(choices, list):
        return False
    for choice in choices:
        if not isinstance(choice, dict):
            continue
        if choice.get("text"):
            return True
        said = choice.get("delta") or choice.get("message")
        if isinstance(said, dict):
            for piece in _PIECES:  # No generator: this is asked of each chunk.
                if said.get(piece):
                    return True
    return False


def usage_of(document: JsonObject) -> Usage | None:
    """Return the disjoint token counts of a chunk or reply of OpenAI's wires, if it has them."""
    said = document.get("usage")
    if not isinstance(said, dict):
        return None
    came_in = said.get("prompt_tokens_details")
    went_out = said.get("completion_tokens_details")
    if not (came_in or went_out or "cost" in said or "cost_in_usd_ticks" in said):
        read, wrote = _count(said, "prompt_tokens"), _count(said, "completion_tokens")
        return Usage(input_tokens=read, output_tokens=wrote)  # As most hosts say it.
    came_in = came_in if isinstance(came_in, dict) else {}
    went_out = went_out if isinstance(went_out, dict) else {}
    prompt, completion = _count(said, "prompt_tokens"), _count(said, "completion_tokens")
    cached = min(_count(came_in, "cached_tokens"), prompt)
    written = min(_count(came_in, "cache_write_tokens"), prompt - cached)
    heard = min(_count(came_in, "audio_tokens"), prompt - cached - written)
    reasoned = _count(went_out, "reasoning_tokens")
    if reasoned and _count(said, "total_tokens") == prompt + completion + reasoned:
        completion += reasoned  # xAI's completion tokens are those of the answer alone.
    reasoned = min(reasoned, completion)
    spoken = min(_count(went_out, "audio_tokens"), completion - reasoned)
    return Usage(
        input_tokens=prompt - cached - written - heard,
        cached_input_tokens=cached,
        cache_write_tokens=written,
        audio_in_tokens=heard,
        output_tokens=completion - reasoned - spoken,
        reasoning_tokens=reasoned,
        audio_out_tokens=spoken,
        cost_usd_micros=stated_cost(said),
    )


def openai_usage(usage: Usage) -> JsonObject:
    """Return OpenAI's usage object for `usage`."""
    return {
        "prompt_tokens": usage.total_in,
        "completion_tokens": usage.total_out,
        "total_tokens": usage.total_in + usage.total_out,
        "prompt_tokens_details": {
            "cached_tokens": usage.cached_input_tokens,
            "audio_tokens": usage.audio_in_tokens,
        },
        "completion_tokens_details": {
            "reasoning_tokens": usage.reasoning_tokens,
            "audio_tokens": usage.audio_out_tokens,
        },
    }


@dataclass(slots=True)
class Tap:
    """Watches the blocks of one forwarded stream of OpenAI's wires, opening as few as it can.

    `parse` reads one JSON object from an upstream's bytes and returns None when it is none.
    """

    parse: Callable[[bytes], JsonObject | None]
    is_usage_wanted: bool
    usage: Usage | None = None
    error: JsonObject | None = None
    is_finished: bool = False
    is_done: bool = False

    def watch(self, block: bytes) -> bytes:
        """Return what of `block` the caller is to see; note usage, the end and an error.

        A chunk without choices (a usage, a filter's verdict on the prompt) is taken out unless the
        caller asked for usage, and so is what follows an error.
        """
        if not self.is_finished and (_FINISH in block or _FINISH_SPACED in block):
            self.is_finished = True
        if (
            (b'"usage"' in block and _USAGE.search(block))
            or _EMPTY in block
            or _EMPTY_SPACED in block
        ):
            block = self._take_empty(block)
        if b'"error"' in block:
            block = self._take_error(block)
        if block.endswith(DONE) or (b"[DONE]" in block and _says_done(block)):
            self.is_done = True
        return block

    def _take_empty(self, block: bytes) -> bytes:
        kept = []
        for frame in frames_of(block):
            is_suspect = b'"usage"' in frame or _EMPTY in frame or _EMPTY_SPACED in frame
            document = self.parse(data_of(frame)) if is_suspect else None
            usage = usage_of(document) if document else None
            if usage is not None:
                self.usage = usage
            if (
                document is None
                or self.is_usage_wanted
                or document.get("choices")
                or is_error(document)
                or (usage is None and "choices" not in document)
            ):
                kept.append(frame)
        return b"".join(kept)

    def _take_error(self, block: bytes) -> bytes:
        kept = []
        for frame in frames_of(block):
            document = self.parse(data_of(frame)) if b'"error"' in frame else None
            if document is not None and is_error(document):
                self.error = document
                break
            kept.append(frame)
        return b"".join(kept)


def is_error(document: JsonObject) -> bool:
    """Say whether a body or chunk is an error, whatever its status was."""
    return bool(document.get("error"))


def error_message(document: JsonObject) -> str:
    """Return an upstream's words in any of the shapes in use.

    Far longer than anybody is shown: whoever shows them takes secrets out first, which half a
    secret would survive, and cuts then.
    """
    said = document.get("error", document)
    if isinstance(said, dict):
        said = said.get("message") or said.get("code") or said.get("type") or ""
    if not said:
        said = document.get("message") or document.get("detail") or ""
    return (said if isinstance(said, str) else str(said))[:_MESSAGE_CHARS]


def _says_done(block: bytes) -> bool:
    return any(data_of(frame) == b"[DONE]" for frame in frames_of(block))


def _count(where: JsonObject, name: str) -> int:
    value = where.get(name)
    return min(value, _MOST_TOKENS) if isinstance(value, int) and value > 0 else 0


TAIL_BYTES = 4096
"""As much of a large reply's end is looked at for its usage."""


def usage_at_end(tail: bytes, parse: Callable[[bytes], JsonObject | None]) -> Usage | None:
    """Return the usage that the last `TAIL_BYTES` of a large reply hold; the rest is not opened."""
    found = list(_USAGE.finditer(tail))
    if not found:
        return None
    start = found[-1].end() - 1
    depth = 0
    for end in range(start, len(tail)):
        depth += (tail[end] == ord("{")) - (tail[end] == ord("}"))
        if depth == 0:
            return usage_of({"usage": parse(tail[start : end + 1])})
    return None

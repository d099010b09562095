"""What the live feeds say of a generation: built from what may be public, and nothing else."""

from collections.abc import Mapping

import orjson

from gateway.schema.json import JsonObject

MAX_RESPONSE_BYTES = 16 * 1024
"""The most of an answer that a feed repeats."""
MAX_PROMPT_CHARS = 2000

_MODEL_CHARS = 256
_PARAMETERS = (
    "temperature",
    "top_p",
    "presence_penalty",
    "frequency_penalty",
    "seed",
    "json",
    "stream",
)
# No line ends in server-sent events, but in what many clients split text by (Python's splitlines).
_LINE_ENDS = tuple(
    (character.encode(), b"\\u%04x" % ord(character)) for character in "\x85\u2028\u2029"
)


def text_event(
    *, response: str, model: str, user_input: str, parameters: Mapping[str, object]
) -> JsonObject:
    """Return the event of a text; of `parameters` it tells tuning knobs alone."""
    return {
        "response": response,
        "model": model[:_MODEL_CHARS],
        "messages": [{"role": "user", "content": user_input[:MAX_PROMPT_CHARS]}],
        "parameters": {name: parameters[name] for name in _PARAMETERS if name in parameters},
    }


def image_event(
    *, prompt: str, image_url: str, size: tuple[int, int], seed: int, model: str, is_unmarked: bool
) -> JsonObject:
    """Return the event of a picture that was drawn from words; `size` is width and height."""
    width, height = size
    return {
        "prompt": prompt[:MAX_PROMPT_CHARS],
        "imageURL": image_url,
        "width": width,
        "height": height,
        "seed": seed,
        "model": model[:_MODEL_CHARS],
        "nologo": is_unmarked,
        "status": "end_generating",
    }


def event_line(event: JsonObject) -> bytes:
    """Return `event` as JSON on one line, whatever a reader takes for the end of one."""
    line = orjson.dumps(event)
    for end, escaped in _LINE_ENDS:
        line = line.replace(end, escaped)
    return line

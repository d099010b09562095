"""OpenAI's image generations: a caller's body as an ask, and the pictures in its format.

Source: OpenAI API reference, Images.
"""

import base64
import re
from collections.abc import Mapping
from types import MappingProxyType

import orjson

from gateway.dialects.fields import Choice, Integer, Kind, Text, refusal
from gateway.dialects.openai_chat import check_fields
from gateway.schema.ask import Ask, Feature
from gateway.schema.failure import CallError
from gateway.schema.images import Finishing, ImageAnswer, ImageRequest
from gateway.schema.json import JsonObject

IMAGE_FIELDS: Mapping[str, Kind] = MappingProxyType(
    {
        "model": Text(256, is_blank_ok=False),
        "prompt": Text(32_000, is_blank_ok=False),
        "n": Integer(1, 10),
        "response_format": Choice(("b64_json", "url")),
        "output_format": Choice(("png", "jpeg", "webp")),
        "quality": Text(32),
        "style": Text(64),
        "seed": Integer(),
        "user": Text(512),
    }
)
DEFAULT_MODEL = "flux"
_SIZE = re.compile(r"([0-9]{1,5})x([0-9]{1,5})")
_SMALLEST, _LARGEST = 64, 2048


def parse_images(document: JsonObject, *, random_seed: int) -> Ask:
    """Return the request that `document` makes; `random_seed` stands in for one not given."""
    if document.get("model") is None:
        document = {**document, "model": DEFAULT_MODEL}
    check_fields(document, IMAGE_FIELDS)
    if document.get("prompt") is None:
        raise CallError("missing_parameter", "prompt is missing: say what to draw", param="prompt")
    if document.get("response_format") == "url":
        message = "pictures are answered as b64_json alone for now"
        raise CallError("unsupported_feature", message, param="response_format")
    width, height = _sides(document.get("size"))
    seed = document.get("seed")
    media_type = f"image/{document.get('output_format') or 'png'}"

    def translate(given: JsonObject) -> ImageRequest:
        return ImageRequest(
            model=given["model"],
            prompt=given["prompt"],
            width=width,
            height=height,
            n=given.get("n") or 1,
            seed=random_seed if seed is None else seed,
            media_type=media_type,
            quality=given.get("quality"),
            style=given.get("style"),
        )

    return Ask(
        dialect="openai_images",
        model=document["model"],
        translate=translate,
        needs=frozenset({Feature.IMAGE}),
        document=document,
        answer="thing",
        has_seed=seed is not None,
        finishing=Finishing(width, height, media_type),
    )


def render_images(made: ImageAnswer, *, created: int) -> bytes:
    """Return OpenAI's list of pictures, each in base64 with what was really drawn."""
    data = []
    for image in made.images:
        row = {"b64_json": base64.b64encode(image.picture.data).decode()}
        if image.revised_prompt is not None:
            row["revised_prompt"] = image.revised_prompt
        data.append(row)
    return orjson.dumps({"created": created, "data": data})


def _sides(size: object) -> tuple[int | None, int | None]:
    if size is None or size == "auto":
        return None, None
    found = _SIZE.fullmatch(size) if isinstance(size, str) else None
    sides = (int(found[1]), int(found[2])) if found else ()
    if not sides or not all(_SMALLEST <= side <= _LARGEST for side in sides):
        raise refusal("size", size, f"auto, or WIDTHxHEIGHT of {_SMALLEST} to {_LARGEST} each")
    return sides

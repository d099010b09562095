"""OpenAI's pictures: a caller's body or form as an ask, and the pictures in its format.

Source: OpenAI API reference, Images.
"""

import base64
import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import orjson

from gateway.dialects.fields import Boolean, Choice, Integer, Kind, Text, refusal
from gateway.dialects.openai_chat import check_fields, with_model
from gateway.dialects.wishes import take_wishes
from gateway.schema.ask import Ask, Feature
from gateway.schema.failure import CallError
from gateway.schema.images import Finishing, ImageAnswer, ImageEditRequest, ImageRequest, Picture
from gateway.schema.json import JsonObject
from gateway.schema.wishes import Wished

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
        "stream": Boolean(),
        "user": Text(512),
    }
)
DEFAULT_MODEL = "flux"
MAX_SOURCES = 16
_BASE64_BY_DEFAULT = ("gpt-image", "gptimage", "chatgpt-image")
"""OpenAI's newer models answer in base64 alone, and its older ones by URL unless told otherwise."""

_SIZE = re.compile(r"([0-9]{1,5})x([0-9]{1,5})")
_SMALLEST, _LARGEST = 64, 2048


def parse_images(document: JsonObject, *, random_seed: int) -> Ask:
    """Return the request that `document` makes; `random_seed` stands in for one not given."""
    wished = take_wishes(document)
    document = with_model(document, DEFAULT_MODEL)
    check_fields(document, IMAGE_FIELDS)
    if document.get("prompt") is None:
        raise CallError("missing_parameter", "prompt is missing: say what to draw", param="prompt")
    width, height = _sides(document.get("size"))
    return _ask(
        document,
        ImageRequest(
            model=document["model"],
            prompt=document["prompt"],
            width=width,
            height=height,
            n=document.get("n") or 1,
            seed=random_seed if document.get("seed") is None else document["seed"],
            media_type=_media_type(document),
            quality=document.get("quality"),
            style=document.get("style"),
        ),
        wished,
    )


def parse_edit(
    form: Mapping[str, str],
    sources: Sequence[Picture],
    mask: Picture | None,
    *,
    random_seed: int,
    is_variation: bool,
) -> Ask:
    """Return the request of a form's text fields and its pictures; a variation has no prompt."""
    given = with_model(dict(form), DEFAULT_MODEL)
    document: JsonObject = {
        name: kind.from_text(name, given[name])
        for name, kind in IMAGE_FIELDS.items()
        if given.get(name)
    }
    if not is_variation and "prompt" not in document:
        message = "prompt is missing: say what to change"
        raise CallError("missing_parameter", message, param="prompt")
    if not 0 < len(sources) <= (most := 1 if is_variation else MAX_SOURCES):
        message = f"image: {len(sources)} pictures were sent; 1 to {most} are taken"
        raise CallError("invalid_parameter", message, param="image")
    width, height = _sides(given.get("size"))
    return _ask(
        document,
        ImageEditRequest(
            model=document["model"],
            prompt="" if is_variation else document["prompt"],
            sources=tuple(sources),
            mask=mask,
            width=width,
            height=height,
            n=document.get("n", 1),
            seed=document.get("seed", random_seed),
            media_type=_media_type(document),
            quality=document.get("quality"),
            style=document.get("style"),
        ),
    )


def is_by_url(ask: Ask) -> bool:
    """Say whether the pictures are to be answered as URLs and not as base64."""
    wanted = ask.document.get("response_format")
    if wanted is not None:
        return bool(wanted == "url")
    return not ask.model.startswith(_BASE64_BY_DEFAULT)


def render_images(made: ImageAnswer, urls: Sequence[str], *, created: int) -> bytes:
    """Return OpenAI's list of pictures: their `urls`, or without those their bytes in base64."""
    data = []
    for number, image in enumerate(made.images):
        row = (
            {"url": urls[number]}
            if urls
            else {"b64_json": base64.b64encode(image.picture.data).decode()}
        )
        if image.revised_prompt is not None:
            row["revised_prompt"] = image.revised_prompt
        data.append(row)
    return orjson.dumps({"created": created, "data": data})


def _ask(
    document: JsonObject, request: ImageRequest | ImageEditRequest, wished: Wished | None = None
) -> Ask:
    if document.get("stream"):
        message = "pictures come whole here: leave stream out"
        raise CallError("unsupported_feature", message, param="stream")
    is_edit = isinstance(request, ImageEditRequest)
    return Ask(
        dialect="openai_images",
        model=request.model,
        translate=lambda _: request,
        needs=frozenset({Feature.IMAGE_EDIT if is_edit else Feature.IMAGE}),
        document=document,
        answer="thing",
        has_seed=document.get("seed") is not None,
        finishing=Finishing(request.width, request.height, request.media_type),
        wished=wished,
    )


def _media_type(document: JsonObject) -> str:
    return f"image/{document.get('output_format') or 'png'}"


def _sides(size: object) -> tuple[int | None, int | None]:
    if size is None or size in ("", "auto"):
        return None, None
    found = _SIZE.fullmatch(size) if isinstance(size, str) else None
    sides = (int(found[1]), int(found[2])) if found else ()
    if not sides or not all(_SMALLEST <= side <= _LARGEST for side in sides):
        raise refusal("size", size, f"auto, or WIDTHxHEIGHT of {_SMALLEST} to {_LARGEST} each")
    return sides

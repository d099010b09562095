"""Pictures of an OpenAI-compatible API: documents and forms out, answers in.

Source: OpenAI API reference, Images.
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import replace

from gateway.schema.failure import Failure
from gateway.schema.images import ImageAnswer, ImageEditRequest, ImageRequest, MadeImage, Picture
from gateway.schema.json import JsonObject
from gateway.sdk import HttpClient, HttpError, UpstreamError
from gateway_openai.failures import unreachable
from gateway_openai.multipart import File, form
from gateway_openai.painters import painter_of, size_for

_OK = 200
_LINKED_BYTES = 32 * 1024 * 1024
_VARY = "Draw a variation of this picture."
_SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
)


def parts_of(request: ImageRequest) -> Sequence[ImageRequest]:
    """Return the calls that `request` takes: one, or several where a model draws fewer at once."""
    most = painter_of(request.model).most
    return [replace(request, n=min(most, request.n - start)) for start in range(0, request.n, most)]


def image_document(request: ImageRequest) -> JsonObject:
    """Return the body for `/images/generations`; of the sizes that the model takes."""
    return {"model": request.model, "prompt": request.prompt, "n": request.n, **_options(request)}


def edit_form(request: ImageEditRequest) -> tuple[str, bytes, Mapping[str, str]]:
    """Return the path, the body and its headers; raise `UpstreamError` for what no model takes.

    An empty prompt goes to `/images/variations`, or says in words what it asks for.
    """
    painter = painter_of(request.model)
    _require(0 < len(request.sources) <= painter.sources, "so many pictures", "image")
    fields = [("model", request.model), ("n", str(request.n)), *_options(request).items()]
    if not request.prompt and painter.has_variations:
        _require(request.mask is None, "a mask without words", "mask")
        body, headers = form(fields, [_file("image", request.sources[0])])
        return "/images/variations", body, headers
    name = "image" if len(request.sources) == 1 else "image[]"
    files = [_file(name, source, number) for number, source in enumerate(request.sources)]
    if request.mask is not None:
        files.append(_file("mask", request.mask))
    body, headers = form([("prompt", request.prompt or _VARY), *fields], files)
    return "/images/edits", body, headers


async def images_of(reply: JsonObject, fetch: HttpClient, deadline: float) -> ImageAnswer:
    """Return the pictures of a reply; their bytes say what they are.

    Some hosts answer with links all the same; those are fetched, guarded as a caller's would be.
    """
    rows = reply.get("data")
    made = []
    for row in rows if isinstance(rows, list) else []:
        if not isinstance(row, dict):
            raise UpstreamError(Failure.TRANSIENT, "a picture is no object")
        data = await _data_of(row, fetch, deadline)
        revised = row.get("revised_prompt")
        made.append(
            MadeImage(
                Picture(data, _sniffed(data)),
                revised_prompt=revised if isinstance(revised, str) else None,
            )
        )
    return ImageAnswer(tuple(made))


def _options(request: ImageRequest | ImageEditRequest) -> dict[str, str]:
    painter = painter_of(request.model)
    options = {}
    if request.width is not None and request.height is not None:
        width, height = size_for(painter, request.width, request.height)
        options["size"] = f"{width}x{height}"
    if request.quality is not None:
        options["quality"] = request.quality
    if painter.names_format:
        options["output_format"] = request.media_type.removeprefix("image/")
    else:
        options["response_format"] = "b64_json"
    return options


def _require(is_so: bool, what: str, param: str) -> None:
    if not is_so:
        raise UpstreamError(Failure.UNSUPPORTED, f"this model does not take {what}", param=param)


def _file(name: str, picture: Picture, number: int = 0) -> File:
    ending = picture.media_type.partition("/")[2]
    filename = f"{name.removesuffix('[]')}-{number}.{ending}"
    return File(name, filename, picture.data, picture.media_type)


async def _data_of(row: JsonObject, fetch: HttpClient, deadline: float) -> bytes:
    link = row.get("url")
    text = row.get("b64_json")
    if not isinstance(text, str) and isinstance(link, str):
        if not link.startswith("data:"):
            return await _fetched(link, fetch, deadline)
        text = link.partition(",")[2]
    try:
        return base64.b64decode(text or "", validate=True)
    except (TypeError, ValueError) as error:
        raise UpstreamError(Failure.TRANSIENT, "a picture is not base64") from error


async def _fetched(link: str, fetch: HttpClient, deadline: float) -> bytes:
    data = bytearray()
    try:
        async with fetch.request("GET", link, deadline=deadline) as answer:
            if answer.status != _OK:
                message = f"the link to a picture answered {answer.status}"
                raise UpstreamError(Failure.TRANSIENT, message)
            async for piece in answer:
                data += piece
                if len(data) > _LINKED_BYTES:
                    raise UpstreamError(Failure.TRANSIENT, "a linked picture is too large")
    except HttpError as error:
        raise unreachable(error) from error
    return bytes(data)


def _sniffed(data: bytes) -> str:
    for signature, media_type in _SIGNATURES:
        if data.startswith(signature):
            return media_type
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "image/webp"
    if data[4:8] == b"ftyp" and b"avi" in data[8 : int.from_bytes(data[:4])]:
        return "image/avif"
    raise UpstreamError(Failure.TRANSIENT, "a picture of the answer is none")

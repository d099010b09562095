"""What the webui answers: pictures in base64, and a text that is JSON about them."""

import base64
from collections.abc import Sequence

from gateway.schema.failure import Failure
from gateway.schema.images import MadeImage, Picture
from gateway.schema.json import JsonObject, read_object
from gateway.sdk import UpstreamError
from gateway_sdwebui.documents import Run

_SIGNATURES = ((b"\x89PNG\r\n\x1a\n", "image/png"), (b"\xff\xd8\xff", "image/jpeg"))


def pictures_of(body: bytes, run: Run) -> Sequence[MadeImage]:
    """Return the pictures of an answer, in order; raise `UpstreamError` unless there are `run.n`.

    Their seeds are the webui's. Ahead of them may stand a grid of all of them, after them what
    scripts made besides.
    """
    reply = read_object(body)
    images = reply.get("images") if reply is not None else None
    if reply is None or not isinstance(images, list):
        raise UpstreamError(Failure.TRANSIENT, "the answer has no pictures")
    info = read_object(str(reply.get("info") or "").encode("utf-8", "replace")) or {}
    first = info.get("index_of_first_image")
    first = first if isinstance(first, int) and 0 <= first <= len(images) else 0
    chosen = images[first : first + run.n]
    if len(chosen) != run.n:  # Somebody at the page has interrupted it.
        raise UpstreamError(
            Failure.TRANSIENT, f"{run.n} pictures were asked for, {len(chosen)} came"
        )
    seeds = _seeds(info, run)
    return [MadeImage(_picture(text), seed=seed) for text, seed in zip(chosen, seeds, strict=True)]


def _seeds(info: JsonObject, run: Run) -> Sequence[int | None]:
    seeds = info.get("all_seeds")
    if not isinstance(seeds, list) or not all(isinstance(seed, int) for seed in seeds):
        seeds = []
    return [*seeds, *[None] * run.n][: run.n]


def _picture(text: object) -> Picture:
    try:
        data = base64.b64decode(str(text), validate=True)
    except ValueError:
        data = b""
    for signature, media_type in _SIGNATURES:
        if data.startswith(signature):
            return Picture(data, media_type)
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return Picture(data, "image/webp")
    raise UpstreamError(Failure.TRANSIENT, "a picture of the answer is none")

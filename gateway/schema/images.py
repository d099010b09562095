"""Pictures to make, in no provider's words."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.schema.json import NO_EXTRA, Extra
from gateway.schema.usage import Usage


@dataclass(frozen=True, slots=True)
class Picture:
    """An encoded picture; `media_type` is what its bytes are, not what somebody called them."""

    data: bytes
    media_type: str


@dataclass(frozen=True, slots=True)
class ImageRequest:
    """Pictures to make.

    `width` and `height` in pixels, 64 to 2048, None leaves the size to the provider. `seed` is a
    signed 64-bit integer; the same one and the same request mean the same picture where the card
    says so. `media_type` is what the answer should be: png, jpeg or webp.
    """

    model: str
    prompt: str
    width: int | None = None
    height: int | None = None
    n: int = 1
    seed: int | None = None
    media_type: str = "image/png"
    quality: str | None = None
    style: str | None = None
    extra: Extra = NO_EXTRA


@dataclass(frozen=True, slots=True)
class ImageEditRequest:
    """Pictures to make out of others; an empty `prompt` asks for variations of the first.

    `mask` is as large as the first source and transparent where that may change. The rest is as in
    `ImageRequest`; a size of None is the source's. `links` are the URLs (http, https, data) of
    sources that are still to be fetched: a provider sees none, only `sources`, whose bytes are
    those of a PNG, JPEG, WebP, GIF, AVIF or BMP.
    """

    model: str
    prompt: str
    sources: tuple[Picture, ...] = ()
    links: tuple[str, ...] = ()
    mask: Picture | None = None
    width: int | None = None
    height: int | None = None
    n: int = 1
    seed: int | None = None
    media_type: str = "image/png"
    quality: str | None = None
    style: str | None = None
    extra: Extra = NO_EXTRA


@dataclass(frozen=True, slots=True)
class Finishing:
    """How a picture goes to the caller, whoever made it.

    `width` and `height` in pixels, both or none: what sticks out is cut off evenly. `media_type` is
    jpeg, png, webp or avif, None leaves the picture's own. `metadata` are texts by name that the
    file is to say of itself besides what it says already; with None it says nothing.
    """

    width: int | None = None
    height: int | None = None
    media_type: str | None = None
    watermark: str | None = None
    metadata: Mapping[str, str] | None = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MadeImage:
    """One picture; `revised_prompt` is what was really drawn, if the provider says."""

    picture: Picture
    seed: int | None = None
    revised_prompt: str | None = None


@dataclass(frozen=True, slots=True)
class ImageAnswer:
    """The pictures asked for, in order."""

    images: tuple[MadeImage, ...]
    usage: Usage | None = None
    model: str | None = None

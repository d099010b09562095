"""DynaSpark's pictures: the parameters of a request, and the URL that repeats them."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any
from urllib.parse import quote, urlencode

from gateway.dialects.dynaspark import RANDOM_SEED, ignored, read, user_input_of
from gateway.dialects.fields import Boolean, Choice, Integer, Kind, Text, refusal
from gateway.schema.ask import Ask, Feature
from gateway.schema.images import Finishing, ImageEditRequest, ImageRequest
from gateway.schema.json import JsonObject

IMAGE_PARAMETERS: Mapping[str, Kind] = MappingProxyType(
    {
        "user_input": Text(None, is_blank_ok=False),
        "model": Text(None),
        "width": Integer(64, 2048),
        "height": Integer(64, 2048),
        "seed": Integer(),
        "nologo": Boolean(),
        "private": Boolean(),
        "wm": Text(64),
        "image": Text(None),
        "response": Choice(("json", "image")),
        "referrer": Text(256),
    }
)
"""What a picture's generation understands; `api_key` is read where callers are identified."""

MAX_SOURCES = 4
_SIDE = 768
_EXAMPLE = "/api/generate_image?user_input=A%20serene%20forest"
_BESIDES = MappingProxyType({n: kind for n, kind in IMAGE_PARAMETERS.items() if n != "user_input"})
_UNDERSTOOD = IMAGE_PARAMETERS.keys() | {"api_key"}
_REPEATED = ("model", "width", "height", "nologo", "wm", "image")
"""What the URL of a picture says again, besides the prompt and the seed."""

# A comma or a bar parts two URLs where another one begins; a URL may hold both itself.
_BETWEEN = re.compile(r"\s*[,|]\s*(?=[A-Za-z][A-Za-z0-9+.-]{0,15}:)")
_SCHEMES = ("http://", "https://")
_SLUG_CHARS, _LONGEST_PATH = 48, 4096
_FIXED_NAMES = frozenset({"models", "feed", "-"})


@dataclass(frozen=True, slots=True)
class ImageQuery:
    """A picture as DynaSpark's callers ask for it, checked and with its defaults."""

    prompt: str
    model: str
    width: int
    height: int
    seed: int
    has_seed: bool
    """The seed is the caller's, not a random one that stands in."""
    is_private: bool
    mark: str | None
    """The watermark's text; None where there is none."""
    links: tuple[str, ...]
    response: str | None
    given: Mapping[str, str] = field(repr=False)
    """The parameters that a URL repeats, as they were written."""

    @property
    def identity(self) -> list[object]:
        """What the picture is made of: the same means the same picture, where that can be."""
        sides = [self.width, self.height]
        return [self.prompt, self.model, *sides, self.seed, self.mark, *self.links]

    @property
    def filename(self) -> str:
        """The prompt as a name for a file, without an ending."""
        plain = unicodedata.normalize("NFKD", self.prompt[:256]).encode("ascii", "ignore").decode()
        return re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")[:_SLUG_CHARS] or "picture"

    def metadata(self) -> dict[str, str] | None:
        """Return what the file says of itself; nothing for a private one."""
        if self.is_private:
            return None
        said = {"width": self.width, "height": self.height, **self.given}
        said.pop("image", None)  # Where somebody's pictures are is not for the file to tell.
        parameters = " ".join(f"{name}={value}" for name, value in said.items())
        model, seed = self.model, str(self.seed)
        return {"Prompt": self.prompt, "Parameters": parameters, "Model": model, "Seed": seed}


def parse_image(
    given: Mapping[str, Any],  # Any: text, or a JSON value of a POST.
    *,
    default_model: str,
    random_seed: int,
    mark: str,
    media_type: str,
) -> tuple[Ask, ImageQuery]:
    """Return the request that `given` means, and what its answer needs.

    `mark` is the watermark where the caller gives none, `random_seed` the seed where it is left
    open. Raises `missing_parameter` for a blank `user_input` and `invalid_parameter` for the rest.
    """
    prompt = user_input_of(given, example=_EXAMPLE)
    values = read(given, _BESIDES)
    seed = values.get("seed", RANDOM_SEED)
    is_private = values.get("private", False)
    is_unmarked = is_private or values.get("nologo", False)
    query = ImageQuery(
        prompt=prompt,
        model=values.get("model") or default_model,
        width=values.get("width", _SIDE),
        height=values.get("height", _SIDE),
        seed=random_seed if seed == RANDOM_SEED else seed,
        has_seed=seed != RANDOM_SEED,
        is_private=is_private,
        mark=None if is_unmarked else (values.get("wm", "").strip() or mark or None),
        links=_links(values.get("image", "")),
        response=values.get("response"),
        given={name: _written(values[name]) for name in _REPEATED if name in values},
    )
    ask = Ask(
        dialect="dynaspark",
        model=query.model,
        translate=lambda _: _meant(query),
        needs=frozenset({Feature.IMAGE_EDIT if query.links else Feature.IMAGE}),
        answer="thing",
        is_private=is_private,
        is_feed_worthy=True,
        has_seed=query.has_seed,
        links=dict.fromkeys(query.links, "image"),
        finishing=Finishing(query.width, query.height, media_type, query.mark, query.metadata()),
        referrer=values.get("referrer") or None,
        ignored_params=ignored(given, _UNDERSTOOD),
    )
    return ask, query


def picture_path(query: ImageQuery) -> str | None:
    """Return the path and query that ask for the same picture, below the public base.

    None where no path can: a data URL, a name that is somebody else's, dots that a browser would
    take for folders, or a prompt too long for a URL.
    """
    if any(link.startswith("data:") for link in query.links) or query.is_private:
        return None
    segments = query.prompt.split("/")
    if query.prompt in _FIXED_NAMES or {".", ".."} & set(segments):
        return None
    named = {**query.given, "seed": str(query.seed)}
    path = f"/image/{quote(query.prompt, safe='')}?{urlencode(named, quote_via=quote)}"
    return path if len(path) <= _LONGEST_PATH else None


def _meant(query: ImageQuery) -> ImageRequest | ImageEditRequest:
    if not query.links:
        return ImageRequest(query.model, query.prompt, query.width, query.height, seed=query.seed)
    return ImageEditRequest(
        query.model,
        query.prompt,
        links=query.links,
        width=query.width,
        height=query.height,
        seed=query.seed,
    )


def _links(image: str) -> tuple[str, ...]:
    """Return the sources: URLs, or one data URL."""
    text = image.strip()
    if not text:
        return ()
    links = (text,) if text[:5].lower() == "data:" else tuple(_BETWEEN.split(text))
    if len(links) > MAX_SOURCES:
        raise refusal("image", image, f"at most {MAX_SOURCES} URLs, not {len(links)}")
    for link in links:
        if not link.lower().startswith((*_SCHEMES, "data:")) or (
            len(links) > 1 and link[:5].lower() == "data:"
        ):
            raise refusal("image", link, "http or https URLs with , or | between, or one data URL")
    return links


def _written(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def image_answer(url: str) -> JsonObject:
    """Return what says where the picture is."""
    return {"image_url": url}

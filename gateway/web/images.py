"""DynaSpark's picture paths: the bytes, or where they are."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from secrets import randbits
from typing import Any

import orjson
from aiohttp import hdrs, web

from gateway import __version__
from gateway.dialects.accept import picture_type, prefers_picture
from gateway.dialects.dynaspark import merge
from gateway.dialects.dynaspark_feed import image_event
from gateway.dialects.dynaspark_image import ImageQuery, image_answer, parse_image, picture_path
from gateway.dialects.query import parse_query
from gateway.pipeline.identify import Presented
from gateway.pipeline.limits import plan
from gateway.schema.ask import Ask
from gateway.schema.images import Finishing, ImageAnswer, Picture
from gateway.schema.json import JsonObject
from gateway.schema.reply import Made
from gateway.web.access import check_prefetch
from gateway.web.album import Album
from gateway.web.base import public_base, reached_base
from gateway.web.feeds import Feeds, may_appear
from gateway.web.handlers import expected_target, parameters_of, presented_by, prompt_of_path
from gateway.web.received import services_of, shared_headers
from gateway.web.reply import answer
from gateway.web.serving import SERVING

DEFAULT_MODEL = "flux"
_DAY = "public, max-age=86400"
_NO_STORE = "private, no-store"
_ENDINGS = {"image/jpeg": "jpg", "image/png": "png", "image/webp": "webp", "image/avif": "avif"}
_SIGNED = "-"


@dataclass(slots=True)
class PictureRendering:
    """Answers with the picture's bytes."""

    ask: Ask
    query: ImageQuery
    may_be_kept: bool
    """The same URL means the same picture to whoever asks without a key."""
    public_base: str | None = None
    etag: str = ""
    media_type: str = ""
    _drawn: Picture | None = None

    @property
    def is_public(self) -> bool:
        """Whether the feeds may tell of it, which takes a base for its URL there."""
        return self.public_base is not None

    async def made(self, reply: Made, *, request_id: str, created: int) -> tuple[str, bytes]:
        """Return the picture as it is, and note its tag."""
        picture = self._drawn = _picture_of(reply)
        self.media_type = picture.media_type
        self.etag = (
            tag_of(self.query, reply.made_by, picture.media_type)
            if reply.made_by and self.query.has_seed
            else _tag(picture.data)
        )
        return picture.media_type, picture.data

    def publish(self, feeds: Feeds) -> None:
        """Publish where the picture can be seen."""
        _publish(feeds, self._drawn, self.query, self.public_base)

    def headers(self) -> dict[str, str]:
        """Return the seed, a name for the file, and what a cache must know."""
        kept = _DAY if self.may_be_kept else _NO_STORE
        return _headers(self.query, self.media_type, self.etag, kept)


@dataclass(slots=True)
class AddressRendering:
    """Answers with the URL of a picture that has been made and stored."""

    ask: Ask
    query: ImageQuery
    may_be_kept: bool
    album: Album
    demands_key: bool
    base: str
    public_base: str | None = None
    is_lasting: bool = False
    _drawn: Picture | None = None

    @property
    def is_public(self) -> bool:
        """Whether the feeds may tell of it, which takes a base for its URL there."""
        return self.public_base is not None

    async def made(self, reply: Made, *, request_id: str, created: int) -> tuple[str, bytes]:
        """Store the picture; return where it is."""
        picture, album = _picture_of(reply), self.album
        self._drawn = picture
        # Where keys are demanded an address that draws would open for nobody.
        may_draw = reply.made_by and not (self.demands_key or self.ask.is_private)
        path = picture_path(self.query) if may_draw else None
        if path is None:
            path = await album.sign(picture)
        else:
            self.is_lasting = await album.keep(self.query.identity, picture)
        return "application/json", orjson.dumps(image_answer(self.base + path))

    def publish(self, feeds: Feeds) -> None:
        """Publish where the picture can be seen."""
        _publish(feeds, self._drawn, self.query, self.public_base)

    def headers(self) -> dict[str, str]:
        """Return the seed; an answer whose URL ends some day is not for caches."""
        is_kept = self.may_be_kept and self.is_lasting
        return {"X-Seed": str(self.query.seed), "Cache-Control": _DAY if is_kept else _NO_STORE}


async def generate_image(request: web.Request) -> web.StreamResponse:
    """`GET` and `POST /api/generate_image`: where the picture is, or the picture."""
    given: dict[str, Any] = {**parse_query(request.rel_url.raw_query_string)}  # Any: JSON values.
    if request.method == "POST":
        given = merge(given, await parameters_of(request))
    return await _generate(request, given, is_picture=False)


async def image_of_path(request: web.Request) -> web.StreamResponse:
    """`GET /api/image/{prompt}`: the picture; the prompt is the rest of the path."""
    given: dict[str, Any] = {**parse_query(request.rel_url.raw_query_string)}  # Any: as above.
    prompt = prompt_of_path(request)
    if prompt == _SIGNED and "sig" in given:
        return await _open(request, given)
    return await _generate(request, {**given, "user_input": prompt}, is_picture=True)


async def _generate(
    request: web.Request,
    given: Mapping[str, Any],  # Any: text, or a JSON value of a POST.
    *,
    is_picture: bool,
) -> web.StreamResponse:
    check_prefetch(request.headers)
    serving, services = request.app[SERVING], services_of(request)
    accept = ",".join(request.headers.getall(hdrs.ACCEPT, ()))
    is_picture = is_picture or given.get("response") == "image"
    is_picture = is_picture or (given.get("response") is None and prefers_picture(accept))
    media_type = picture_type(accept) if is_picture else "image/jpeg"
    ask, query = parse_image(
        given,
        default_model=DEFAULT_MODEL,
        random_seed=randbits(31),
        mark=services.document.images.watermark,
        media_type=media_type,
    )
    presented = presented_by(request, given.get("api_key"))
    is_reading = request.method != "POST"
    is_shared = not query.is_private and presented.key is None
    may_be_kept = is_reading and query.has_seed and is_shared
    shown_at = reached_base(request) if may_appear(ask, serving.feeds) else None
    if not is_picture:
        base = public_base(request)
        demands_key = services.identifier.demands_key
        rendering = AddressRendering(
            ask, query, may_be_kept, serving.album, demands_key, base, shown_at
        )
        if request.method == "HEAD":
            return _head(request, ask, presented, "application/json", {"X-Seed": str(query.seed)})
        return await answer(request, rendering, presented)
    # Whoever calls is known before anything is said of a picture, even that it is unchanged.
    caller = services.identifier.identify(presented)
    plan.hold_model(caller, ask, services)
    if is_reading and query.has_seed and not query.is_private:
        stored = await serving.album.find(query.identity)
        if stored is not None:
            picture = Picture(stored.data, stored.media_type)
            return await _show(request, picture, media_type, query, may_be_kept=may_be_kept)
    target = expected_target(ask, caller, services)
    is_same = is_reading and query.has_seed and target.card.deterministic
    tag = tag_of(query, target.name, media_type) if is_same else ""
    headers = _headers(query, media_type, tag, _DAY if may_be_kept else _NO_STORE)
    if tag and _is_known(request, tag):
        return _unchanged(request, headers)
    if request.method == "HEAD":
        return _head(request, ask, presented, media_type, headers)
    return await answer(request, PictureRendering(ask, query, may_be_kept, shown_at), presented)


async def _open(request: web.Request, given: Mapping[str, str]) -> web.StreamResponse:
    """Answer a signed URL: the bytes that are stored, or none; nothing is ever generated."""
    serving = request.app[SERVING]
    stored = await serving.album.open(given)
    return await _show(
        request, Picture(stored.data, stored.media_type), stored.media_type, None, may_be_kept=False
    )


async def _show(
    request: web.Request,
    picture: Picture,
    media_type: str,
    query: ImageQuery | None,
    *,
    may_be_kept: bool,
) -> web.Response:
    """Answer with a stored picture, as what the caller takes; it is not counted."""
    if media_type != picture.media_type:
        pictures = services_of(request).pictures
        picture = await pictures.finish(picture, Finishing(media_type=media_type))
    headers = _headers(
        query, picture.media_type, _tag(picture.data), _DAY if may_be_kept else _NO_STORE
    )
    if _is_known(request, headers["ETag"]):
        return _unchanged(request, headers)
    shared = {**shared_headers(request), hdrs.CONTENT_TYPE: picture.media_type}
    return web.Response(body=picture.data, headers=shared | headers)


def tag_of(query: ImageQuery, made_by: str, media_type: str) -> str:
    """Return the tag of a picture that is the same each time it is made from the same request."""
    made_of = [__version__, made_by, media_type, *query.identity]
    return _tag(orjson.dumps(made_of))


def _tag(data: bytes) -> str:
    return f'"{hashlib.sha256(data).hexdigest()[:32]}"'


def _is_known(request: web.Request, tag: str) -> bool:
    """Say whether the caller has what `tag` names (RFC 9110, 13.1.2)."""
    said = request.headers.get(hdrs.IF_NONE_MATCH, "")
    known = {one.strip().removeprefix("W/") for one in said.split(",")}
    return tag in known or said.strip() == "*"


def _unchanged(request: web.Request, headers: Mapping[str, str]) -> web.Response:
    return web.Response(status=304, headers={**shared_headers(request), **headers})


def _picture_of(reply: Made) -> Picture:
    if not isinstance(reply.thing, ImageAnswer):
        msg = f"a picture was answered with {type(reply.thing).__name__}"
        raise TypeError(msg)
    return reply.thing.images[0].picture


def _publish(feeds: Feeds, picture: Picture | None, query: ImageQuery, base: str | None) -> None:
    if picture is None or base is None:
        return

    def event_at(path: str) -> JsonObject:
        return image_event(
            prompt=query.prompt,
            image_url=base + path,
            size=(query.width, query.height),
            seed=query.seed,
            model=query.model,
            is_unmarked=query.given.get("nologo") == "true",
        )

    feeds.publish_picture(picture, event_at)


def _headers(query: ImageQuery | None, media_type: str, tag: str, kept: str) -> dict[str, str]:
    name = f"{'picture' if query is None else query.filename}.{_ENDINGS.get(media_type, 'bin')}"
    headers = {"Content-Disposition": f'inline; filename="{name}"', "Cache-Control": kept}
    if query is not None:
        headers["X-Seed"] = str(query.seed)
    if tag:
        headers["ETag"] = tag
    return headers


def _head(
    request: web.Request,
    ask: Ask,
    presented: Presented,
    media_type: str,
    headers: Mapping[str, str],
) -> web.Response:
    """Answer the headers that are known without generating anything; nothing is counted."""
    services = services_of(request)
    target = expected_target(ask, services.identifier.identify(presented), services)
    own = {"Cache-Control": _NO_STORE, "X-Provider": target.connected.name, **headers}
    shared = {**shared_headers(request), hdrs.CONTENT_TYPE: media_type}
    return web.Response(headers=shared | own)

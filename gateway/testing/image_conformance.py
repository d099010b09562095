"""The suite that every provider of pictures passes.

    from gateway.testing.image_conformance import ImageConformance

    class TestBrush(ImageConformance):
        kind = "brush"
        image_model = "watercolour"

What a provider does not claim, by its methods, its card or the attributes of the class, is skipped.
"""

import asyncio
import io
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, ClassVar

import pytest
from PIL import Image

from gateway.schema.images import ImageAnswer, ImageEditRequest, ImageRequest, Picture
from gateway.sdk import (
    Attempt,
    CardSource,
    Deps,
    ImageEditProvider,
    ImageProvider,
    ModelCard,
)
from gateway.sdk.pictures.decode import decode
from gateway.sdk.workshop import EngineRefusal
from gateway.testing.kind_conformance import KindConformance
from gateway.testing.leaks import BEAT_S, Heartbeat, Tasks
from gateway.testing.provider_under_test import require, skip_unless

_PROMPTS = {
    "plain": "a red house by the sea",
    "script": "红房子, بيت أحمر, 👩\u200d👧",
    "line breaks": "a house\r\n\tby the sea\n",
    "long": "a red house by the sea, " * 400,
}
_DEADLINE_S = 60.0
_MAX_MISSED_BEATS = 25
_TURNS_BEFORE_CANCEL = (0, 1, 3, 8, 34)


class Painter:
    """Asks one connected provider as the gateway would; each call has `patience_s` seconds."""

    def __init__(self, provider: ImageProvider, deps: Deps, *, patience_s: float) -> None:
        self.provider = provider
        self._clock = deps.clock
        self._patience_s = patience_s

    async def draw(self, request: ImageRequest) -> ImageAnswer:
        """Return what it draws."""
        async with asyncio.timeout(self._patience_s):
            return await self.provider.draw(request, self._attempt())

    async def edit(self, request: ImageEditRequest) -> ImageAnswer:
        """Return what it changes; skips the test where it changes nothing."""
        provider: object = self.provider
        if not isinstance(provider, ImageEditProvider):
            pytest.skip("it has no method edit()")
        async with asyncio.timeout(self._patience_s):
            return await provider.edit(request, self._attempt())

    def _attempt(self) -> Attempt:
        return Attempt("conformance", 1, self._clock.monotonic() + _DEADLINE_S, is_stream=False)


class ImageConformance(KindConformance):
    """Inherit as `Test…`, set `kind` and `image_model`, and what else your provider needs."""

    image_model: ClassVar[str] = "any"
    """The upstream's name of a model that draws."""
    edit_prompt: ClassVar[str] = "make it a sketch"
    """A change that the provider can make of any picture."""

    @asynccontextmanager
    async def painting(
        self,
        settings: Mapping[str, Any] | None = None,  # Any: the kind's own.
    ) -> AsyncGenerator[Painter]:
        """Connect a provider that draws."""
        async with self.plugged(settings) as (provider, deps):
            if not isinstance(provider, ImageProvider):
                pytest.fail(f"{type(provider).__name__} has no method draw()")
            yield Painter(provider, deps, patience_s=self.patience_s)

    @pytest.mark.parametrize("prompt", _PROMPTS.values(), ids=_PROMPTS.keys())
    async def test_it_draws_any_words(self, prompt: str) -> None:
        """Words of any script and length are data; pictures come as what they say they are."""
        async with self.painting() as painter:
            answer = await painter.draw(self._request(prompt=prompt))

        _require_pictures(answer, 1)

    async def test_it_draws_as_many_as_asked(self) -> None:
        """`n` pictures are `n` pictures, in one answer."""
        async with self.painting() as painter:
            answer = await painter.draw(self._request(n=2))

        _require_pictures(answer, 2)

    @pytest.mark.parametrize("size", [(64, 64), (2048, 64), (769, 333), (None, None)], ids=str)
    async def test_it_takes_any_size(self, size: tuple[int | None, int | None]) -> None:
        """A size that a model lacks is the provider's to round: the gateway fits the picture."""
        width, height = size

        async with self.painting() as painter:
            answer = await painter.draw(self._request(width=width, height=height))

        _require_pictures(answer, 1)

    async def test_it_is_as_deterministic_as_its_card_says(self) -> None:
        """`deterministic=True` means the same bytes again, since URLs are kept on the strength."""
        async with self.painting() as painter:
            provider: object = painter.provider
            card = provider.card(self.image_model) if isinstance(provider, CardSource) else None
            claim = card.deterministic if isinstance(card, ModelCard) else None
            skip_unless(claim, "the card does not say that it is deterministic")
            first, again = [await painter.draw(self._request(seed=7)) for _ in range(2)]

        is_same = first.images[0].picture.data == again.images[0].picture.data
        require(is_same, "the same seed drew another picture: leave `deterministic` out")

    async def test_a_cancelled_picture_leaves_nothing_behind(self) -> None:
        """A caller who hangs up cancels the call, at any turn of the loop."""
        async with self.painting() as painter:
            await painter.draw(self._request())
            for turns in _TURNS_BEFORE_CANCEL:
                tasks = Tasks()
                call = asyncio.get_running_loop().create_task(painter.draw(self._request()))
                for _ in range(turns):
                    await asyncio.sleep(0)
                call.cancel()
                await asyncio.wait([call], timeout=self.patience_s)
                require(call.done(), "a cancelled call goes on: let CancelledError pass")
                raised = None if call.cancelled() else call.exception()
                require(raised is None, f"a cancelled call raised {raised!r}")
                left = await tasks.left()
                require(not left, f"tasks go on after the call was cancelled: {left}")

    async def test_it_does_not_block_the_event_loop(self) -> None:
        """Drawing and decoding belong to another process, or at least to a thread."""
        async with self.painting() as painter:
            await painter.draw(self._request())
            with Heartbeat() as heartbeat:
                await painter.draw(self._request(width=1024, height=1024))

        held_s = heartbeat.longest * BEAT_S
        message = f"the event loop stood still for {held_s:.2f} s: see gateway.sdk.workshop"
        require(heartbeat.longest <= _MAX_MISSED_BEATS, message)

    async def test_it_changes_a_picture(self) -> None:
        """A change, a change within a mask, and a variation are pictures again."""
        async with self.painting() as painter:
            edit = ImageEditRequest(self.image_model, self.edit_prompt, (_picture("RGB"),))
            changed = await painter.edit(replace(edit, width=96, height=64, seed=1))
            within = await painter.edit(replace(edit, mask=_picture("RGBA"), seed=1))
            varied = await painter.edit(replace(edit, prompt="", seed=1))

        for answer in (changed, within, varied):
            _require_pictures(answer, 1)

    async def test_its_failures_are_upstream_errors(self) -> None:
        """Whatever goes wrong is an `UpstreamError` that keeps the secrets."""
        self.skip_unless_failing()
        request = replace(self._request(), model=self.failing_model or self.image_model)

        async with self.painting(self.failing_settings) as painter:
            await self.require_upstream_error(painter.draw(request))

    def _request(self, **fields: Any) -> ImageRequest:  # Any: fields of a request.
        request = ImageRequest(self.image_model, _PROMPTS["plain"], 128, 96, seed=1)
        return replace(request, **fields)


def _require_pictures(answer: object, count: int) -> None:
    """Fail unless `answer` holds so many pictures that can be decoded, and are what they say."""
    if not isinstance(answer, ImageAnswer):
        pytest.fail(f"draw() and edit() return an ImageAnswer, not {type(answer).__name__}")
    require(len(answer.images) == count, f"{len(answer.images)} pictures, not {count}")
    for made in answer.images:
        try:
            found = decode(made.picture.data).media_type
        except EngineRefusal as refusal:
            pytest.fail(f"a picture cannot be decoded: {refusal.message}")
        said = made.picture.media_type
        require(found == said, f"a picture is {found} and says that it is {said}: sniff its bytes")


def _picture(mode: str) -> Picture:
    """Return a small PNG; with transparency its right half is clear."""
    image = Image.linear_gradient("L").resize((96, 64)).convert(mode)
    if mode == "RGBA":
        image.paste((0, 0, 0, 0), (48, 0, 96, 64))
    out = io.BytesIO()
    image.save(out, "PNG")
    return Picture(out.getvalue(), "image/png")

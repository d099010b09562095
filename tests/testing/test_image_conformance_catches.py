"""Each check of the pictures' suite fails on a provider that is wrong in that way."""

import asyncio
import io
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from PIL import Image
from pydantic import BaseModel, ConfigDict

from gateway.schema.images import ImageAnswer, ImageEditRequest, ImageRequest, MadeImage, Picture
from gateway.sdk import Attempt, Deps, ModelCard, ProviderKind
from gateway.testing.image_conformance import ImageConformance


class Settings(BaseModel):
    """Settings as they should be."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def png(colour: str = "teal") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (16, 16), colour).save(out, "PNG")
    return out.getvalue()


class Good:
    """A provider that does nothing wrong, for the wrong ones to differ from."""

    def __init__(self, deps: Deps) -> None:
        self.deps = deps
        self.calls = 0

    def card(self, model: str) -> ModelCard:
        return ModelCard(output_modalities=("image",), deterministic=True)

    async def draw(self, request: ImageRequest, attempt: Attempt) -> ImageAnswer:
        self.calls += 1
        await asyncio.sleep(0)
        return ImageAnswer((MadeImage(Picture(png(), "image/png")),) * request.n)

    async def edit(self, request: ImageEditRequest, attempt: Attempt) -> ImageAnswer:
        return ImageAnswer((MadeImage(request.sources[0]),) * request.n)


class Suite(ImageConformance):
    """The suite on a provider made here."""

    kind = "made-here"
    patience_s = 5.0
    failing_model = "broken"
    provider: Callable[[Deps], object] = Good

    def load_kind(self) -> ProviderKind:
        """Wrap the provider in a kind."""

        @asynccontextmanager
        async def connect(settings: BaseModel, deps: Deps) -> AsyncGenerator[object]:
            yield self.provider(deps)

        return ProviderKind("made-here", Settings, connect)


def suite(provider: type, folder: Path) -> Suite:
    made = Suite()
    made.provider = provider
    made.folder = folder
    return made


class OneTooFew(Good):
    """Draws one picture, whatever is asked."""

    async def draw(self, request: ImageRequest, attempt: Attempt) -> ImageAnswer:
        return ImageAnswer((MadeImage(Picture(png(), "image/png")),))


class Misnamed(Good):
    """Calls a PNG a JPEG."""

    async def draw(self, request: ImageRequest, attempt: Attempt) -> ImageAnswer:
        return ImageAnswer((MadeImage(Picture(png(), "image/jpeg")),) * request.n)


class NoPicture(Good):
    """Passes on an error page."""

    async def draw(self, request: ImageRequest, attempt: Attempt) -> ImageAnswer:
        return ImageAnswer((MadeImage(Picture(b"<html>", "image/png")),) * request.n)


class Choosy(Good):
    """Breaks on any size but one."""

    async def draw(self, request: ImageRequest, attempt: Attempt) -> ImageAnswer:
        if request.width != 128:
            raise ValueError(request.width)
        return await super().draw(request, attempt)


class Fickle(Good):
    """Draws another picture each time."""

    async def draw(self, request: ImageRequest, attempt: Attempt) -> ImageAnswer:
        self.calls += 1
        colour = "teal" if self.calls % 2 else "red"
        return ImageAnswer((MadeImage(Picture(png(colour), "image/png")),) * request.n)


class Stubborn(Good):
    """Leaves a task behind."""

    async def draw(self, request: ImageRequest, attempt: Attempt) -> ImageAnswer:
        self.left = asyncio.get_running_loop().create_task(asyncio.sleep(0.5))
        return await super().draw(request, attempt)


class Blocking(Good):
    """Draws in the event loop."""

    async def draw(self, request: ImageRequest, attempt: Attempt) -> ImageAnswer:
        time.sleep(0.6)  # noqa: ASYNC251 - what is to be caught.
        return await super().draw(request, attempt)


class BadEditor(Good):
    """Changes nothing."""

    async def edit(self, request: ImageEditRequest, attempt: Attempt) -> ImageAnswer:
        return ImageAnswer(())


class Raw(Good):
    """Lets its own exceptions out."""

    async def draw(self, request: ImageRequest, attempt: Attempt) -> ImageAnswer:
        raise KeyError(request.model)


async def test_a_good_provider_passes(tmp_path: Path) -> None:
    checks = suite(Good, tmp_path)

    await checks.test_it_draws_any_words("a house")
    await checks.test_it_draws_as_many_as_asked()
    await checks.test_it_takes_any_size((None, None))
    await checks.test_it_is_as_deterministic_as_its_card_says()
    await checks.test_a_cancelled_picture_leaves_nothing_behind()
    await checks.test_it_does_not_block_the_event_loop()
    await checks.test_it_changes_a_picture()


@pytest.mark.parametrize(
    ("provider", "check", "advice"),
    [
        (OneTooFew, Suite.test_it_draws_as_many_as_asked, "1 pictures, not 2"),
        (Misnamed, Suite.test_it_draws_as_many_as_asked, "sniff its bytes"),
        (NoPicture, Suite.test_it_draws_as_many_as_asked, "cannot be decoded"),
        (Fickle, Suite.test_it_is_as_deterministic_as_its_card_says, "leave `deterministic` out"),
        (Stubborn, Suite.test_a_cancelled_picture_leaves_nothing_behind, "tasks go on"),
        (Blocking, Suite.test_it_does_not_block_the_event_loop, "workshop"),
        (BadEditor, Suite.test_it_changes_a_picture, "0 pictures"),
        (Raw, Suite.test_its_failures_are_upstream_errors, "raise UpstreamError, not KeyError"),
        (Good, Suite.test_its_failures_are_upstream_errors, "was to fail"),
        (object, Suite.test_it_draws_as_many_as_asked, "no method draw"),
    ],
)
async def test_what_is_wrong_is_caught(
    tmp_path: Path, provider: type, check: Callable[[Suite], object], advice: str
) -> None:
    wrong = (lambda _deps: object()) if provider is object else provider
    checks = suite(wrong, tmp_path)  # type: ignore[arg-type]  # Anything that makes one.

    with pytest.raises(pytest.fail.Exception, match=advice):
        await check(checks)  # type: ignore[misc]  # Each of them is a coroutine.


async def test_a_provider_that_wants_one_size_alone_is_caught(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="769"):
        await suite(Choosy, tmp_path).test_it_takes_any_size((769, 333))

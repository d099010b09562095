"""The engine as its worker calls it: what is finished, what stays, what is refused."""

from io import BytesIO
from typing import Any

import pytest
from PIL import Image

from gateway.pictures.finish import Finisher, load
from gateway.sdk.workshop import EngineRefusal

NOTHING: dict[str, Any] = {
    "width": None,
    "height": None,
    "media_type": None,
    "watermark": None,
    "metadata": {},
    "max_pixels": 1_000_000,
}
LIMITS = {"param": "image", "max_bytes": 100_000, "max_pixels": 1_000_000}


@pytest.fixture(scope="module")
def engine() -> Finisher:
    return load({})


def finished(engine: Finisher, data: bytes, **changes: Any) -> tuple[dict[str, Any], bytes]:
    [made] = [step for step in engine.finish(NOTHING | changes, [data]) if step is not None]
    return made


def opened(data: bytes) -> Image.Image:
    image = Image.open(BytesIO(data))
    image.load()
    return image


def picture(kind: str = "PNG", size: tuple[int, int] = (90, 70), **options: Any) -> bytes:
    out = BytesIO()
    Image.effect_noise(size, 50).convert("RGB").save(out, kind, **options)
    return out.getvalue()


@pytest.mark.parametrize("media_type", ["image/jpeg", "image/png", "image/webp", "image/avif"])
def test_finishing_fits_marks_and_encodes(engine: Finisher, media_type: str) -> None:
    facts, data = finished(
        engine,
        picture(),
        width=200,
        height=120,
        watermark="dynagate",
        media_type=media_type,
        metadata={"Software": "dynagate"},
    )

    image = opened(data)
    assert facts == {"media_type": media_type, "is_same": False}
    assert f"image/{str(image.format).lower()}" == media_type
    assert image.size == (200, 120)


@pytest.mark.parametrize(
    "asked", [{}, {"media_type": "image/png"}, {"width": 90, "height": 70}, {"watermark": " "}]
)
def test_a_picture_that_needs_no_change_is_not_sent_back(
    engine: Finisher, asked: dict[str, Any]
) -> None:
    assert finished(engine, picture(), **asked) == (
        {"media_type": "image/png", "is_same": True},
        b"",
    )


def test_what_cannot_be_written_becomes_png(engine: Finisher) -> None:
    facts, data = finished(engine, picture("BMP"))

    assert facts["media_type"] == "image/png"
    assert opened(data).format == "PNG"


def test_a_large_picture_stays_as_large_as_it_is(engine: Finisher) -> None:
    _, data = finished(engine, picture(size=(2500, 300)), media_type="image/jpeg")

    assert opened(data).size == (2500, 300)


def test_what_a_picture_says_of_itself_stays_unless_the_caller_s_words_replace_it(
    engine: Finisher,
) -> None:
    exif = Image.Exif()
    exif[0x0131], exif[0x010E] = "a painter", "a fox"
    source = picture("JPEG", exif=exif.tobytes())

    _, kept = finished(engine, source, media_type="image/png")
    _, replaced = finished(
        engine, source, media_type="image/png", metadata={"Description": "mine", "Seed": "7"}
    )

    assert opened(kept).info == {"Software": "a painter", "Description": "a fox"}
    told = {"Software": "a painter", "Description": "mine", "Seed": "7"}
    assert opened(replaced).info == told


@pytest.mark.parametrize("data", [b"", b"<html>upstream error</html>", picture()[:900]])
def test_a_provider_s_picture_that_cannot_be_read_is_no_fault_of_the_caller(
    engine: Finisher, data: bytes
) -> None:
    with pytest.raises(EngineRefusal) as refusal:
        finished(engine, data)

    assert refusal.value.failure == "transient"


def test_other_types_are_refused(engine: Finisher) -> None:
    with pytest.raises(EngineRefusal) as refusal:
        finished(engine, picture(), media_type="image/tiff")

    assert refusal.value.failure == "unsupported"


def test_work_can_be_stopped_between_its_steps(engine: Finisher) -> None:
    asked = NOTHING | {"width": 20, "height": 20, "watermark": "dynagate"}

    steps = [step is None for step in engine.finish(asked, [picture()])]

    assert steps == [True, True, True, False]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "AVIF", "BMP"])
def test_checking_says_what_the_bytes_are(engine: Finisher, kind: str) -> None:
    facts, data = engine.check(LIMITS, [picture(kind)])

    assert facts == {"media_type": f"image/{kind.lower()}", "width": 90, "height": 70}
    assert data == b""


@pytest.mark.parametrize(
    ("data", "limits", "why"),
    [
        (b"<svg/>", {}, "no picture"),
        (picture(), {"max_bytes": 500}, "500 are the most"),
        (picture(), {"max_pixels": 6299}, "more than 6,299 pixels"),
    ],
)
def test_checking_refuses_in_the_name_of_the_parameter(
    engine: Finisher, data: bytes, limits: dict[str, int], why: str
) -> None:
    with pytest.raises(EngineRefusal, match=why) as refusal:
        engine.check(LIMITS | {"param": "mask"} | limits, [data])

    assert (refusal.value.failure, refusal.value.param) == ("caller_fault", "mask")

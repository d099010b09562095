"""Pictures as files: what they are, what they say of themselves, always the same bytes."""

from io import BytesIO

import orjson
import pytest
from PIL import Image

from gateway.sdk.pictures.decode import decode, sniff
from gateway.sdk.pictures.encode import MEDIA_TYPES, encode
from gateway.sdk.pictures.metadata import facts_of
from gateway.sdk.workshop import EngineRefusal

FACTS = {"Software": "dynagate painter", "Description": "A fox, лиса, 狐", "Seed": "7"}


@pytest.fixture
def image() -> Image.Image:
    return Image.effect_noise((96, 64), 60).convert("RGB")


@pytest.mark.parametrize("media_type", MEDIA_TYPES)
def test_a_file_is_what_was_asked_for_and_always_the_same(
    media_type: str, image: Image.Image
) -> None:
    data = encode(image, media_type, metadata=FACTS)

    assert sniff(data) == media_type
    assert data == encode(image, media_type, metadata=FACTS)
    assert Image.open(BytesIO(data)).size == (96, 64)


@pytest.mark.parametrize("media_type", ["image/jpeg", "image/webp", "image/avif"])
def test_the_facts_are_in_the_exif(media_type: str, image: Image.Image) -> None:
    read = Image.open(BytesIO(encode(image, media_type, metadata=FACTS))).getexif()

    comment = read.get_ifd(0x8769)[0x9286]
    assert comment.startswith(b"UNICODE\0")
    assert orjson.loads(comment[8:].decode("utf-16-le")) == FACTS
    assert read[0x0131] == "dynagate painter"


def test_the_facts_are_in_the_text_of_a_png(image: Image.Image) -> None:
    read = Image.open(BytesIO(encode(image, "image/png", metadata=FACTS)))
    read.load()

    assert {name: read.info[name] for name in FACTS} == FACTS


@pytest.mark.parametrize("media_type", MEDIA_TYPES)
def test_long_facts_are_cut_and_still_fit(media_type: str, image: Image.Image) -> None:
    data = encode(image, media_type, metadata={"Description": "я" * 100_000})

    assert len(data) < 100_000


@pytest.mark.parametrize("media_type", ["image/png", "image/webp", "image/avif"])
def test_transparency_survives_where_it_can(media_type: str) -> None:
    image = Image.new("RGBA", (16, 16), (10, 200, 10, 0))

    read = Image.open(BytesIO(encode(image, media_type))).convert("RGBA")

    assert read.getchannel("A").getextrema() == (0, 0)


def test_a_jpeg_has_white_where_nothing_was() -> None:
    image = Image.new("RGBA", (16, 16), (10, 200, 10, 0))

    assert Image.open(BytesIO(encode(image, "image/jpeg"))).getpixel((3, 3)) == (255, 255, 255)


@pytest.mark.parametrize("media_type", MEDIA_TYPES)
def test_what_a_picture_says_of_itself_can_be_read_again(
    media_type: str, image: Image.Image
) -> None:
    facts = {"Software": "dynagate painter", "Description": "A fox", "Seed": "7"}

    told = facts_of(decode(encode(image, media_type, metadata=facts)).image)

    assert told == {"Software": "dynagate painter", "Description": "A fox"}
    assert facts_of(decode(encode(image, media_type)).image) == {}


def test_a_png_is_written_quickly_or_small() -> None:
    plain = Image.new("RGB", (400, 400), "teal")

    quick, small = (len(encode(plain, "image/png", compression=level)) for level in (0, 9))

    assert quick > 10 * small


def test_quality_is_a_matter_of_size(image: Image.Image) -> None:
    small, large = (len(encode(image, "image/jpeg", quality=quality)) for quality in (20, 95))

    assert small < large


def test_other_types_are_refused(image: Image.Image) -> None:
    with pytest.raises(EngineRefusal) as refusal:
        encode(image, "image/tiff")

    assert refusal.value.failure == "unsupported"

"""What is told about pictures: size, colours and text; and what a text model hears of it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import aclosing
from io import BytesIO
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from gateway.sdk.clock import SystemClock
from gateway.sdk.workshop import EngineRefusal
from gateway.testing.deps import make_deps
from gateway_local.engines.look import Looker
from gateway_local.seeing import describe
from gateway_local.sight.colours import colours_of
from gateway_local.sight.text import Box, Reader, in_reading_order
from tests.plugins.local.workshops import make_workshop

INVOICE = (
    ("INVOICE No. 2026-117",),
    ("Customer: Maria Lopez, Valencia",),
    ("1 x Paper filters", "4.12 EUR"),
    ("VAT 21 %", "7.37 EUR"),
    ("Total: 42.49 EUR",),
)


def invoice() -> Image.Image:
    picture = Image.new("RGB", (900, 380), "white")
    draw = ImageDraw.Draw(picture)
    for row, cells in enumerate(INVOICE):
        for column, cell in enumerate(cells):
            place = (40 + 500 * column, 30 + 65 * row)
            draw.text(place, cell, fill="black", font=ImageFont.load_default(28))
    draw.rectangle((700, 20, 880, 120), fill="red")
    return picture


def encoded(picture: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    file = BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader(threads=1)


@pytest.fixture(scope="module")
def look(reader: Reader) -> Callable[[bytes], dict[str, Any]]:
    looker = Looker(reader, seconds=60)

    def told(data: bytes) -> dict[str, Any]:
        ((facts, blob),) = [item for item in looker.look({}, [data]) if item]
        assert blob == b""
        return facts

    return told


def test_an_invoice_is_read_row_by_row(look: Callable[[bytes], dict[str, Any]]) -> None:
    facts = look(encoded(invoice()))

    assert (facts["width"], facts["height"], facts["format"]) == (900, 380, "PNG")
    assert facts["lines"] == [" | ".join(cells) for cells in INVOICE]
    assert facts["confidence"] > 0.9
    assert facts["unread"] == 0
    colours = {colour["name"]: colour["share"] for colour in facts["colours"]}
    assert colours["white"] > 0.8
    assert 0.03 < colours["red"] < 0.08


@pytest.mark.parametrize(
    "disguise",
    [
        pytest.param(lambda p: p.rotate(8, expand=True, fillcolor="white"), id="leaning"),
        pytest.param(lambda p: p.resize((450, 190), Image.Resampling.LANCZOS), id="small"),
        pytest.param(lambda p: p.resize((3600, 1520)), id="large", marks=pytest.mark.slow),
        pytest.param(lambda p: p.convert("L"), id="grey"),
    ],
)
def test_the_total_is_found_whatever_the_scan_is_like(
    look: Callable[[bytes], dict[str, Any]], disguise: Callable[[Image.Image], Image.Image]
) -> None:
    lines = look(encoded(disguise(invoice())))["lines"]

    assert any("42.49" in line for line in lines)
    assert any("Maria Lopez" in line for line in lines)


def test_white_letters_on_nothing_are_read(look: Callable[[bytes], dict[str, Any]]) -> None:
    picture = Image.new("RGBA", (400, 100), (255, 255, 255, 0))
    ImageDraw.Draw(picture).text(
        (20, 30), "Hello world 42", fill=(255, 255, 255, 255), font=ImageFont.load_default(32)
    )

    facts = look(encoded(picture))

    assert facts["lines"] == ["Hello world 42"]
    assert [colour["name"] for colour in facts["colours"]] == ["white"]


def test_a_camera_that_was_turned_is_turned_back(
    look: Callable[[bytes], dict[str, Any]],
) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encoded(invoice().rotate(90, expand=True), "JPEG", exif=exif)

    facts = look(data)

    assert (facts["width"], facts["height"]) == (900, 380)
    assert facts["lines"][-1] == "Total: 42.49 EUR"


def test_of_a_moving_picture_the_first_frame_counts(
    look: Callable[[bytes], dict[str, Any]],
) -> None:
    frames = [Image.new("RGB", (40, 30), colour) for colour in ("blue", "red")]

    facts = look(encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]))

    assert facts["frames"] == 2
    assert facts["colours"] == [{"name": "blue", "share": 1.0}]
    assert facts["lines"] == []
    assert facts["confidence"] is None


def test_the_rest_is_counted_when_time_is_up(reader: Reader) -> None:
    ticks = count()
    looker = Looker(reader, seconds=2.5, clock=lambda: next(ticks))

    ((facts, _),) = [item for item in looker.look({}, [encoded(invoice())]) if item]

    assert facts["lines"] == ["INVOICE No. 2026-117", "Customer: Maria Lopez, Valencia"]
    assert facts["unread"] == 5


def test_reading_can_be_stopped_after_any_line(reader: Reader) -> None:
    steps = Looker(reader, seconds=60).look({}, [encoded(invoice())])

    pauses = [step for step in steps if step is None]

    assert len(pauses) >= sum(map(len, INVOICE))


@pytest.mark.parametrize(
    ("data", "why"),
    [
        pytest.param(b"<!doctype html><title>Not found</title>", "no picture", id="html"),
        pytest.param(encoded(Image.new("RGB", (30, 30)), "TIFF"), "no picture", id="tiff"),
        pytest.param(encoded(invoice())[:2000], "broken", id="half a png"),
        pytest.param(b"\x89PNG" + bytes(10 * 1024 * 1024), "bytes", id="over 10 MiB"),
    ],
)
def test_what_is_no_picture_is_refused(reader: Reader, data: bytes, why: str) -> None:
    with pytest.raises(EngineRefusal, match=why) as refusal:
        list(Looker(reader, seconds=60).look({}, [data]))

    assert (refusal.value.failure, refusal.value.param) == ("caller_fault", "messages")


@pytest.mark.slow
def test_a_large_picture_is_told_of_as_large_as_it_is(
    look: Callable[[bytes], dict[str, Any]],
) -> None:
    facts = look(encoded(Image.new("RGB", (6000, 3000), "teal")))

    assert (facts["width"], facts["height"]) == (6000, 3000)
    assert facts["colours"] == [{"name": "teal", "share": 1.0}]


@pytest.mark.parametrize(
    ("colour", "name"),
    [
        ("red", "red"),
        ("orange", "orange"),
        ("#000080", "dark blue"),
        ("skyblue", "light blue"),
        ("#7a4a26", "brown"),
        ("#fafafa", "white"),
        ("#101010", "black"),
        ("pink", "pink"),
        ("forestgreen", "green"),
    ],
)
def test_colours_have_the_names_that_people_use(colour: str, name: str) -> None:
    assert colours_of(Image.new("RGB", (10, 10), colour)) == [(name, 1.0)]


def test_what_is_transparent_has_no_colour() -> None:
    assert colours_of(Image.new("RGBA", (5, 5))) == []


def box(left: float, top: float, width: float = 100, height: float = 20) -> Box:
    right, bottom = left + width, top + height
    return np.array([(left, top), (right, top), (right, bottom), (left, bottom)])


def places(rows: Sequence[Sequence[Box]]) -> Iterator[list[tuple[float, float]]]:
    for row in rows:
        yield [(float(cell[0][0]), float(cell[0][1])) for cell in row]


def test_rows_are_read_from_the_top_and_from_the_left() -> None:
    boxes = [box(300, 52), box(10, 100), box(300, 98), box(10, 50), box(10, 0)]

    rows = in_reading_order(boxes)

    assert list(places(rows)) == [[(10, 0)], [(10, 50), (300, 52)], [(10, 100), (300, 98)]]
    assert in_reading_order([]) == []


FACTS = {
    "width": 900,
    "height": 380,
    "format": "PNG",
    "frames": 1,
    "colours": [{"name": "white", "share": 0.9}, {"name": "red", "share": 0.05}],
    "lines": ["Total: 42.49 EUR", "Customer: Maria Lopez"],
    "confidence": 0.98,
    "unread": 0,
}


def test_a_text_model_is_told_what_was_read_and_what_was_not_seen() -> None:
    told = describe([FACTS])

    assert "Objects, people and animals are not recognised" in told
    assert "Picture 1: 900 x 380 pixels, PNG." in told
    assert "Colours: white 90%, red 5%." in told
    assert "> Total: 42.49 EUR\n> Customer: Maria Lopez" in told


def test_pictures_share_the_room_and_say_what_was_left_out() -> None:
    wordy = FACTS | {"lines": ["x" * 60] * 10, "unread": 3}

    told = describe([wordy, FACTS], max_characters=400)

    assert told.count("x" * 60) == 3
    assert "(7 more lines left out)" in told
    assert "(3 more places with text, not read in time)" in told
    assert "Picture 2" in told
    assert "Maria Lopez" in told


def test_one_endless_line_is_cut() -> None:
    told = describe([FACTS | {"lines": ["x" * 9000]}], max_characters=100)

    assert f"> {'x' * 99}…" in told
    assert len(told) < 1000


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"lines": [], "confidence": None}, "Text found: none."),
        ({"lines": [], "confidence": None, "unread": 4}, "Text found: not read in time."),
        ({"confidence": 0.6}, "read with difficulty"),
        ({"frames": 12}, "GIF, the first of 12 frames"),
        ({"colours": []}, "Colours: none, it is transparent."),
    ],
)
def test_what_is_not_there_is_said(facts: dict[str, Any], words: str) -> None:
    assert words in describe([FACTS | {"format": "GIF"} | facts])


@pytest.mark.slow
async def test_the_workshop_looks_at_pictures_one_after_the_other(tmp_path: Path) -> None:
    pictures = [encoded(invoice()), encoded(Image.new("RGB", (10, 20), "blue"))]
    async with make_deps("local", tmp_path, clock=SystemClock()) as deps:
        shop = make_workshop(deps, {"look": {"threads": 1}})
        stop = deps.background.start("workshop", shop.run())

        async with aclosing(shop.call("look", "look", {}, pictures)) as items:
            answers = [facts async for facts, _ in items]
        stop()
        await shop.stopped()

    assert answers[0]["lines"][-1] == "Total: 42.49 EUR"
    assert (answers[1]["width"], answers[1]["height"]) == (10, 20)
    assert "Total: 42.49 EUR" in describe(answers)

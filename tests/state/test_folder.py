"""Objects as files: kept for a while, bounded, readable by this user alone."""

import asyncio
from pathlib import Path

import pytest

from gateway.state.folder import FolderObjects
from gateway.testing.clock import ManualClock

JPEG = "image/jpeg"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def objects(folder: Path, clock: ManualClock, most_bytes: int = 10_000) -> FolderObjects:
    return FolderObjects(folder / "pictures", clock, keep_s=100, most_bytes=most_bytes)


async def test_what_was_put_is_there_until_it_expires(tmp_path: Path, clock: ManualClock) -> None:
    kept = objects(tmp_path, clock)

    expires_at = await kept.put("a", b"picture", JPEG)
    found = await kept.get("a")
    clock.advance(101)

    assert found is not None
    assert (found.data, found.media_type) == (b"picture", JPEG)
    assert found.expires_at == pytest.approx(expires_at)
    assert await kept.get("a") is None
    assert await kept.get("b") is None


async def test_it_outlives_the_process(tmp_path: Path, clock: ManualClock) -> None:
    await objects(tmp_path, clock).put("a", b"picture", "image/png")

    found = await objects(tmp_path, clock).get("a")

    assert found is not None
    assert found.media_type == "image/png"


async def test_the_oldest_go_when_there_is_too_much(tmp_path: Path, clock: ManualClock) -> None:
    kept = objects(tmp_path, clock)

    for number in range(30):
        await kept.put(f"k{number}", bytes(1000), JPEG)
        clock.advance(1)

    sizes = [file.stat().st_size for file in (tmp_path / "pictures").iterdir()]
    assert sum(sizes) <= 10_000
    assert await kept.get("k0") is None
    assert await kept.get("k29") is not None


async def test_what_an_earlier_process_left_is_counted_and_cleared(
    tmp_path: Path, clock: ManualClock
) -> None:
    earlier = objects(tmp_path, clock, most_bytes=1_000_000)
    for number in range(50):
        await earlier.put(f"old{number}", bytes(1000), JPEG)
    clock.advance(101)

    await objects(tmp_path, clock).put("new", b"picture", JPEG)

    assert [file.name for file in (tmp_path / "pictures").iterdir()] == ["new.jpg"]


async def test_nobody_else_may_read_them(tmp_path: Path, clock: ManualClock) -> None:
    await objects(tmp_path, clock).put("a", b"picture", JPEG)

    folder = tmp_path / "pictures"
    assert folder.stat().st_mode & 0o077 == 0
    assert (folder / "a.jpg").stat().st_mode & 0o077 == 0


async def test_many_at_once_lose_nothing(tmp_path: Path, clock: ManualClock) -> None:
    kept = objects(tmp_path, clock, most_bytes=1_000_000)

    await asyncio.gather(*(kept.put(f"k{n}", str(n).encode(), JPEG) for n in range(50)))

    found = await asyncio.gather(*(kept.get(f"k{n}") for n in range(50)))
    assert [one.data for one in found if one] == [str(n).encode() for n in range(50)]


async def test_a_folder_that_cannot_be_written_is_an_error(
    tmp_path: Path, clock: ManualClock
) -> None:
    (tmp_path / "pictures").write_text("in the way")

    with pytest.raises(OSError, match="pictures"):
        await objects(tmp_path, clock).put("a", b"picture", JPEG)

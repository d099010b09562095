"""Signed URLs of stored pictures."""

import os
from pathlib import Path
from urllib.parse import parse_qsl

import pytest

from gateway.schema.failure import CallError
from gateway.schema.images import Picture
from gateway.state.folder import FolderObjects
from gateway.testing.clock import ManualClock
from gateway.web.album import Album

PICTURE = Picture(b"bytes", "image/jpeg")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def album(folder: Path, clock: ManualClock) -> Album:
    objects = FolderObjects(folder / "pictures", clock, keep_s=100, most_bytes=10**6)
    return Album(objects, folder / "signing.key", clock)


def query_of(url: str) -> dict[str, str]:
    assert url.startswith("/image/-?")
    return dict(parse_qsl(url.partition("?")[2]))


async def test_a_signed_url_opens_the_picture_even_after_a_restart(
    tmp_path: Path, clock: ManualClock
) -> None:
    query = query_of(await album(tmp_path, clock).sign(PICTURE))

    found = await album(tmp_path, clock).open(query)

    assert (found.data, found.media_type) == (b"bytes", "image/jpeg")
    assert len(query["id"]) == 32
    assert (tmp_path / "signing.key").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("id", "0" * 32),
        ("id", "../../etc/passwd"),
        ("exp", "9999999999"),
        ("exp", "soon"),
        ("exp", "٣"),
        ("exp", "9" * 5000),
        ("sig", "0" * 64),
        ("sig", ""),
        ("sig", "ä"),
    ],
)
async def test_a_url_that_was_changed_is_none_of_ours(
    tmp_path: Path, clock: ManualClock, name: str, value: str
) -> None:
    kept = album(tmp_path, clock)
    query = query_of(await kept.sign(PICTURE))

    with pytest.raises(CallError) as refused:
        await kept.open({**query, name: value})

    assert refused.value.code == "not_found"


async def test_it_expires(tmp_path: Path, clock: ManualClock) -> None:
    kept = album(tmp_path, clock)
    query = query_of(await kept.sign(PICTURE))
    clock.advance(101)

    with pytest.raises(CallError) as refused:
        await kept.open(query)

    assert (refused.value.status, refused.value.code) == (410, "expired")


async def test_a_picture_that_made_room_has_expired_too(tmp_path: Path, clock: ManualClock) -> None:
    kept = album(tmp_path, clock)
    query = query_of(await kept.sign(PICTURE))
    (tmp_path / "pictures" / f"{query['id']}.jpg").unlink()

    with pytest.raises(CallError) as refused:
        await kept.open(query)

    assert refused.value.code == "expired"


async def test_where_nothing_can_be_stored_only_a_signed_url_fails(
    tmp_path: Path, clock: ManualClock
) -> None:
    (tmp_path / "pictures").write_text("in the way")
    kept = album(tmp_path, clock)

    assert await kept.keep(["a cat"], PICTURE) is False
    with pytest.raises(CallError) as refused:
        await kept.sign(PICTURE)

    assert refused.value.code == "unavailable"
    assert os.fspath(tmp_path) not in refused.value.message

"""The spool: a file of rows that survives its process, within its bound."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway.schema.json import JsonObject
from gateway.state.spool import Spool, SpoolFullError


def spool(folder: Path, most_bytes: int = 1 << 20, name: str = "calls") -> Spool:
    """Return a spool of the name in `folder`."""
    return Spool(folder, name, most_bytes, is_synced=False)


def rows(count: int, begin: int = 0) -> list[JsonObject]:
    """Return so many rows."""
    return [{"request_id": f"req_{number}"} for number in range(begin, begin + count)]


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """Let no file of this process grow past `size` bytes, as a full disk does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_what_is_appended_comes_back_in_order_until_it_is_forgotten(tmp_path: Path) -> None:
    own = spool(tmp_path / "state")
    own.append(rows(2))
    own.append(rows(1, 2))

    first = own.oldest()
    again = own.oldest()
    own.forget()

    assert first == again == rows(3)
    assert (own.oldest(), own.rows) == ([], 0)
    (file,) = (tmp_path / "state").iterdir()
    assert file.stat().st_size == 0
    assert file.stat().st_mode & 0o777 == 0o600


def test_what_is_appended_between_reading_and_forgetting_stays(tmp_path: Path) -> None:
    own = spool(tmp_path)
    own.append(rows(2))

    assert own.oldest() == rows(2)
    own.append(rows(1, 2))
    own.forget()

    assert (own.oldest(), own.rows) == (rows(1, 2), 1)


def test_more_than_one_reading_brings_all(tmp_path: Path) -> None:
    own = spool(tmp_path)
    wanted = [{"request_id": f"{number}", "model": "m" * 1000} for number in range(1000)]
    own.append(wanted)

    found = []
    while own.rows:
        found += own.oldest()
        own.forget()

    assert found == wanted


def test_the_next_process_finds_what_the_last_one_left(tmp_path: Path) -> None:
    own = spool(tmp_path)
    own.append(rows(2))
    own.close()

    after = spool(tmp_path)
    after.open()

    assert after.rows == 2
    assert after.oldest() == rows(2)


@pytest.mark.parametrize("torn", [b'{"request_id":"req_9', b"\x00\xff", b"[1]\n", b'{"a":1}\n\n'])
def test_a_line_that_a_crash_tore_costs_no_other_line(tmp_path: Path, torn: bytes) -> None:
    own = spool(tmp_path)
    own.append(rows(1))
    own.close()
    (file,) = tmp_path.iterdir()
    with file.open("ab") as end:
        end.write(torn)

    after = spool(tmp_path)
    after.append(rows(1, 1))

    assert [row for row in after.oldest() if "request_id" in row] == rows(2)
    after.forget()
    assert after.rows == 0


def test_two_processes_have_a_file_each_and_who_comes_after_has_both(tmp_path: Path) -> None:
    first, second = spool(tmp_path), spool(tmp_path)
    first.append(rows(1))
    second.append(rows(1, 1))
    assert len(list(tmp_path.iterdir())) == 2
    first.close()
    second.close()

    after = spool(tmp_path)
    after.open()

    assert after.oldest() == rows(2)
    assert len(list(tmp_path.iterdir())) == 1


def test_what_another_process_has_is_left_to_it(tmp_path: Path) -> None:
    first, second = spool(tmp_path), spool(tmp_path)
    first.append(rows(1))

    second.open()

    assert second.rows == 0
    assert first.oldest() == rows(1)


def test_rows_of_another_database_are_left_alone(tmp_path: Path) -> None:
    spool(tmp_path, name="calls-a").append(rows(1))

    other = spool(tmp_path, name="calls-b")
    other.open()

    assert other.rows == 0


def test_a_full_spool_takes_nothing_and_has_room_again_once_it_is_empty(tmp_path: Path) -> None:
    own = spool(tmp_path, 100)
    own.append(rows(4))
    assert not own.has_room

    with pytest.raises(SpoolFullError):
        own.append(rows(2, 4))

    assert own.oldest() == rows(4)
    own.forget()
    assert own.has_room
    own.append(rows(2, 4))


def test_a_full_disk_leaves_no_half_line(tmp_path: Path) -> None:
    own = spool(tmp_path)
    own.append(rows(2))
    (file,) = tmp_path.iterdir()
    with files_of_at_most(file.stat().st_size + 5), pytest.raises(OSError, match="too large"):
        own.append(rows(1, 2))

    own.append(rows(1, 3))

    assert own.oldest() == [*rows(2), *rows(1, 3)]


def test_a_file_that_was_deleted_is_made_anew(tmp_path: Path) -> None:
    own = spool(tmp_path)
    own.append(rows(1))
    (file,) = tmp_path.iterdir()
    file.unlink()

    own.append(rows(1, 1))

    assert own.oldest() == rows(1, 1)
    assert [one.name for one in tmp_path.iterdir()] == [file.name]


def test_a_folder_that_cannot_be_written_is_an_os_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(OSError, match=r"Not a directory|exists"):
        spool(tmp_path / "file" / "state").append(rows(1))


def test_a_synced_spool_holds_the_same(tmp_path: Path) -> None:
    own = Spool(tmp_path, "calls", 1 << 20, is_synced=True)
    own.append(rows(1))

    assert own.oldest() == rows(1)
    assert [one.name for one in tmp_path.iterdir()] == ["calls-0.jsonl"]

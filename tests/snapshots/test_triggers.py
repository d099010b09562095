"""A file that changes is read again, however it was changed."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import suppress
from pathlib import Path

import pytest

from gateway.background import Background
from gateway.config.load import Loaded, load
from gateway.config.problems import ConfigError, Problem
from gateway.config.reload import Standing
from gateway.config.stamps import Stamps, look_at
from gateway.registry import Registry, configured_providers
from gateway.sdk.clock import SystemClock
from gateway.snapshots import triggers
from gateway.snapshots.reloads import Providers, Reloads
from gateway.snapshots.triggers import reload_on, watch
from tests.web.raw_http import becomes

REST = "providers: {c: {kind: chaos}}\nmodels: {m: {targets: [{provider: c, model: echo}]}}\n"
SOON_S = 0.01


class Swaps:
    """Takes every configuration; the last one refuses, if told to."""

    def __init__(self, file: Path, environ: Mapping[str, str] | None = None) -> None:
        environ = environ or {}
        loaded = load(file, environ)
        self.levels: list[str] = []
        self.is_refusing = False
        self.reloads = Reloads(
            loaded,
            configured_providers(loaded, Registry.discover()),
            environ,
            SystemClock(),
            swap=self._swap,
            learn=lambda _: None,
            tell=self._tell,
        )

    async def _tell(self, standing: Standing) -> None:
        pass

    async def _swap(self, loaded: Loaded, providers: Providers, standing: Standing) -> None:
        if self.is_refusing:
            raise ConfigError([Problem("here", "", "no")])
        self.levels.append(loaded.document.logs.level)

    @property
    def generation(self) -> int:
        """How often it was swapped, and one."""
        return self.reloads.standing.generation


def text(level: str, *, is_watched: bool = True) -> str:
    server = "" if is_watched else "server: {watch: false}\n"
    return f"logs: {{level: {level}}}\n{server}{REST}"


def replace(file: Path, content: str) -> None:
    """Write a new file in the old one's place, as editors do."""
    new = file.with_name("new")
    new.write_text(content)
    new.rename(file)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(text("info"))
    return path


@pytest.fixture
async def background() -> AsyncIterator[Background]:
    owner = Background()
    yield owner
    await owner.aclose()


async def test_a_file_that_was_written_again_is_read(file: Path, background: Background) -> None:
    swaps = Swaps(file)
    background.start("watch", watch(swaps.reloads, every_s=SOON_S))

    file.write_text(text("warning"))
    await becomes(lambda: swaps.levels == ["warning"])
    replace(file, text("debug"))

    await becomes(lambda: swaps.levels == ["warning", "debug"])


async def test_a_link_in_its_path_that_leads_elsewhere_is_seen(
    tmp_path: Path, background: Background
) -> None:
    for level in ("info", "debug"):
        (tmp_path / level).mkdir()
        (tmp_path / level / "config.yaml").write_text(text(level))
    data, file = tmp_path / "data", tmp_path / "config.yaml"
    data.symlink_to("info")
    file.symlink_to("data/config.yaml")
    swaps = Swaps(file)
    background.start("watch", watch(swaps.reloads, every_s=SOON_S))

    (tmp_path / "next").symlink_to("debug")
    (tmp_path / "next").rename(data)

    await becomes(lambda: swaps.levels == ["debug"])


async def test_a_file_of_the_environment_is_watched_as_well(
    file: Path, background: Background
) -> None:
    named = file.with_name("level")
    named.write_text("info")
    file.write_text(text("'${LEVEL}'"))
    swaps = Swaps(file, {"LEVEL_FILE": str(named)})
    background.start("watch", watch(swaps.reloads, every_s=SOON_S))

    replace(named, "debug")

    await becomes(lambda: swaps.levels == ["debug"])


async def test_a_bad_file_is_tried_once_and_the_next_good_one_is_read(
    file: Path, background: Background
) -> None:
    swaps = Swaps(file)
    tried = 0
    original = swaps.reloads.reload

    async def counted(why: str, *, is_trial: bool = False) -> object:
        nonlocal tried
        tried += 1
        return await original(why, is_trial=is_trial)

    swaps.reloads.reload = counted  # type: ignore[method-assign,assignment] # Counts what is asked.
    background.start("watch", watch(swaps.reloads, every_s=SOON_S))

    file.write_text("{")
    await becomes(lambda: swaps.reloads.standing.failed is not None)
    file.unlink()
    for _ in range(3):
        await asyncio.to_thread(os.stat, file.parent)
    assert (tried, swaps.levels) == (1, [])
    file.write_text(text("debug"))

    await becomes(lambda: swaps.levels == ["debug"])
    assert swaps.reloads.standing.failed is None


async def test_a_file_that_is_put_back_as_it_was_ends_the_failure(
    file: Path, background: Background
) -> None:
    swaps = Swaps(file)
    kept = file.with_name("kept")
    os.link(file, kept)
    background.start("watch", watch(swaps.reloads, every_s=SOON_S))
    replace(file, "{")
    await becomes(lambda: swaps.reloads.standing.failed is not None)

    kept.rename(file)

    await becomes(lambda: swaps.reloads.standing.failed is None)
    assert (swaps.generation, swaps.levels) == (1, [])


async def test_a_file_that_is_not_to_be_watched_is_read_on_a_signal_alone(
    file: Path, background: Background
) -> None:
    file.write_text(text("info", is_watched=False))
    swaps, hangup = Swaps(file), asyncio.Event()
    background.start("watch", watch(swaps.reloads, every_s=SOON_S))
    background.start("hangup", reload_on(hangup, swaps.reloads))

    file.write_text(text("warning", is_watched=False))
    hangup.set()
    await becomes(lambda: swaps.levels == ["warning"])
    file.write_text(text("debug"))
    hangup.set()
    await becomes(lambda: swaps.levels == ["warning", "debug"])
    file.write_text(text("error"))

    await becomes(lambda: swaps.levels == ["warning", "debug", "error"])


async def test_what_a_signal_has_tried_is_not_tried_again_because_it_has_changed(
    file: Path,
    background: Background,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looks: list[Stamps] = []

    def look(paths: Iterable[Path]) -> Stamps:
        looks.append(look_at(paths))
        return looks[-1]

    monkeypatch.setattr(triggers, "look_at", look)
    swaps = Swaps(file)
    file.write_text("{")
    with suppress(ConfigError):
        await swaps.reloads.reload("SIGHUP")

    background.start("watch", watch(swaps.reloads, every_s=SOON_S))
    await becomes(lambda: len(looks) > 3)

    said = [record.getMessage() for record in caplog.records]
    assert [line for line in said if "was not reloaded" in line] == [
        "the configuration was not reloaded (SIGHUP), configuration 1 goes on:"
    ]


async def test_a_reload_that_fails_in_the_swap_is_noted_and_leaves_the_old_one(file: Path) -> None:
    swaps = Swaps(file)
    swaps.is_refusing = True
    before = swaps.reloads.loaded
    file.write_text(text("debug"))

    with suppress(ConfigError):
        await swaps.reloads.reload("a test")

    assert swaps.reloads.loaded is before
    assert swaps.reloads.standing.failed is not None
    assert swaps.generation == 1

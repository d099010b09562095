"""The settings and the catalogue that they choose from."""

from importlib.resources import files
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from pydantic import ValidationError

from gateway_local import gateway_provider_kinds
from gateway_local.catalogue import DEFAULT_ID, TINY_ID, catalogue
from gateway_local.settings import LocalSettings


def test_the_defaults_give_each_of_two_callers_a_context_of_4096() -> None:
    settings = LocalSettings()

    assert (settings.model, settings.parallel, settings.slot_context) == (DEFAULT_ID, 2, 4096)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"model": "gpt-5"}, "smollm2-135m"),
        ({"context": 1024, "parallel": 8}, "a slot needs 256"),
        ({"restart_min_s": 9, "restart_max_s": 1}, "restart_max_s"),
        ({"threads": 0}, "greater than or equal to 1"),
        ({"modle": "x"}, "Extra inputs"),
    ],
)
def test_settings_that_cannot_work_say_why(given: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        LocalSettings.model_validate(given)


def test_a_path_of_the_user_s_may_start_at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")

    assert LocalSettings.model_validate({"path": "~/m.gguf"}).path == Path("/home/ada/m.gguf")


@pytest.mark.parametrize(
    ("cores", "given", "decode", "prompt"),
    [(8, None, 7, 8), (1, None, 1, 1), (2, 4, 4, 4), (None, None, 1, 1)],
)
def test_one_core_is_left_to_others_unless_told_otherwise(
    monkeypatch: pytest.MonkeyPatch, cores: int | None, given: int | None, decode: int, prompt: int
) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: cores)

    settings = LocalSettings(threads=given)

    assert (settings.decode_threads, settings.read_threads) == (decode, prompt)


def test_a_missing_library_is_said_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway_local.settings.find_spec", lambda _name: None)

    assert "dynagate[local]" in str(LocalSettings().missing())


def test_the_installed_library_is_found() -> None:
    assert LocalSettings().missing() is None


def test_the_hook_offers_the_kind_with_its_weights() -> None:
    (kind,) = gateway_provider_kinds()

    assert kind.name == "local"
    assert kind.weights is not None


def test_the_first_row_is_the_default_and_the_tiny_tier_is_the_smallest() -> None:
    rows = list(catalogue().for_chat().values())

    assert [row.id for row in rows if row.is_default] == [rows[0].id] == [DEFAULT_ID]
    assert min(rows, key=lambda row: row.size_bytes).id == TINY_ID


@pytest.mark.parametrize("row", catalogue().entries, ids=lambda row: row.id)
def test_each_row_is_pinned_whole_and_has_its_licence_in_the_package(row: object) -> None:
    entry = next(found for found in catalogue().entries if found == row)
    mirror = entry.mirror
    last = entry.size_bytes - (len(mirror.wheels) - 1) * mirror.part_bytes

    assert entry.url is None or urlsplit(entry.url).scheme == "https"
    assert 0 < last <= mirror.part_bytes
    assert len({wheel.sha256 for wheel in mirror.wheels}) == len(mirror.wheels)
    assert all(len(pinned) == 64 for pinned in (entry.sha256, *(w.sha256 for w in mirror.wheels)))
    assert all("==" in wheel.requirement for wheel in mirror.wheels)
    assert files("gateway_local").joinpath("licences", f"{entry.licence}.txt").is_file()

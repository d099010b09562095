"""Where configuration, cache and state are."""

from pathlib import Path

import pytest

from gateway.config.places import cache_dir, database_path, find_config, shipped_config, state_dir


def test_own_variables_win_over_the_ones_of_the_desktop(tmp_path: Path) -> None:
    environ = {
        "HOME": "/home/u",
        "XDG_CACHE_HOME": "/xdg/cache",
        "XDG_STATE_HOME": "/xdg/state",
        "DYNAGATE_CACHE_DIR": str(tmp_path / "c"),
        "DYNAGATE_STATE_DIR": str(tmp_path / "s"),
    }

    assert (cache_dir(environ), state_dir(environ)) == (tmp_path / "c", tmp_path / "s")


def test_the_desktops_variables_win_over_the_home_folder() -> None:
    environ = {"HOME": "/home/u", "XDG_CACHE_HOME": "/xdg/cache", "XDG_STATE_HOME": "/xdg/state"}

    assert cache_dir(environ) == Path("/xdg/cache/dynagate")
    assert state_dir(environ) == Path("/xdg/state/dynagate")


@pytest.mark.parametrize("xdg", ["", "relative/path"])
def test_without_them_the_home_folder_is_used(xdg: str) -> None:
    environ = {"HOME": "/home/u", "XDG_CACHE_HOME": xdg}

    assert cache_dir(environ) == Path("/home/u/.cache/dynagate")
    assert state_dir(environ) == Path("/home/u/.local/state/dynagate")


def test_a_configuration_is_looked_for_from_the_nearest_to_the_shipped_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, users = tmp_path / "here", tmp_path / "xdg" / "dynagate"
    here.mkdir()
    users.mkdir(parents=True)
    monkeypatch.chdir(here)
    environ = {"XDG_CONFIG_HOME": str(tmp_path / "xdg")}

    nothing = find_config(None, environ)
    (users / "config.yaml").touch()
    of_the_user = find_config(None, environ)
    (here / "config.yaml").touch()
    of_the_folder = find_config(None, environ)
    given = find_config(Path("none.yaml"), environ)

    assert nothing == shipped_config()
    assert of_the_user == users / "config.yaml"
    assert of_the_folder == Path("config.yaml")
    assert given == Path("none.yaml")


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("memory://", None),
        ("sqlite:////var/lib/x.sqlite", "/var/lib/x.sqlite"),
        ("sqlite:///x.sqlite", "x.sqlite"),
        ("sqlite:///~/x.sqlite", "/home/u/x.sqlite"),
        ("sqlite:///$XDG_STATE_HOME/dynagate/x.sqlite", "/own/x.sqlite"),
        ("sqlite:///$XDG_STATE_HOME/other/x.sqlite", "/home/u/.local/state/other/x.sqlite"),
    ],
)
def test_a_database_is_where_its_url_says(url: str, path: str | None) -> None:
    environ = {"HOME": "/home/u", "DYNAGATE_STATE_DIR": "/own"}

    found = database_path(url, environ)

    assert found == (None if path is None else Path(path))

"""Where the configuration, caches and state of this user are (XDG base directories)."""

from collections.abc import Mapping
from pathlib import Path

NAME = "config.yaml"


def find_config(given: Path | None, environ: Mapping[str, str]) -> Path:
    """Return the configuration to use; `given` wins and need not exist.

    Then `./config.yaml`, `$XDG_CONFIG_HOME/dynagate/config.yaml`, and the one that is shipped.
    """
    if given is not None:
        return given
    here = Path(NAME)
    users = _xdg(environ, "XDG_CONFIG_HOME", ".config") / NAME
    return next((path for path in (here, users) if path.is_file()), shipped_config())


def shipped_config() -> Path:
    """Return the configuration that comes with the gateway: the package's, else the checkout's."""
    package = Path(__file__).resolve().parent
    installed = package / "shipped.yaml"
    return installed if installed.is_file() else package.parents[1] / NAME


def cache_dir(environ: Mapping[str, str]) -> Path:
    """Return the folder for what can be brought again, weights above all; it may not exist yet."""
    return _own(environ, "DYNAGATE_CACHE_DIR") or _xdg(environ, "XDG_CACHE_HOME", ".cache")


def state_dir(environ: Mapping[str, str]) -> Path:
    """Return the folder for what must survive a restart; it may not exist yet."""
    return _own(environ, "DYNAGATE_STATE_DIR") or _xdg(environ, "XDG_STATE_HOME", ".local/state")


def database_path(url: str, environ: Mapping[str, str]) -> Path | None:
    """Return the file that a `state.url` names, None for `memory://`.

    `~` is the home folder and `$XDG_STATE_HOME/dynagate` the folder of `state_dir`; a path with a
    slash of its own (four in all) is absolute, any other begins at the working folder.
    """
    text = url.removeprefix(_SQLITE)
    if text == url:
        return None
    if text == _STATE_FOLDER or text.startswith(f"{_STATE_FOLDER}/"):
        return state_dir(environ) / text[len(_STATE_FOLDER) + 1 :]
    if text.startswith(f"{_STATE_HOME}/"):
        return _base(environ, _STATE_HOME[1:], ".local/state") / text[len(_STATE_HOME) + 1 :]
    if text.startswith("~/"):
        return _home(environ) / text[2:]
    return Path(text)


_SQLITE = "sqlite:///"
_STATE_HOME = "$XDG_STATE_HOME"
_STATE_FOLDER = f"{_STATE_HOME}/dynagate"


def _own(environ: Mapping[str, str], name: str) -> Path | None:
    return Path(environ[name]).expanduser() if environ.get(name) else None


def _xdg(environ: Mapping[str, str], name: str, default: str) -> Path:
    return _base(environ, name, default) / "dynagate"


def _base(environ: Mapping[str, str], name: str, default: str) -> Path:
    # The specification says that a relative path is to be ignored.
    base = Path(environ.get(name, ""))
    return base if base.is_absolute() else _home(environ) / default


def _home(environ: Mapping[str, str]) -> Path:
    return Path(environ["HOME"]) if environ.get("HOME") else Path.home()

"""The contracts that `lint-imports` checks cover the whole tree."""

import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PLUGIN_API = {"gateway.sdk", "gateway.schema"}


def test_plugins_may_import_the_plugin_api_and_no_other_part_of_the_gateway() -> None:
    forbidden = set(_contract("plugins")["forbidden_modules"])

    assert forbidden == _children_of_gateway() - PLUGIN_API


def test_every_bundled_plugin_stands_in_every_contract_about_plugins() -> None:
    settings = _settings()
    plugins = {path.parent.name for path in (ROOT / "plugins").glob("gateway_*/__init__.py")}

    assert plugins
    assert set(settings["root_packages"]) - {"gateway"} == plugins
    assert set(_contract("core")["forbidden_modules"]) == plugins
    assert set(_contract("plugins")["source_modules"]) == plugins
    assert set(_contract("providers")["modules"]) == plugins


def test_every_bundled_plugin_is_shipped_and_found() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    plugins = {path.parent.name for path in (ROOT / "plugins").glob("gateway_*/__init__.py")}

    shipped = set(project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]) - {"gateway"}
    found = set(project["project"]["entry-points"]["dynagate"].values())

    assert shipped == {f"plugins/{name}" for name in plugins}
    assert found == plugins


def _children_of_gateway() -> set[str]:
    folders = {path.parent.name for path in (ROOT / "gateway").glob("*/__init__.py")}
    modules = {path.stem for path in (ROOT / "gateway").glob("*.py")} - {"__init__", "__main__"}
    return {f"gateway.{name}" for name in folders | modules}


def _contract(identifier: str) -> dict[str, Any]:
    return next(c for c in _settings()["contracts"] if c["id"] == identifier)


def _settings() -> dict[str, Any]:
    settings: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"][
        "importlinter"
    ]
    return settings

"""The package of engines, where the worker can import it."""

from pathlib import Path

import pytest

from tests.sdk.workshop.demo import (
    ENGINE,
    PACKAGE,
)


@pytest.fixture(autouse=True)
def engines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a package of engines that the worker can import."""
    folder = tmp_path / "path" / PACKAGE
    folder.mkdir(parents=True)
    (folder / "__init__.py").touch()
    for name in ("demo", "missing", "broken", "slow", "odd"):
        (folder / f"{name}.py").write_text(ENGINE, "utf-8")
    monkeypatch.syspath_prepend(folder.parent)
    monkeypatch.setattr("gateway.sdk.workshop.bench._PAUSE_MIN_S", 0.01)
    monkeypatch.setattr("gateway.sdk.workshop.bench._LOOK_S", 0.02)

"""The bundled model on this machine passes the suite that strangers' providers pass."""

from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import ClassVar

import pytest

from gateway.schema.chat import ChatRequest
from gateway.sdk import Deps
from gateway.sdk.clock import SystemClock
from gateway.testing.conformance import ChatConformance
from gateway.testing.deps import make_deps
from gateway.testing.image_conformance import ImageConformance


@pytest.mark.slow  # A worker for each of thirty tests.
class TestTiny(ChatConformance):
    """The smallest weights, one thread."""

    kind = "local"
    plugin = "gateway_local"
    model = "chat"
    settings: ClassVar = {"model": "smollm2-135m", "threads": 1, "prompt_threads": 1}
    failing_model = "no such model"
    weights: Path

    @pytest.fixture(autouse=True)
    def _weights(self, weights_dir: Path) -> None:
        self.weights = weights_dir

    def ask(self, text: str) -> ChatRequest:
        # So small a model adds field after field to an object of its own.
        return super().ask('Repeat: {"city": "Oslo"}' if "JSON" in text else text)

    def deps(self, folder: Path) -> AbstractAsyncContextManager[Deps]:
        return make_deps(self.kind, folder, clock=SystemClock(), cache_dir=self.weights)


class TestPainter(ImageConformance):
    """The painter, which needs no weights."""

    kind = "local"
    plugin = "gateway_local"
    image_model = "painter"
    failing_model = "no such model"

    def deps(self, folder: Path) -> AbstractAsyncContextManager[Deps]:
        return make_deps(self.kind, folder, clock=SystemClock())

"""The bundled model on this machine passes the suite that strangers' providers pass."""

from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.schema.chat import ChatRequest
from gateway.sdk import Deps
from gateway.sdk.clock import SystemClock
from gateway.testing.conformance import ChatConformance
from gateway.testing.deps import make_deps


@pytest.mark.slow  # A worker for each of thirty tests.
class TestTiny(ChatConformance):
    kind = "local"
    plugin = "gateway_local"
    model = "chat"
    settings = {"model": "smollm2-135m", "threads": 1, "prompt_threads": 1}
    failing_model = "no such model"
    weights: Path

    @pytest.fixture(autouse=True)
    def _weights(self, weights_dir: Path) -> None:
        self.weights = weights_dir

    def ask(self, text: str) -> ChatRequest:
        request = super().ask(text)
        if "JSON" not in text:
            return request
        # So small a model repeats one field for ever in an object that has no schema.
        return replace(request, sampling=replace(request.sampling, frequency_penalty=1.5))

    def deps(self, folder: Path) -> AbstractAsyncContextManager[Deps]:
        return make_deps(self.kind, folder, clock=SystemClock(), cache_dir=self.weights)

"""The bundled kind is held to what strangers' are."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import ClassVar

from gateway.testing.image_conformance import ImageConformance
from tests.plugins.sdwebui.webui import FakeWebui


class TestWebui(ImageConformance):
    """`kind: sdwebui` in front of a scripted webui."""

    kind = "sdwebui"
    image_model = "current"
    failing_model = "no such checkpoint"
    failing_settings: ClassVar = {
        "base_url": "http://127.0.0.1:9",
        "username": "ada",
        "password": "canary-password",
    }

    # It leaves the end of a task to the background, on purpose: see test_webui.py.
    test_a_cancelled_picture_leaves_nothing_behind = None  # type: ignore[assignment]

    @asynccontextmanager
    async def configured(self) -> AsyncGenerator[Mapping[str, object]]:
        """Run the webui for as long as the settings that name it."""
        async with FakeWebui() as webui:
            yield {"base_url": webui.url, "username": "ada", "password": "canary-password"}

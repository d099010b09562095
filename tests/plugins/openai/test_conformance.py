"""The bundled provider is held to what strangers' are."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager

from gateway.testing.conformance import ChatConformance
from gateway.testing.script import converse
from gateway.testing.upstream import FakeUpstream


class TestOpenAI(ChatConformance):
    """`kind: openai` in front of a scripted upstream."""

    kind = "openai"
    model = "fake"

    @asynccontextmanager
    async def configured(self) -> AsyncGenerator[Mapping[str, object]]:
        """Run the upstream for as long as the settings that name it."""
        async with FakeUpstream(default=converse()) as upstream:
            yield {"base_url": f"{upstream.url}/v1", "api_key": "sk-canary"}

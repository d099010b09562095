"""A provider in another process passes the suites that it passes in this one."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any, ClassVar

from gateway.sdk import ProviderKind
from gateway.testing.conformance import ChatConformance
from gateway.testing.script import converse
from gateway.testing.upstream import FakeUpstream
from tests.crew.far import at_a_distance


class TestChaos(ChatConformance):
    """A scripted model."""

    kind = "chaos"
    plugin = "gateway_chaos"
    model = "delay:1ms+first-token:1ms+gap:1ms+words:5"
    failing_model = "fail:transient"

    def load_kind(self) -> ProviderKind:
        """Put a socket in between."""
        return at_a_distance(super().load_kind(), [self.model])


class TestOpenAI(ChatConformance):
    """A model of an upstream, which takes callers' documents as they are."""

    kind = "openai"
    plugin = "gateway_openai"
    model = "fake"
    failing_settings: ClassVar = {"base_url": "http://127.0.0.1:9/v1", "api_key": "sk-test"}

    @asynccontextmanager
    async def configured(self) -> AsyncGenerator[Mapping[str, Any]]:
        """Ask a scripted upstream."""
        async with FakeUpstream(default=converse()) as upstream:
            yield {"base_url": f"{upstream.url}/v1", "api_key": "sk-test"}

    def load_kind(self) -> ProviderKind:
        """Put a socket in between."""
        return at_a_distance(super().load_kind(), [self.model])

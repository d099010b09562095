"""The bundled provider of failures passes the suite that strangers' providers pass."""

from dataclasses import replace
from typing import ClassVar

from gateway.schema.chat import ChatRequest, Tool
from gateway.testing.conformance import ChatConformance


class TestEcho(ChatConformance):
    """A model that only echoes."""

    kind = "chaos"
    plugin = "gateway_chaos"
    model = "echo"
    settings: ClassVar = {"seed": 7}
    failing_model = "fail:transient"


class TestReasoningAndTools(ChatConformance):
    """A model that reasons and asks for a tool."""

    kind = "chaos"
    plugin = "gateway_chaos"
    model = "reasoning+tool"
    failing_model = "fail:transient@3"

    def ask(self, text: str) -> ChatRequest:
        """Declare the tool that the model asks for."""
        return replace(super().ask(text), tools=(Tool("get_weather"),))


class TestSlowWords(ChatConformance):
    """A model that is caught in the middle of its words."""

    kind = "chaos"
    plugin = "gateway_chaos"
    model = "delay:1ms+first-token:1ms+gap:1ms+words:5"
    failing_model = "no such word"

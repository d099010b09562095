"""What every provider promises, checked on this one."""

from typing import ClassVar

from gateway.testing.conformance import ChatConformance


class TestEcho(ChatConformance):
    """The suite of the gateway; `gateway.testing.provider_under_test` lists what can be set here."""

    kind = "echo"
    settings: ClassVar = {"prefix": "You said: "}

"""The bundled kind is held to what strangers' are."""

from typing import ClassVar

from gateway.testing.kind_conformance import KindConformance


class TestWebui(KindConformance):
    """`kind: sdwebui`, as far as it need not draw."""

    kind = "sdwebui"
    settings: ClassVar = {"username": "ada", "password": "canary-password"}

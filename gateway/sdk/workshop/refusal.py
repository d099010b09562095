"""How an engine says no."""

from typing import Literal

Reason = Literal[
    "caller_fault", "unsupported", "context_length", "not_ready", "timeout", "transient"
]
"""Values of `gateway.schema.failure.Failure`, those that an engine can know."""


class EngineRefusal(Exception):  # noqa: N818 - an answer, not a breakdown.
    """What was asked cannot be done; the caller is told `message`, and `param` is at fault."""

    def __init__(self, failure: Reason, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.failure = failure
        self.message = message
        self.param = param

"""What a plugin may put between callers and one model. Internal until somebody needs it.

That is: it may change without a new number of the plugin API.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from gateway.schema.chat import ChatRequest, CompletionRequest
from gateway.schema.events import StreamEvent
from gateway.sdk.hooks import hookspec

STAGES = "dynagate.stages"
"""The entry-point group of stages. An entry point's name is a stage's name."""

TextRequest = ChatRequest | CompletionRequest


class Stage(Protocol):
    """One attempt's way through a stage, an object for each: it may keep what it has seen.

    No method may wait or do I/O: the whole gateway would. What one raises ends the call with 500
    `internal_error`, and the log says why; `UpstreamError` counts as the target's.
    """

    def on_request(self, request: TextRequest) -> TextRequest:
        """Return what the target is asked, of the same type; called once, first."""

    def on_event(self, event: StreamEvent) -> Iterable[StreamEvent]:
        """Return what stands for `event`: itself, nothing, or others."""

    def on_end(self) -> Iterable[StreamEvent]:
        """Return what was held back; the answer has ended well."""


@dataclass(frozen=True, slots=True)
class StageKind:
    """A stage by the name that `models.<name>.stages` says; `begin` makes one for an attempt."""

    name: str
    begin: Callable[[], Stage]


@hookspec
def gateway_stages() -> Iterable[StageKind]:
    """Return the stages this plugin adds.

    Names are unique across all plugins, as those of kinds.
    """
    return ()

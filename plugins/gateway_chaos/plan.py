"""What a model name asks for, once it is understood."""

from dataclasses import dataclass
from enum import Enum, auto

from gateway.schema.failure import Failure

MAX_DELAY_S = 600.0
"""The longest of any wait; `hang` is exactly this long, and then a timeout."""
MAX_WORDS = 100_000
"""The most words in all choices of one answer."""


class Content(Enum):
    """What is answered."""

    ECHO = auto()
    SAY = auto()
    WORDS = auto()
    JSON = auto()
    TOOL = auto()
    REFUSAL = auto()
    NOTHING = auto()


@dataclass(frozen=True, slots=True)
class Fault:
    """A failure to raise: before anything is said, or `after` so many events of each choice."""

    failure: Failure
    after: int | None = None
    status: int | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """A model name, understood. Waits are in seconds."""

    content: Content | None = None
    text: str = ""
    """What to say, or the name of the tool to ask for; "" is the first tool that is declared."""
    words: int = 0
    is_reasoning: bool = False
    delay_s: float = 0.0
    first_token_s: float = 0.0
    gap_s: float = 0.0
    hang_after: int | None = None
    fault: Fault | None = None
    retry_after_s: float | None = None
    flaky: int = 1
    """Only each so-many-th call fails."""
    usage: tuple[int, int] | None = None

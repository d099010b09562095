"""What a model's calls are asked besides: a second time when they are late, or of another."""

from typing import TYPE_CHECKING

from gateway.config.hedging import Hedge, Shadow
from gateway.pipeline.attempts.retries import RetryBudget
from gateway.pipeline.users import Users
from gateway.sdk.providers import Clock

if TYPE_CHECKING:
    from gateway.pipeline.routing.target import Target

_MICROS = 1_000_000


class Hedging:
    """What a model's `hedge` says, and what is left of its budget at this process."""

    __slots__ = ("_settings", "budget", "max_cost_usd_micros")

    def __init__(self, settings: Hedge, clock: Clock) -> None:
        self._settings = settings
        self.budget = RetryBudget(settings, clock)
        usd = settings.max_cost_usd
        self.max_cost_usd_micros = None if usd is None else usd * _MICROS

    def go_on_from(self, before: "Hedging") -> None:
        """Go on with what is left of the budget `before` a reload."""
        self.budget = before.budget
        self.budget.adjust(self._settings)

    def after_s(self, target: "Target", *, is_stream: bool) -> float | None:
        """Return how long `target` may keep a caller waiting; None: nobody can say yet."""
        health, settings = target.health, self._settings
        if is_stream:
            given, known = settings.after_s, health.first_token_times
        else:
            given, known = settings.whole_after_s, health.whole_times
        return known.p95_s if given is None else given


class Shadowing:
    """What a model's `shadow` says, and how many copies are under way at this process."""

    __slots__ = ("copies", "settings")

    def __init__(self, settings: Shadow) -> None:
        self.settings = settings
        self.copies = Users()

    def go_on_from(self, before: "Shadowing") -> None:
        """Count the copies that are under way since `before` a reload, too."""
        self.copies = before.copies

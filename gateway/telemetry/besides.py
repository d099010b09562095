"""What happens to calls besides being answered by the target whose turn it is."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric


class Side(NamedTuple):
    """One of two answers to the same request: how long it took, and how much it is."""

    seconds: float
    tokens: int
    characters: int


class Besides:
    """The figures of a process. Labels are names of the configuration and fixed words."""

    def __init__(self) -> None:
        self._recalls: Counter[tuple[str, str]] = Counter()
        self._guarded: Counter[tuple[str, str, str]] = Counter()
        self._hedges: Counter[tuple[str, str]] = Counter()
        self._shadows: Counter[tuple[str, str]] = Counter()
        self._seconds: dict[tuple[str, str], float] = {}
        self._tokens: Counter[tuple[str, str]] = Counter()

    def recalled(self, model: str, result: str) -> None:
        """Count a call of a model with a cache: `hit`, `miss`, `bypass` or `shared`."""
        self._recalls[model, result] += 1

    def guarded(self, model: str, guard: str, action: str) -> None:
        """Count a call in which a guard found something."""
        self._guarded[model, guard, action] += 1

    def hedged(self, model: str, outcome: str) -> None:
        """Count a call with a second attempt beside a late one, `won` or `lost` by the second."""
        self._hedges[model, outcome] += 1

    def shadowed(self, model: str, outcome: str) -> None:
        """Count a copy of a call: `same`, `different`, `failed`, or `skipped` if none was made."""
        self._shadows[model, outcome] += 1

    def compared(self, model: str, sides: Mapping[str, Side]) -> None:
        """Add the figures of a copy that was answered, and those of the answer it is of."""
        for name, side in sides.items():
            self._seconds[model, name] = self._seconds.get((model, name), 0.0) + side.seconds
            self._tokens[model, name] += side.tokens

    def collect(self) -> Iterator["Metric"]:
        """Yield what is counted, for the client library."""
        from prometheus_client.metrics_core import CounterMetricFamily  # noqa: PLC0415 - 70 ms.

        recalls = CounterMetricFamily(
            "dynagate_cache_calls",
            "Calls of models with a cache, by what came of that.",
            labels=("model", "result"),
        )
        for labels, count in self._recalls.items():
            recalls.add_metric(labels, count)
        guarded = CounterMetricFamily(
            "dynagate_guarded_calls",
            "Calls in which a guard found something.",
            labels=("model", "guard", "action"),
        )
        for names, count in self._guarded.items():
            guarded.add_metric(names, count)
        yield from (recalls, guarded)
        hedges = CounterMetricFamily(
            "dynagate_hedges",
            "Calls with a second attempt beside one that was late, by whether it answered first.",
            labels=("model", "outcome"),
        )
        for labels, count in self._hedges.items():
            hedges.add_metric(labels, count)
        yield hedges
        shadows = CounterMetricFamily(
            "dynagate_shadows",
            "Copies of calls, by what came of them.",
            labels=("model", "outcome"),
        )
        seconds = CounterMetricFamily(
            "dynagate_shadow_seconds",
            "How long answers took of which a copy was answered, and the copies.",
            labels=("model", "side"),
        )
        tokens = CounterMetricFamily(
            "dynagate_shadow_tokens", "Tokens that both wrote.", labels=("model", "side")
        )
        for labels, count in self._shadows.items():
            shadows.add_metric(labels, count)
        for labels, total_s in self._seconds.items():
            seconds.add_metric(labels, total_s)
        for labels, count in self._tokens.items():
            tokens.add_metric(labels, count)
        yield from (shadows, seconds, tokens)

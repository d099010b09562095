"""What is asked of upstreams besides the attempts that callers wait for."""

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric


class Besides:
    """The figures of a process. Labels are names of the configuration and fixed words."""

    def __init__(self) -> None:
        self._hedges: Counter[tuple[str, str]] = Counter()

    def hedged(self, model: str, outcome: str) -> None:
        """Count a call with a second attempt beside a late one, `won` or `lost` by the second."""
        self._hedges[model, outcome] += 1

    def collect(self) -> Iterator["Metric"]:
        """Yield what is counted, for the client library."""
        from prometheus_client.metrics_core import CounterMetricFamily  # noqa: PLC0415 - 70 ms.

        hedges = CounterMetricFamily(
            "dynagate_hedges",
            "Calls with a second attempt beside one that was late, by whether it answered first.",
            labels=("model", "outcome"),
        )
        for labels, count in self._hedges.items():
            hedges.add_metric(labels, count)
        yield hedges

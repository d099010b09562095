"""What Prometheus may scrape. Labels are bounded: configured names, statuses, failure classes."""

from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import generate_latest

_SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 600.0)
_MAX_CHILDREN = 4096


@dataclass(slots=True)
class _Cells:
    """The children of one label set, looked up once."""

    calls: Counter
    seconds: Histogram
    first_token: Histogram
    tokens_in: Counter
    tokens_out: Counter


class Metrics:
    """All metrics of one process, in a registry of its own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        labels = ("dialect", "model", "provider", "status")
        self._calls = Counter("dynagate_calls", "Calls answered.", labels, registry=self._registry)
        self._seconds = Histogram(
            "dynagate_call_seconds",
            "From the request's arrival to the end of its answer.",
            ("dialect", "model"),
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._first = Histogram(
            "dynagate_first_token_seconds",
            "From the request's arrival to the first meaningful piece of a streamed answer.",
            ("dialect", "model"),
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._tokens = Counter(
            "dynagate_tokens",
            "Tokens as the providers counted them.",
            ("model", "provider", "direction"),
            registry=self._registry,
        )
        self._failed = Counter(
            "dynagate_failed_attempts",
            "Attempts that did not answer, by failure class.",
            ("provider", "failure"),
            registry=self._registry,
        )
        self.in_flight = Gauge("dynagate_in_flight", "Calls under way.", registry=self._registry)
        self.refused = Counter(
            "dynagate_refused_connections", "Connections over the cap.", registry=self._registry
        )
        self._cells: dict[tuple[str, str, str, int], _Cells] = {}
        self._failures: dict[tuple[str, str], Counter] = {}

    def called(
        self,
        labels: tuple[str, str, str, int],
        seconds: float,
        first_token_s: float | None,
        tokens: tuple[int, int],
    ) -> None:
        """Count one call; `labels` are dialect, model, provider and status."""
        cells = self._cells.get(labels) or self._children(labels)
        cells.calls.inc()
        cells.seconds.observe(seconds)
        if first_token_s is not None:
            cells.first_token.observe(first_token_s)
        if tokens[0]:
            cells.tokens_in.inc(tokens[0])
        if tokens[1]:
            cells.tokens_out.inc(tokens[1])

    def failed(self, provider: str, failure: str) -> None:
        """Count one failed attempt."""
        child = self._failures.get((provider, failure))
        if child is None:
            child = self._failures[provider, failure] = self._failed.labels(provider, failure)
        child.inc()

    def text(self) -> bytes:
        """Return the exposition in Prometheus' text format 0.0.4."""
        return generate_latest(self._registry)

    def _children(self, labels: tuple[str, str, str, int]) -> _Cells:
        if len(self._cells) >= _MAX_CHILDREN:
            labels = (labels[0], "other", "other", labels[3])
        dialect, model, provider, status = labels
        cells = self._cells[labels] = _Cells(
            self._calls.labels(dialect, model, provider, str(status)),
            self._seconds.labels(dialect, model),
            self._first.labels(dialect, model),
            self._tokens.labels(model, provider, "input"),
            self._tokens.labels(model, provider, "output"),
        )
        return cells

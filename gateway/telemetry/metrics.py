"""What Prometheus may scrape. Labels are bounded: configured names, statuses, failure classes.

The numbers are kept in plain cells, and the client library only writes them out: its own children
cost 6 µs a call, and importing it 70 ms of every start (2026-11, 2 cores).
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Protocol

from gateway.telemetry.besides import Besides

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 600.0)
_MAX_LABEL_SETS = 4096


@dataclass(slots=True)
class Spread:
    """A histogram's cells: how many observations fell into each bucket, and their sum."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(SECONDS) + 1))
    total: float = 0.0

    def observe(self, seconds: float) -> None:
        """Add one observation."""
        self.counts[bisect_left(SECONDS, seconds)] += 1
        self.total += seconds

    def buckets(self) -> list[tuple[str, float]]:
        """Return the cumulative counts as the exposition wants them."""
        running, rows = 0, []
        for bound, count in zip((*map(str, SECONDS), "+Inf"), self.counts, strict=True):
            running += count
            rows.append((bound, float(running)))
        return rows


@dataclass(slots=True)
class _Cells:
    """What is counted of the calls with one label set."""

    calls: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    seconds: Spread = field(default_factory=Spread)
    first_token: Spread = field(default_factory=Spread)


class LedgerFigures(Protocol):
    """How the ledger stands."""

    @property
    def rows(self) -> int:
        """Calls kept since the start."""

    @property
    def spooled_rows(self) -> int:
        """Calls that wait in the spool."""

    @property
    def is_open(self) -> bool:
        """Whether one more can be kept."""


class _NoLedger(NamedTuple):
    rows: int = 0
    spooled_rows: int = 0
    is_open: bool = True


class StateCondition(Protocol):
    """Whether what several processes share can be reached, and what it cost that it could not."""

    @property
    def is_down(self) -> bool:
        """Whether it cannot be reached now."""

    uncounted_calls: int
    dropped_events: int


@dataclass(slots=True)
class _NothingShared:
    is_down: bool = False
    uncounted_calls: int = 0
    dropped_events: int = 0


class Metrics:
    """All metrics of one process: `ledger` says how that stands, `state` what is shared.

    `open_targets` counts the targets that are open, by their names in the configuration.
    """

    def __init__(
        self,
        ledger: Callable[[], LedgerFigures] = _NoLedger,
        state: StateCondition | None = None,
        open_targets: Callable[[], Mapping[str, int]] = dict,
    ) -> None:
        self._open_targets = open_targets
        self._ledger = ledger
        self._state = state or _NothingShared()
        self._cells: dict[tuple[str, str, str, int], _Cells] = {}
        self._failed: dict[tuple[str, str], int] = {}
        self.besides = Besides()
        self.config_generation = 1
        self.has_reload_failed = False
        self.in_flight = 0
        self.replayed_answers = 0
        self.feed_readers = 0
        self.dropped_feed_readers = 0

    def called(
        self,
        labels: tuple[str, str, str, int],
        seconds: float,
        first_token_s: float | None,
        tokens: tuple[int, int],
    ) -> None:
        """Count one call; `labels` are dialect, model, provider and status."""
        cells = self._cells.get(labels)
        if cells is None:
            if len(self._cells) >= _MAX_LABEL_SETS:
                labels = (labels[0], "other", "other", labels[3])
            cells = self._cells.setdefault(labels, _Cells())
        cells.calls += 1
        cells.tokens_in += tokens[0]
        cells.tokens_out += tokens[1]
        cells.seconds.observe(seconds)
        if first_token_s is not None:
            cells.first_token.observe(first_token_s)

    def failed(self, provider: str, failure: str) -> None:
        """Count one failed attempt."""
        key = (provider, failure)
        self._failed[key] = self._failed.get(key, 0) + 1

    def text(self) -> bytes:
        """Return the exposition in Prometheus' text format 0.0.4."""
        from prometheus_client import CollectorRegistry  # noqa: PLC0415 - see above.
        from prometheus_client.exposition import generate_latest  # noqa: PLC0415

        registry = CollectorRegistry(auto_describe=False)
        registry.register(self)
        return generate_latest(registry)

    def describe(self) -> list["Metric"]:
        """Return nothing: names are checked by our own tests."""
        return []

    def collect(self) -> Iterator["Metric"]:
        """Yield what is counted, for the client library."""
        from prometheus_client.metrics_core import (  # noqa: PLC0415
            CounterMetricFamily,
            GaugeMetricFamily,
            HistogramMetricFamily,
        )

        labels = ("dialect", "model", "provider", "status")
        calls = CounterMetricFamily("dynagate_calls", "Calls answered.", labels=labels)
        seconds = HistogramMetricFamily(
            "dynagate_call_seconds", "From a call's arrival to its answer's end.", labels=labels
        )
        first = HistogramMetricFamily(
            "dynagate_first_token_seconds",
            "From a call's arrival to the first meaningful piece of a streamed answer.",
            labels=labels,
        )
        tokens = CounterMetricFamily(
            "dynagate_tokens", "Tokens, as the providers count.", labels=(*labels, "direction")
        )
        for named, cells in self._cells.items():
            row = [*map(str, named)]
            calls.add_metric(row, cells.calls)
            tokens.add_metric([*row, "input"], cells.tokens_in)
            tokens.add_metric([*row, "output"], cells.tokens_out)
            seconds.add_metric(row, cells.seconds.buckets(), cells.seconds.total)
            if any(cells.first_token.counts):
                first.add_metric(row, cells.first_token.buckets(), cells.first_token.total)
        failed = CounterMetricFamily(
            "dynagate_failed_attempts",
            "Attempts that did not answer.",
            labels=("provider", "failure"),
        )
        for pair, count in self._failed.items():
            failed.add_metric(list(pair), count)
        replayed = CounterMetricFamily(
            "dynagate_replayed_answers", "Requests answered by an earlier one with their key."
        )
        replayed.add_metric([], self.replayed_answers)
        in_flight = GaugeMetricFamily("dynagate_in_flight", "Calls under way.")
        in_flight.add_metric([], self.in_flight)
        readers = GaugeMetricFamily("dynagate_feed_readers", "Readers of the live feeds.")
        readers.add_metric([], self.feed_readers)
        dropped = CounterMetricFamily(
            "dynagate_dropped_feed_readers", "Readers of a feed that were too slow for it."
        )
        dropped.add_metric([], self.dropped_feed_readers)
        yield from (calls, seconds, first, tokens, failed, replayed, in_flight, readers, dropped)
        ledger = self._ledger()
        rows = CounterMetricFamily("dynagate_ledger_rows", "Calls that the ledger has kept.")
        rows.add_metric([], ledger.rows)
        spooled = GaugeMetricFamily(
            "dynagate_ledger_spooled_rows", "Calls in the spool, for the database to take."
        )
        spooled.add_metric([], ledger.spooled_rows)
        is_open = GaugeMetricFamily(
            "dynagate_ledger_open", "1 while calls can be recorded; none is made while it is 0."
        )
        is_open.add_metric([], ledger.is_open)
        yield from (rows, spooled, is_open)
        down = GaugeMetricFamily("dynagate_state_down", "1 while the state server is down.")
        down.add_metric([], int(self._state.is_down))
        uncounted = CounterMetricFamily(
            "dynagate_uncounted_calls", "Calls that met state.on_state_down."
        )
        uncounted.add_metric([], self._state.uncounted_calls)
        events = CounterMetricFamily(
            "dynagate_dropped_feed_events", "Events of feeds that the state server did not take."
        )
        events.add_metric([], self._state.dropped_events)
        yield from (down, uncounted, events)
        resting = GaugeMetricFamily(
            "dynagate_target_open",
            "1 while a target is left alone since it failed; of a family of names how many.",
            labels=("target",),
        )
        for target, count in self._open_targets().items():
            resting.add_metric([target], count)
        yield resting
        yield from self.besides.collect()
        yield from self._configuration()

    def _configuration(self) -> Iterator["Metric"]:
        from prometheus_client.metrics_core import GaugeMetricFamily  # noqa: PLC0415 - see above.

        generation = GaugeMetricFamily(
            "dynagate_config_generation", "Which configuration since the start is in force, from 1."
        )
        generation.add_metric([], self.config_generation)
        refused = GaugeMetricFamily(
            "dynagate_config_reload_failed", "1 if the last reload changed nothing: a bad file."
        )
        refused.add_metric([], int(self.has_reload_failed))
        yield from (generation, refused)

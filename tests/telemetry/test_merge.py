"""Metrics of several processes become one text: sums, and the largest where a sum means nothing."""

from gateway.telemetry.merge import merged, parsed
from gateway.telemetry.metrics import Metrics

TWO = (
    b"# HELP a_total What.\n# TYPE a_total counter\n"
    b'a_total{model="x y",status="200"} 2.0\na_total{model="z"} 1.0\n'
    b"# HELP b Now.\n# TYPE b gauge\nb 3.0\n"
    b"# HELP c_down Is.\n# TYPE c_down gauge\nc_down 1.0\n"
)


def test_counters_and_gauges_are_summed_series_by_series() -> None:
    text = merged([parsed(TWO), parsed(TWO)]).text()

    assert b'a_total{model="x y",status="200"} 4.0\n' in text
    assert b'a_total{model="z"} 2.0\n' in text
    assert b"\nb 6.0\n" in text
    assert text.count(b"# TYPE a_total counter") == 1


def test_what_all_tell_alike_is_not_summed() -> None:
    assert b"c_down 1.0\n" in merged([parsed(TWO), parsed(TWO)]).text()


def test_what_holds_when_all_say_so_is_the_smallest() -> None:
    is_open = b"# HELP d_open Is.\n# TYPE d_open gauge\nd_open %d.0\n"

    assert b"d_open 1.0\n" in merged([parsed(is_open % 1), parsed(is_open % 1)]).text()
    assert b"d_open 0.0\n" in merged([parsed(is_open % 1), parsed(is_open % 0)]).text()


def test_a_process_that_has_ended_leaves_its_counts_and_not_its_gauges() -> None:
    text = merged([parsed(TWO).without_gauges(), parsed(TWO)]).text()

    assert b'a_total{model="z"} 2.0\n' in text
    assert b"\nb 3.0\n" in text


def test_our_own_metrics_come_out_as_they_went_in() -> None:
    metrics = Metrics()
    metrics.called(("openai_chat", 'a "b" \\ \n{c}', "p", 200), 1.0, 0.5, (1, 1))
    metrics.failed("p", "transient")
    text = metrics.text()

    assert merged([parsed(text)]).text() == text


def test_histograms_are_summed_bucket_by_bucket() -> None:
    metrics = Metrics()
    metrics.called(("d", "m", "p", 200), 1.0, None, (1, 1))
    told = parsed(metrics.text())

    text = merged([told, told]).text().decode()

    series = (
        'dynagate_call_seconds_bucket{dialect="d",le="1.0",model="m",provider="p",status="200"}'
    )
    assert f"{series} 2.0" in text

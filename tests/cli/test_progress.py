"""How a download is shown where no terminal is."""

import io

from gateway.cli.progress import LINE_EVERY_S, Lines, progress_shown


class _Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_a_line_now_and_then_with_speed_and_time_left() -> None:
    lines: list[str] = []
    clock = _Clock()
    show = Lines(lines.append, clock)

    show("m", 0, 400_000_000)
    clock.now_s += LINE_EVERY_S / 2
    show("m", 50_000_000, 400_000_000)
    clock.now_s += LINE_EVERY_S / 2
    show("m", 100_000_000, 400_000_000)

    assert lines == [
        "m: 0 B of 400 MB (0 %)",
        "m: 100 MB of 400 MB (25 %), 20 MB/s, 15 s left",
    ]


def test_the_end_is_said_at_once_and_once() -> None:
    lines: list[str] = []
    clock = _Clock()
    show = Lines(lines.append, clock)

    show("m", 1, 4)
    clock.now_s += 1
    show("m", 4, 4)
    show("m", 4, 4)

    assert lines == ["m: 1 B of 4 B (25 %)", "m: 4 B of 4 B (100 %), 3 B/s"]


def test_a_second_source_begins_anew() -> None:
    lines: list[str] = []
    clock = _Clock()
    show = Lines(lines.append, clock)

    show("first", 3, 8)
    show("second", 0, 8)

    assert lines == ["first: 3 B of 8 B (37 %)", "second: 0 B of 8 B (0 %)"]


def test_an_unknown_size_has_no_percentage() -> None:
    lines: list[str] = []

    Lines(lines.append, _Clock())("m", 2000, 0)

    assert lines == ["m: 2 kB"]


def test_a_stream_that_is_no_terminal_gets_lines() -> None:
    stream = io.StringIO()

    with progress_shown(stream) as show:
        show("m", 1, 2)

    assert stream.getvalue() == "m: 1 B of 2 B (50 %)\n"


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_a_bar_for_the_source_that_is_read() -> None:
    stream = _Terminal()

    with progress_shown(stream) as show:
        show("first", 1, 2_000_000)
        show("second", 1_000_000, 2_000_000)

    last = stream.getvalue().rstrip().splitlines()[-2]
    assert "second" in last
    assert "1.0/2.0 MB" in last
    assert "first" not in last

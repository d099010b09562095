"""The README's table of faults is written from a run."""

import re
from pathlib import Path

from tests.faults.matrix import ROWS
from tests.faults.readme import BEGIN, END, README, write
from tests.faults.row import Reached


def test_it_says_what_was_reached_and_keeps_what_was_not_run(tmp_path: Path) -> None:
    path = tmp_path / "README.md"
    path.write_text(f"above\n{BEGIN}\n| Q01 | a | b | c |\n{END}\nbelow\n")
    row = ROWS["U02"]

    write([(row, Reached("1 of 1 | good", is_met=True))], path)
    write([(row, Reached("none", is_met=False))], path)

    text = path.read_text()
    assert text.startswith(f"above\n{BEGIN}\nOn ")
    assert "\n| Q01 | a | b | c |\n| U02 |" in text
    assert f"| {row.fault} | MISSED: none | {row.target} |" in text
    assert text.endswith(f"{END}\nbelow\n")


def test_every_row_that_is_shown_is_one_of_the_matrix_and_was_reached() -> None:
    text = README.read_text("utf-8")
    table = text[text.index(BEGIN) : text.index(END)]
    shown = re.findall(r"^\| (\w+) \| (.*?) \| (.*?) \|", table, re.MULTILINE)[1:]

    assert shown
    for name, fault, figure in shown:
        assert ROWS[name].fault == fault
        assert not figure.startswith("MISSED"), name

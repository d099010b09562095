"""A report for spreadsheets."""

import csv
from typing import TextIO

from gateway.state.usage import SUMS, Report

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What a spreadsheet takes for the beginning of a formula (OWASP, CSV injection)."""


def write_report(report: Report, file: TextIO) -> None:
    """Write the lines, below their header; of a report that tells nothing apart, the total."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow([*report.by, *SUMS])
    for line in report.lines:
        sums = [getattr(line.sums, name) for name in SUMS]
        writer.writerow([*map(harmless, line.names), *sums])
    if not report.by:
        writer.writerow([getattr(report.total, name) for name in SUMS])


def harmless(text: str) -> str:
    """Return a cell that no spreadsheet computes: a caller chose the name of its model."""
    return f"'{text}" if text.startswith(_FORMULA) and text != "-" else text

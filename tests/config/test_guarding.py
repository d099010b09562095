"""Guards are checked when the file is read, and each mistake has its place."""

import sys
from pathlib import Path

import pytest

from tests.config.complaints import complaints


@pytest.mark.parametrize(
    ("section", "complaint"),
    [
        ("input: [{pattern: '('}]", "6:25: models.m.guards.input.0.pattern: RE2 does not take it"),
        ("input: [{pattern: '(?<=a)b'}]", "6:25: models.m.guards.input.0.pattern: RE2 does not"),
        ("output: [{pattern: '(a)\\1'}]", "6:26: models.m.guards.output.0.pattern: RE2 does not"),
        ("input: [{pattern: 'a*'}]", "6:25: models.m.guards.input.0.pattern: it fits where noth"),
        ("input: [{pattern: '((.{100}){50}){9}'}]", "6:25: models.m.guards.input.0.pattern: RE2"),
        ("input: [{pattern: ''}]", "6:25: models.m.guards.input.0.pattern: String should have at"),
        ("input: [{pattern: a, action: hide}]", "6:36: models.m.guards.input.0.action: should be"),
        (
            "input: [{pattern: a, replace: b}]",
            "6:37: models.m.guards.input.0.replace: only `action: redact` replaces anything",
        ),
        (
            "input: [{pattern: a, action: redact, replace: '\"'}]",
            "6:53: models.m.guards.input.0.replace: may have no quotes",
        ),
        (
            "input: [{pattern: a, action: flag, message: no}]",
            "6:51: models.m.guards.input.0.message: only `action: block` tells",
        ),
        (
            "input: [{pattern: a, name: 'a b'}]",
            "6:34: models.m.guards.input.0.name: should be letters, digits",
        ),
        (
            "{input: [{pattern: a, name: x}], output: [{pattern: a, name: x}]}",
            "6:68: models.m.guards.output.0.name: input[0] is called x, too",
        ),
        ("hold_chars: 0", "6:19: models.m.guards.hold_chars: should be greater than or equal to 1"),
    ],
)
def test_what_cannot_be_meant_is_said_with_its_place(
    section: str,
    complaint: str,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    (line,) = complaints("guards", f"      {section}\n", tmp_path)

    assert line.startswith(complaint), line
    assert capfd.readouterr().err == ""


def test_without_re2_the_file_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "re2", None)

    (line,) = complaints("guards", "      input: [{pattern: a}]\n", tmp_path)

    assert line.endswith("pattern: needs RE2: pip install 'dynagate[guards]'")

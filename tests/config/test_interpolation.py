"""`${NAME}`: the environment in the configuration."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config.interpolation import MAX_SECRET_FILE_BYTES, Interpolation
from gateway.config.tree import parse

_ENVIRON = {"NAME": "value", "EMPTY": "", "TRICKY": "${NAME} $${NAME}"}


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("${NAME}", "value"),
        ("a ${NAME}/${NAME} b", "a value/value b"),
        ("${EMPTY}", ""),
        ("${EMPTY:-default}", "default"),
        ("${UNSET:-}", ""),
        ("${UNSET:-a:-b $ c}", "a:-b $ c"),
        ("${NAME:-default}", "value"),
        ("$${NAME}", "${NAME}"),
        ("$NAME $5 $$ }", "$NAME $5 $$ }"),
        ("${TRICKY}", "${NAME} $${NAME}"),
    ],
)
def test_references_become_what_the_environment_says(written: str, read: str) -> None:
    interpolation = Interpolation(_ENVIRON)

    assert interpolation.text(written) == read
    assert interpolation.findings == []


@pytest.mark.parametrize("written", ["${", "${}", "${1X}", "${NAME", "${NAME-x}", "${NA ME}"])
def test_half_a_reference_is_a_problem(written: str) -> None:
    interpolation = Interpolation(_ENVIRON)

    interpolation.text(written, ("a", 0))

    assert [finding.loc for finding in interpolation.findings] == [("a", 0)]
    assert "${NAME:-default}" in interpolation.findings[0].message


def test_an_unset_name_is_a_problem_that_says_what_to_do() -> None:
    interpolation = Interpolation({})

    interpolation.text("${OPENAI_API_KEY}", ("x",))

    assert interpolation.findings[0].message == (
        "the environment variable OPENAI_API_KEY is not set: export it, or let "
        "OPENAI_API_KEY_FILE name a file that holds it, or write ${OPENAI_API_KEY:-}"
    )


@pytest.mark.parametrize("written", ["${KEY}", "${KEY:-default}"])
@pytest.mark.parametrize("environ", [{}, {"KEY": ""}])
def test_a_file_stands_in_for_a_variable_that_is_unset_or_empty(
    written: str, environ: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("  from a file\n")
    interpolation = Interpolation({**environ, "KEY_FILE": str(tmp_path / "secret")})

    assert interpolation.text(written) == "from a file"
    assert interpolation.secrets == ["from a file"]


def test_the_variable_wins_over_its_file(tmp_path: Path) -> None:
    interpolation = Interpolation({"KEY": "set", "KEY_FILE": str(tmp_path / "missing")})

    assert interpolation.text("${KEY}") == "set"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "No such file"),
        (b"\xff\xfe", "not UTF-8"),
        (b"x" * (MAX_SECRET_FILE_BYTES + 1), "more than 65536 bytes"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_problem(
    content: bytes | None, why: str, tmp_path: Path
) -> None:
    file = tmp_path / "secret"
    if content is not None:
        file.write_bytes(content)
    interpolation = Interpolation({"KEY_FILE": str(file)})

    interpolation.text("${KEY}")

    (finding,) = interpolation.findings
    assert finding.message.startswith(f"KEY_FILE names {file}, which cannot be read: ")
    assert why in finding.message


def test_only_values_that_look_like_secrets_are_kept_from_view() -> None:
    interpolation = Interpolation({"OPENAI_API_KEY": "sk-1", "PORT": "8080", "DB_PASSWORD": "pw"})

    interpolation.text("${OPENAI_API_KEY} ${PORT} ${DB_PASSWORD}")

    assert interpolation.secrets == ["sk-1", "pw"]


def test_texts_are_interpolated_wherever_they_stand_and_keys_are_not() -> None:
    root = parse('"${NAME}": [{a: "${NAME}"}, "${NAME}", 3, null]', "c.yaml")

    data = Interpolation(_ENVIRON).data(root)

    assert data == {"${NAME}": [{"a": "value"}, "value", 3, None]}


@given(st.text())
def test_any_text_can_be_written_with_escapes(text: str) -> None:
    interpolation = Interpolation({})

    assert interpolation.text(text.replace("${", "$${")) == text
    assert interpolation.findings == []


@given(st.text(), st.text(st.characters(exclude_characters="$")))
def test_a_value_is_never_looked_into_again(value: str, before: str) -> None:
    interpolation = Interpolation({"NAME": value})

    assert interpolation.text(f"{before}${{NAME}}") == before + value

"""`dynagate usage`: what was used, and what it cost."""

import asyncio
import csv
import io
import stat
from typing import Any

import pytest
from pyarrow import parquet

from gateway.state.keys import Key
from gateway.state.sql.database import Transaction, transact
from gateway.state.sql.keys import add_key
from gateway.state.sql.usage import COLUMNS
from tests.cli.command_line import CommandLine
from tests.cli.test_keys import told
from tests.state.kept_calls import DAY_S, keep, kept_call

CONFIG = """
state: {url: "sqlite:///state.sqlite"}
providers: {c: {kind: chaos}}
models: {m: {targets: [{provider: c, model: echo}]}}
"""
IN_MEMORY = "providers: {c: {kind: chaos}}\nmodels: {m: {targets: [{provider: c, model: echo}]}}\n"
KEY = Key("key_a", "d", "dg-aaaaaa", "alice", "Alice", ("ci",), "default", 0.0)
FORMULA = '=cmd|"/c calc"!A1'


@pytest.fixture
def kept(dynagate: CommandLine) -> CommandLine:
    """A command line whose database has three calls, one of them of a key."""
    dynagate.write(CONFIG)
    put(
        dynagate,
        kept_call(at=DAY_S, key_id="key_a", model="dear", input_tokens=5, cost_usd_micros=1234567),
        kept_call(at=2 * DAY_S, model=FORMULA, cost_usd_micros=None, is_estimated=True),
        kept_call(at=2 * DAY_S, model="red\x1b[31m", failure="transient", status=502),
    )
    return dynagate


def put(dynagate: CommandLine, *rows: dict[str, Any]) -> None:
    """Put rows, and the key that some are of, into the database."""

    async def work(connection: Transaction) -> None:
        await add_key(connection, KEY)
        await keep(connection, *rows)

    asyncio.run(transact(dynagate.folder / "state.sqlite", work))


def test_a_report_without_options_is_one_line(kept: CommandLine) -> None:
    done = kept("usage")

    assert done.returncode == 0, done.stderr
    header, line = (row.split() for row in done.stdout.splitlines())
    assert header[:2] == ["CALLS", "FAILED"]
    assert line == ["3", "1", "5", "0", "0", "0", "0.0", "1.234567", "1", "1"]


def test_groups_are_told_apart_and_added_up(kept: CommandLine) -> None:
    done = kept("usage", "--by", "day", "--by", "key")

    rows = [line.split()[:3] for line in done.stdout.splitlines()]
    assert rows == [
        ["DAY", "KEY", "CALLS"],
        ["1970-01-02", "key_a", "1"],
        ["1970-01-03", "-", "2"],
        ["total", "3", "1"],
    ]


def test_millionths_are_exact_as_json(kept: CommandLine) -> None:
    found = told(kept("usage", "--by", "owner", "--json"))

    assert found["by"] == ["owner"]
    costs = {row["owner"]: row["cost_usd_micros"] for row in found["rows"]}
    assert costs == {"Alice": 1234567, "-": 0}
    assert found["total"]["unpriced_calls"] == 1
    assert found["total"]["estimated_calls"] == 1


@pytest.mark.slow
def test_a_report_can_be_narrowed(kept: CommandLine) -> None:
    def calls(*options: str) -> int:
        return int(told(kept("usage", "--json", *options))["total"]["calls"])

    assert calls("--since", "1970-01-03") == 2
    assert calls("--until", "1970-01-03") == 1
    assert calls("--since", "30d") == 0
    assert calls("--key", "dg-aaaaaa") == 1
    assert calls("--key", "-") == 2


def test_a_callers_text_is_no_formula_and_speaks_to_no_terminal(kept: CommandLine) -> None:
    table = kept("usage", "--by", "model").stdout
    rows = list(csv.DictReader(io.StringIO(kept("usage", "--by", "model", "--csv").stdout)))

    assert "\x1b" not in table
    assert [row["model"] for row in rows] == ["dear", f"'{FORMULA}", "red\x1b[31m"]
    assert rows[0]["cost_usd_micros"] == "1234567"


@pytest.mark.parametrize("name", ["calls.csv", "calls.parquet"])
def test_every_call_is_exported(kept: CommandLine, name: str) -> None:
    done = kept("usage", "export", name)

    assert (done.returncode, done.stdout) == (0, f"wrote 3 calls to {name}\n"), done.stderr
    path = kept.folder / name
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(kept.folder.glob("*.part")) == []
    names = [column for column, _ in COLUMNS]
    if name.endswith("csv"):
        rows: list[dict[str, Any]] = list(csv.DictReader(io.StringIO(path.read_text())))
        assert list(rows[0]) == names
        assert rows[1]["model"] == f"'{FORMULA}"
        assert [row["cost_usd_micros"] for row in rows] == ["1234567", "", "0"]
    else:
        table = parquet.read_table(path)
        assert table.column_names == names
        assert table.column("model").to_pylist()[1] == FORMULA
        assert table.column("cost_usd_micros").to_pylist() == [1234567, None, 0]
        assert table.column("is_estimated").to_pylist() == [False, True, False]


def test_an_export_can_be_narrowed_and_of_nothing(kept: CommandLine) -> None:
    some = kept("usage", "export", "some.parquet", "--key", "key_a")
    none = kept("usage", "export", "none.csv", "--since", "1h")

    assert some.stdout == "wrote 1 calls to some.parquet\n"
    assert none.stdout == "wrote 0 calls to none.csv\n"
    assert (kept.folder / "none.csv").read_text().count("\n") == 1


def test_a_file_that_is_there_is_not_overwritten_unless_forced(kept: CommandLine) -> None:
    (kept.folder / "calls.csv").write_text("mine")

    refused = kept("usage", "export", "calls.csv")
    forced = kept("usage", "export", "calls.csv", "--force")

    assert refused.returncode == 2
    assert "calls.csv is there already: --force overwrites it" in refused.stderr
    assert forced.returncode == 0
    assert "mine" not in (kept.folder / "calls.csv").read_text()


def test_parquet_without_its_library_is_said(kept: CommandLine) -> None:
    (kept.site / "pyarrow.py").write_text("raise ImportError('no pyarrow')")

    done = kept("usage", "export", "calls.parquet")

    assert done.returncode == 2
    assert done.stderr == (
        "Parquet needs pyarrow: pip install 'dynagate[parquet]', or export to FILE.csv\n"
    )


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--by", "colour"], 2, "colour"),
        (["--since", "yesterday"], 2, "--since yesterday: write 30d, 12h, 90m or a date"),
        (["--since", "9999999d"], 2, "--since 9999999d: write"),
        (["--since", "2030-02-01", "--until", "2030-01-01"], 2, "is not before --until"),
        (["--json", "--csv"], 2, "choose one"),
        (["--key", "key_none"], 1, "there is no key key_none"),
        (["export", "calls.txt"], 2, "calls.txt: the name must end in .csv or .parquet"),
        (["export", "nowhere/calls.csv"], 1, "nowhere/calls.csv cannot be written: No such file"),
    ],
)
def test_what_is_wrong_is_said(
    kept: CommandLine, arguments: list[str], code: int, said: str
) -> None:
    done = kept("usage", *arguments)

    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("arguments", [[], ["export", "calls.csv"]])
def test_without_a_database_nothing_is_kept(dynagate: CommandLine, arguments: list[str]) -> None:
    dynagate.write(IN_MEMORY)

    done = dynagate("usage", *arguments)

    assert done.returncode == 2
    assert "state.url is memory://" in done.stderr

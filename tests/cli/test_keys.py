"""`dynagate keys`: who may call."""

import json
import sqlite3
from typing import Any

import pytest

from gateway.state.keys import digest_of, is_key_shaped
from tests.cli.command_line import CommandLine

CONFIG = """
state: {url: "sqlite:///state.sqlite"}
providers: {c: {kind: chaos}}
models: {m: {targets: [{provider: c, model: echo}]}}
"""


@pytest.fixture
def configured(dynagate: CommandLine) -> CommandLine:
    """A command line whose configuration has a database."""
    dynagate.write(CONFIG)
    return dynagate


def told(done: Any) -> Any:
    """Return the JSON that a command printed."""
    assert done.returncode == 0, done.stderr
    return json.JSONDecoder().decode(done.stdout)


def test_a_key_is_shown_once_and_kept_as_its_hash(configured: CommandLine) -> None:
    done = configured("keys", "create", "alice", "--owner", "Alice", "--tag", "a", "--tag", "b")

    text = done.stdout.strip()
    assert done.returncode == 0, done.stderr
    assert is_key_shaped(text)
    stored = b"".join(path.read_bytes() for path in configured.folder.glob("state.sqlite*"))
    assert text.encode() not in stored
    assert digest_of(text).encode() in stored
    (listed,) = told(configured("keys", "list", "--json"))
    assert text not in str(listed)
    assert listed["prefix"] == text[:9]
    assert (listed["name"], listed["owner"], listed["tags"]) == ("alice", "Alice", ["a", "b"])
    assert (listed["state"], listed["expires_at"]) == ("active", None)


def test_rotating_keeps_all_but_the_secret(configured: CommandLine) -> None:
    before = told(configured("keys", "create", "alice", "--json"))

    after = told(configured("keys", "rotate", before["id"], "--json"))

    assert is_key_shaped(after["key"])
    assert after["key"] != before["key"]
    same = {"id", "name", "owner", "tags", "plan", "created_at", "expires_at", "state"}
    assert {name: after[name] for name in same} == {name: before[name] for name in same}


@pytest.mark.slow
def test_a_revoked_key_is_listed_with_all_and_cannot_be_rotated(configured: CommandLine) -> None:
    made = told(configured("keys", "create", "alice", "--json"))

    done = configured("keys", "revoke", made["prefix"])

    assert done.stdout == f"{made['id']} (alice) is revoked\n"
    assert told(configured("keys", "list", "--json")) == []
    (listed,) = told(configured("keys", "list", "--all", "--json"))
    assert listed["state"] == "revoked"
    assert made["id"] in configured("keys", "list", "--all").stdout
    assert "revoked" in configured("keys", "show", made["id"]).stdout
    rotated = configured("keys", "rotate", made["id"])
    assert (rotated.returncode, rotated.stderr) == (1, f"{made['id']} is revoked: create another\n")


@pytest.mark.parametrize("verb", ["show", "rotate", "revoke", "limits"])
def test_a_key_that_is_not_there_is_said(configured: CommandLine, verb: str) -> None:
    done = configured("keys", verb, "key_none' OR '1'='1")

    assert done.returncode == 1
    assert done.stderr.startswith("there is no key key_none' OR '1'='1: ")


@pytest.mark.parametrize("when", ["soon", "2020-01-01", "-1d", "1y"])
def test_an_end_that_is_none_is_refused(configured: CommandLine, when: str) -> None:
    done = configured("keys", "create", "alice", f"--expires={when}")

    assert done.returncode == 2
    assert f"--expires {when}: " in done.stderr


def test_an_end_is_a_time_from_now_or_a_date(configured: CommandLine) -> None:
    configured("keys", "create", "alice", "--expires", "2999-01-31")
    configured("keys", "create", "bob", "--expires", "36h")

    alice, bob = told(configured("keys", "list", "--json"))

    assert alice["expires_at"] == "2999-01-31T00:00:00Z"
    assert bob["expires_at"] > bob["created_at"]


def test_without_a_database_there_are_no_keys(dynagate: CommandLine) -> None:
    dynagate.write(CONFIG.replace("sqlite:///state.sqlite", "memory://"))

    done = dynagate("keys", "list")

    assert done.returncode == 2
    assert "state.url is memory://, so there is no database" in done.stderr


@pytest.mark.slow
def test_a_database_that_is_locked_is_told(configured: CommandLine) -> None:
    configured("keys", "list")
    connection = sqlite3.connect(configured.folder / "state.sqlite")
    connection.execute("BEGIN IMMEDIATE")

    done = configured("keys", "create", "alice")

    connection.close()
    assert done.returncode == 2
    assert "is locked by another program" in done.stderr
    assert "Traceback" not in done.stderr


def test_demanding_keys_needs_a_database(dynagate: CommandLine) -> None:
    dynagate.write(CONFIG.replace("sqlite:///state.sqlite", "memory://") + "auth: {mode: keys}\n")

    done = dynagate("check")

    assert done.returncode == 2
    assert "auth.mode: keys are kept in a database" in done.stderr


def test_a_key_gets_a_plan_that_is_configured(configured: CommandLine) -> None:
    configured.write(CONFIG + "plans: {team: {requests: 9/minute}}\n")

    good = told(configured("keys", "create", "alice", "--plan", "team", "--json"))
    wrong = configured("keys", "create", "bob", "--plan", "teem")

    assert good["plan"] == "team"
    assert wrong.returncode == 2
    assert wrong.stderr == "--plan teem: there is no such plan; known are default, team\n"


def test_a_plan_names_models_that_there_are(configured: CommandLine) -> None:
    configured.write(CONFIG + 'plans: {team: {models: ["m*", mm]}}\n')

    done = configured("check")

    assert done.returncode == 2
    assert "plans.team.models.1: no model is called mm" in done.stderr
    assert "models.0" not in done.stderr


@pytest.mark.slow
def test_a_key_whose_plan_is_gone_is_marked_and_check_says_so(configured: CommandLine) -> None:
    configured.write(CONFIG + "plans: {team: {}, small: {}}\n")
    ended = told(configured("keys", "create", "carol", "--plan", "small", "--json"))
    kept = told(configured("keys", "create", "alice", "--json"))
    gone = told(configured("keys", "create", "bob", "--plan", "team", "--json"))
    configured("keys", "revoke", ended["id"])
    before = configured("check")
    configured.write(CONFIG)

    rows = {row["id"]: row["is_plan_gone"] for row in told(configured("keys", "list", "--json"))}
    table = configured("keys", "list").stdout
    shown = told(configured("keys", "show", gone["id"], "--json"))
    read = configured("keys", "show", gone["id"]).stdout
    after = configured("check")

    assert rows == {kept["id"]: False, gone["id"]: True}
    assert "team (gone)" in table
    assert "team (gone)" in read
    assert "default (gone)" not in table
    assert (shown["plan"], shown["is_plan_gone"]) == ("team", True)
    assert "plans." not in before.stdout
    said = "plans.team is not in the configuration: 1 key of it has what limits.anonymous allows"
    assert said in after.stdout.splitlines()
    assert "small" not in after.stdout
    assert (before.returncode, after.returncode) == (0, 0)


def test_check_makes_no_database_and_says_what_is_wrong_with_one(configured: CommandLine) -> None:
    path = configured.folder / "state.sqlite"
    without = configured("check")
    is_made = path.exists()
    path.write_bytes(b"no database" * 100)
    damaged = configured("check")

    assert (without.returncode, is_made) == (0, False)
    assert "state.url" not in without.stdout
    assert damaged.returncode == 0
    assert "is damaged, or no SQLite database" in damaged.stdout
    assert path.read_bytes() == b"no database" * 100


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["x" * 101], "name: write 1 to 100"),
        (["a\x1b[2J"], "name: leave out line breaks"),
        (["a", "--owner", "x" * 201], "owner: write 0 to 200"),
        (["a", "--tag", "a\nb"], "tags: leave out line breaks"),
        (["a", *["--tag", "t"] * 21], "tags: a key has 20 tags at most"),
        (["a", "--expires", "9999-12-31T23:59:59-12:00"], "after the year 9999"),
    ],
)
def test_what_lists_could_not_show_is_refused(
    configured: CommandLine, options: list[str], says: str
) -> None:
    done = configured("keys", "create", *options)

    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_limits_are_told_as_they_were_kept(configured: CommandLine) -> None:
    configured.write(CONFIG + "plans: {team: {requests: 9/minute, concurrent: 3}}\n")
    made = told(configured("keys", "create", "alice", "--plan", "team", "--json"))
    fresh = told(configured("keys", "limits", made["id"], "--json"))
    with sqlite3.connect(configured.folder / "state.sqlite") as connection:
        row = (f"key:{made['id']}", 60, 4, 32503680000.5)  # Until the year 3000.
        connection.execute("INSERT INTO windows VALUES (?, ?, ?, ?)", row)
    connection.close()

    used = told(configured("keys", "limits", made["prefix"], "--json"))
    in_words = configured("keys", "limits", made["id"])

    assert fresh["windows"][0]["used"] == 0
    (window,) = used["windows"]
    assert (window["limit"], window["used"], window["remaining"]) == (9, 4, 5)
    assert window["resets_at"] == "3000-01-01T00:00:01Z"
    assert (used["is_live"], used["concurrent"]) == (False, {"limit": 3, "in_flight": None})
    assert "4 of 9 requests, until 3000-01-01T00:00:01Z" in in_words.stdout
    assert f"GET /admin/keys/{made['id']}/limits" in in_words.stderr


def test_limits_of_a_plan_with_tokens_and_a_budget_are_told_each_in_its_unit(
    configured: CommandLine,
) -> None:
    budget = "{usd: 1.5, per: month}"
    plan = f"{{requests: 9/minute, tokens: 1000/minute, budget: {budget}}}"
    configured.write(CONFIG + f"plans: {{team: {plan}}}\n")
    made = told(configured("keys", "create", "alice", "--plan", "team", "--json"))
    fresh = configured("keys", "limits", made["id"])
    with sqlite3.connect(configured.folder / "state.sqlite") as connection:
        name, ends_at = f"key:{made['id']}", 32503680000.0  # The year 3000.
        rows = [
            (name, 60, 4, ends_at),
            (f"tokens:{name}", 60, 1200, ends_at),
            (f"budget:{name}", 31 * 86400, 501, ends_at),
        ]
        connection.executemany("INSERT INTO windows VALUES (?, ?, ?, ?)", rows)
    connection.close()

    used = told(configured("keys", "limits", made["id"], "--json"))
    in_words = configured("keys", "limits", made["id"])

    windows = [(one["counts"], one["limit"], one["used"]) for one in used["windows"]]
    assert windows == [
        ("requests", 9, 4),
        ("tokens", 1000, 1200),
        ("cost_usd_micros", 1_500_000, 501),
    ]
    assert [one["remaining"] for one in used["windows"]] == [5, 0, 1_499_499]
    assert fresh.returncode == 0, fresh.stderr
    lines = [" ".join(line.split()) for line in in_words.stdout.splitlines()]
    until = ", until 3000-01-01T00:00:00Z"
    assert "budget $1.5 a month" in lines
    assert [line for line in lines if line.startswith(("used", "remaining"))] == [
        f"used 4 of 9 requests{until}",
        "remaining 5",
        f"used tokens 1200 of 1000 tokens{until}",
        "remaining tokens 0",
        f"used budget $0.000501 of $1.5{until}",
        "remaining budget $1.499499",
    ]
    assert "used budget $0 of $1.5" in [
        " ".join(line.split()) for line in fresh.stdout.splitlines()
    ]


@pytest.mark.slow
@pytest.mark.parametrize("shared", ["workers", "valkey"])
def test_limits_do_not_tell_what_is_counted_elsewhere(configured: CommandLine, shared: str) -> None:
    made = told(configured("keys", "create", "alice", "--json"))
    if shared == "workers":
        configured.write(CONFIG + "server: {workers: 2}\n")
    else:
        configured.write(CONFIG.replace("state: {", 'state: {valkey: "redis://127.0.0.1:1", '))

    in_words = configured("keys", "limits", made["id"])
    in_json = configured("keys", "limits", made["id"], "--json")

    assert told(in_json)["windows"] == []
    assert "used" not in in_words.stdout
    for done in (in_words, in_json):
        assert done.returncode == 0
        assert f"ask GET /admin/keys/{made['id']}/limits" in done.stderr

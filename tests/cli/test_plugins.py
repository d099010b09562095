"""`plugins`: every plugin is loaded where it can do no harm."""

import json

import pytest

from tests.cli.command_line import CommandLine
from tests.registry.distributions import GOOD_KIND, install


def _rows(dynagate: CommandLine) -> dict[str, dict[str, object]]:
    done = dynagate("plugins", "--json")
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)
    return {f"{row['distribution']}/{row['kind']}": row for row in rows}


def test_a_crashing_plugin_harms_neither_the_list_nor_the_others(dynagate: CommandLine) -> None:
    install(
        dynagate.site,
        "dynagate-fake",
        {
            "abort": "import os; os.abort()",
            "broken": "raise ValueError('no')",
            "exits": "import os; os._exit(3)",
            "good": "print('noise')\n" + GOOD_KIND,
        },
        version="2.3",
    )

    rows = _rows(dynagate)

    assert rows["dynagate-fake/good"] == {
        "kind": "good",
        "distribution": "dynagate-fake",
        "version": "2.3",
        "api": 1,
        "state": "ok",
        "reason": None,
    }
    assert rows["dynagate-fake/abort"]["reason"] == "crashes the interpreter: SIGABRT"
    assert rows["dynagate-fake/exits"]["reason"] == "crashes the interpreter: exit code 3"
    assert rows["dynagate-fake/broken"]["state"] == "quarantined"
    assert str(rows["dynagate-fake/broken"]["reason"]).endswith("does not load: ValueError: no")


def test_a_clash_is_said_of_both(dynagate: CommandLine) -> None:
    install(dynagate.site, "dynagate-a", {"same": GOOD_KIND})
    install(dynagate.site, "dynagate-b", {"same": GOOD_KIND})

    rows = _rows(dynagate)

    for name in ("dynagate-a/same", "dynagate-b/same"):
        assert "brought by dynagate-a and by dynagate-b" in str(rows[name]["reason"])


@pytest.mark.slow
def test_people_get_a_table(dynagate: CommandLine) -> None:
    install(dynagate.site, "dynagate-fake", {"good": GOOD_KIND})

    lines = [line.split() for line in dynagate("plugins").stdout.splitlines()]

    assert lines[0] == ["KIND", "DISTRIBUTION", "VERSION", "API", "STATE"]
    assert ["good", "dynagate-fake", "1.0", "1", "ok"] in lines

"""The operator's pages say everything that can be configured, and say it right."""

import ast
import re
import shlex
import tomllib
from collections.abc import Iterable

import pytest
from pydantic import BaseModel

from gateway.config.document import Document
from gateway.state.usage import SUMS
from gateway.telemetry.besides import Side
from gateway.telemetry.metrics import Metrics
from gateway_chaos import ChaosSettings
from gateway_local.settings import LocalSettings
from gateway_openai.settings import OpenAISettings
from gateway_sdwebui.settings import WebuiSettings
from tests.cli.command_line import CommandLine
from tests.docs.pages import ROOT, blocks, page, quoted, rows, section
from tests.docs.settings import Key, keys

PAGE = page("docs/operator.md")
OTHER_PAGES = ("docs/routing.md", "docs/guards.md", "docs/caching.md")
TARGET = "models.<name>.targets[]."
KINDS: dict[str, type[BaseModel]] = {
    "openai": OpenAISettings,
    "local": LocalSettings,
    "sdwebui": WebuiSettings,
    "chaos": ChaosSettings,
}


def test_every_key_of_the_file_is_described_with_its_default_and_range() -> None:
    others = "\n".join(map(page, OTHER_PAGES))
    described = _described(PAGE.partition("## Provider kinds")[0] + others)

    assert _differences(keys(Document), described) == []


@pytest.mark.parametrize("kind", KINDS)
def test_every_setting_of_a_bundled_kind_is_described_with_its_default_and_range(kind: str) -> None:
    described = _described(section(PAGE, f"kind: {kind}"))

    assert _differences(keys(KINDS[kind], "settings."), described) == []


def test_every_bundled_kind_has_its_section() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]

    assert set(KINDS) == set(project["entry-points"]["dynagate"])


def test_the_table_of_hosts_is_the_one_that_is_shipped() -> None:
    shipped = tomllib.loads((ROOT / "plugins/gateway_openai/hosts.toml").read_text("utf-8"))

    table = [row for row in rows(section(PAGE, "kind: openai")) if not row[0].startswith("`sett")]

    assert table == [
        [
            f"`{name}`",
            f"`{host['base_url']}`",
            "yes" if host.get("needs_key", True) else "no",
            f"`{host['usage']}`",
        ]
        for name, host in shipped.items()
    ]


def test_every_metric_is_described_with_its_labels() -> None:
    metrics = Metrics(open_targets=lambda: {"up/m": 1})
    metrics.called(("openai_chat", "m", "p", 200), 1.0, 0.5, (1, 1))
    metrics.failed("p", "transient")
    metrics.besides.hedged("m", "won")
    metrics.besides.recalled("m", "hit")
    metrics.besides.guarded("m", "g", "block")
    metrics.besides.shadowed("m", "same")
    metrics.besides.compared("m", {"answer": Side(1.0, 1, 1)})
    text = metrics.text().decode()
    exposed = dict(re.findall(r"(?m)^# TYPE (\S+) (\w+)$", text))

    described = {row[0].strip("`"): row for row in rows(section(PAGE, "Metrics"))}

    assert {name: row[1].split(",")[0] for name, row in described.items()} == exposed
    for name, row in described.items():
        sample = re.search(rf"(?m)^{name}(?:_count)?(?:\{{(.*)\}})? ", text)
        assert sample is not None
        labels = set(re.findall(r"(\w+)=", sample[1] or ""))
        assert labels == set(re.findall(r"`(\w+)`", row[2].partition("(")[0])), name


def test_every_field_of_a_call_line_is_named() -> None:
    tree = ast.parse((ROOT / "gateway/pipeline/accounting/account.py").read_text("utf-8"))
    fields = {
        key.value
        for node in ast.walk(tree)
        for key in _keys_of(node)
        if isinstance(key, ast.Constant)
    }

    assert "total_ms" in fields
    assert fields - {"event"} <= quoted(section(PAGE, "Logs"))


def test_every_variable_that_is_read_is_described() -> None:
    sources = "\n".join(path.read_text("utf-8") for path in (ROOT / "gateway").rglob("*.py"))
    read = set(re.findall(r"\"((?:DYNAGATE|XDG)_[A-Z_]+)\"", sources))

    assert "DYNAGATE_PORT" in read
    assert read <= quoted(section(PAGE, "Environment"))


def test_the_example_of_an_open_server_is_a_configuration(dynagate: CommandLine) -> None:
    (example,) = blocks(section(PAGE, "Opening it to others"), "yaml")
    rest = "providers: {c: {kind: chaos}}\nmodels: {m: {targets: [{provider: c, model: echo}]}}\n"
    dynagate.write(example + rest)

    done = dynagate("check")

    assert done.returncode == 0, done.stderr


def test_the_databases_that_are_shown_are_read(dynagate: CommandLine) -> None:
    shown = [*blocks(section(PAGE, "SQLite"), "yaml"), *blocks(section(PAGE, "PostgreSQL"), "yaml")]
    rest = "providers: {c: {kind: chaos}}\nmodels: {m: {targets: [{provider: c, model: echo}]}}\n"

    for example in shown:
        dynagate.write(example + rest)
        done = dynagate("check", environ={"STATE_PASSWORD": "a%40b"})

        assert done.returncode == 0, done.stderr
    assert len(shown) == 2


def test_the_commands_of_usage_run(dynagate: CommandLine) -> None:
    (example,) = blocks(section(PAGE, "Usage"), "console")
    dynagate.write(
        'state: {url: "sqlite:///state.sqlite"}\n'
        "providers: {c: {kind: chaos}}\nmodels: {m: {targets: [{provider: c, model: echo}]}}\n"
    )
    commands = [shlex.split(line, comments=True) for line in example.splitlines()]

    done = {" ".join(words): dynagate(*words[1:]) for words in commands}

    failed = {line: one.stderr for line, one in done.items() if one.returncode != 0}
    # Nobody has the key that the page shows.
    assert list(failed) == [line for line in done if "--key" in line]
    assert all("there is no key dg-4fGh1j" in said for said in failed.values())
    assert (dynagate.folder / "calls.csv").exists()


def test_the_commands_of_explain_run(dynagate: CommandLine) -> None:
    (example,) = blocks(section(PAGE, "Explain"), "console")
    dynagate.write(
        "plans: {team: {}}\nproviders: {c: {kind: chaos}}\n"
        "models: {openai: {targets: [{provider: c, model: echo}]}}\n"
    )
    piped, named = (shlex.split(line, comments=True) for line in example.splitlines())
    bar = piped.index("|")
    dynagate.write(piped[1], "request.json")

    by_pipe = dynagate(*piped[bar + 2 :], stdin=piped[1])
    by_name = dynagate(*named[1:])

    assert by_pipe.returncode == 0, by_pipe.stderr
    assert "c/echo" in by_pipe.stdout
    assert by_name.returncode == 0, by_name.stderr
    assert '"place": 1' in by_name.stdout


def test_every_column_of_a_report_is_described() -> None:
    assert set(SUMS) <= quoted(section(PAGE, "Usage"))


def _described(text: str) -> dict[str, list[str]]:
    found = {
        row[0].strip("`"): row
        for row in rows(text)
        if re.fullmatch(r"`[\w.<>\[\]]+\.[\w.<>\[\]]+`", row[0])
    }
    return {TARGET + name if name.startswith("card.") else name: row for name, row in found.items()}


def _differences(wanted: Iterable[Key], described: dict[str, list[str]]) -> list[str]:
    assert described
    found = {key.name: key for key in wanted}
    wrong = [f"{name} is not described" for name in found.keys() - described.keys()]
    wrong += [f"{name} does not exist" for name in described.keys() - found.keys()]
    for name in found.keys() & described.keys():
        key, row = found[name], described[name]
        if row[2].strip("`") != key.default:
            wrong.append(f"{name} has the default {key.default}, not {row[2]}")
        if key.range is not None and row[3] != key.range:
            wrong.append(f"{name} takes {key.range}, not {row[3]}")
    return sorted(wrong)


def _keys_of(node: ast.AST) -> list[ast.expr]:
    """Return the keys that a dict or a subscript assigns."""
    if isinstance(node, ast.Dict):
        return [key for key in node.keys if key is not None]
    return [node.slice] if isinstance(node, ast.Subscript) else []

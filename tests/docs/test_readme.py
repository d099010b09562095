"""What the README shows, run."""

import asyncio
import re
from pathlib import Path

import pytest

from gateway.cli.report import human_size
from gateway.testing.upstream import FakeUpstream, reply
from gateway_local.catalogue import catalogue
from gateway_openai.hosts import hosts
from tests.cli.command_line import CommandLine
from tests.clients.curl import run_curl
from tests.docs.examples import curl_lines, run_python
from tests.docs.pages import ROOT, blocks, page, rows, section
from tests.running import Running

README = page("README.md")
GROUPS = ("models", "keys", "usage", "db")
BOTH = [["usage"]]
"""Groups that do something themselves."""


def test_the_configuration_shown_is_checked_as_good(dynagate: CommandLine) -> None:
    (example,) = blocks(README, "yaml")
    dynagate.write(example)

    without = dynagate("check")
    with_key = dynagate("check", environ={"GROQ_API_KEY": "gsk-anything"})

    assert without.returncode == 0, without.stderr
    assert "groq is not configured, its targets are skipped" in without.stdout
    assert with_key.returncode == 0, with_key.stderr
    assert "groq" not in with_key.stdout


def test_the_configuration_shown_has_about_ten_lines() -> None:
    (example,) = blocks(README, "yaml")

    assert len(example.splitlines()) <= 10


async def test_the_curl_line_answers_in_plain_text(gateway: Running, tmp_path: Path) -> None:
    (block,) = blocks(README, "sh")
    (command,) = curl_lines(block, gateway.url)

    answer = await asyncio.to_thread(run_curl, command, tmp_path)

    assert (answer.status, answer.body) == (200, "hello")
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"


async def test_the_python_example_prints_the_answer(
    gateway: Running, upstream: FakeUpstream
) -> None:
    (example,) = blocks(README, "python")
    upstream.default = reply("Paris.")

    printed = await asyncio.to_thread(run_python, example, gateway.url)

    assert printed == "Paris.\n"


def test_every_verb_of_the_command_line_is_listed_and_no_other(dynagate: CommandLine) -> None:
    listed = [row[0].strip("`").split()[1:] for row in rows(section(README, "Command line"))]

    verbs = [[verb] for verb in _verbs(dynagate().stdout) if verb not in GROUPS]
    verbs += [
        [group, verb] for group in GROUPS for verb in _verbs(dynagate(group, "--help").stdout)
    ]
    assert sorted(listed) == sorted(verbs + BOTH)


def test_the_entry_point_shown_is_the_templates() -> None:
    (example,) = blocks(README, "toml")

    assert example in (ROOT / "plugins/template/pyproject.toml").read_text("utf-8")


@pytest.mark.parametrize(
    "name", ["README.md", "docs/operator.md", "docs/routing.md", "docs/guards.md", "docs/caller.md"]
)
def test_every_link_leads_to_a_file(name: str) -> None:
    links = re.findall(r"\]\(([^)#]+)\)", page(name))

    assert [link for link in links if not (ROOT / name).parent.joinpath(link).exists()] == []


def test_every_command_of_make_that_is_named_exists() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    shown = "\n".join(blocks(README, "console"))
    named = set(re.findall(r"(?m)^make ([a-z-]+)", shown))

    assert "run" in named
    assert named <= set(re.findall(r"(?m)^([a-z-]+):", makefile))


def test_the_size_and_licence_of_the_weights_are_the_catalogues() -> None:
    for entry in catalogue().entries:
        assert human_size(entry.size_bytes) in README, entry.id
        assert entry.licence in README


def test_the_number_of_hosts_is_the_tables() -> None:
    assert f"{len(hosts())} hosts are known" in README


def _verbs(help_text: str) -> list[str]:
    """Return the commands that a help page lists."""
    commands = help_text.partition("Commands")[2]
    return re.findall(r"(?m)^│ ([a-z]+) ", commands)

"""docs/caller.md and the README list what can be called, and nothing that cannot."""

import asyncio
import re
from collections.abc import Mapping
from pathlib import Path

from gateway.dialects import openai_chat, openai_completions, wishes
from gateway.dialects.dynaspark import AUDIO_PARAMETERS, TEXT_PARAMETERS
from gateway.dialects.dynaspark_image import IMAGE_PARAMETERS
from gateway.dialects.fields import Boolean, Choice, Integer, Kind, Number, Text
from gateway.schema.failure import CODES
from gateway.testing.upstream import FakeUpstream, reply
from gateway.web.access import EXPOSED_HEADERS
from gateway.web.routes import paths
from tests.clients.curl import run_curl
from tests.docs.admin_routes import ADMIN_ROUTES
from tests.docs.examples import curl_lines, run_python
from tests.docs.pages import ROOT, blocks, page, quoted, rows, section
from tests.running import Running

PAGE = page("docs/caller.md")
ADMIN_PATHS = {("GET", "/metrics"), ("GET", "/health"), *ADMIN_ROUTES}
README = page("README.md")
_INT64_DIGITS = 18


def test_every_path_is_listed_with_its_methods_and_no_other() -> None:
    listed = {
        (method, path)
        for row in rows(section(PAGE, "Paths"))
        for path in re.findall(r"`([^`]+)`", row[1] + row[3])
        for method in row[0].split(", ")
    }

    assert listed == _routed()


def test_the_readmes_table_of_endpoints_lists_only_what_is_there() -> None:
    public, admin = section(README, "Endpoints").split("On the admin listener")

    listed = _listed(public)

    assert listed
    assert listed <= _routed()
    assert _listed(admin) == ADMIN_PATHS


def test_every_parameter_of_the_text_paths_is_described_with_its_range() -> None:
    table = {
        row[0].strip("`"): row[2] for row in rows(section(PAGE, "Text by URL")) if len(row) == 4
    }
    known = {**TEXT_PARAMETERS, **AUDIO_PARAMETERS}

    assert known.keys() | {"api_key"} == table.keys()
    assert _wrong_ranges(known, table) == {}


def test_every_parameter_of_the_picture_paths_is_described_with_its_range() -> None:
    table = {
        row[0].strip("`"): row[2] for row in rows(section(PAGE, "Pictures by URL")) if len(row) == 4
    }

    assert IMAGE_PARAMETERS.keys() | {"api_key"} == table.keys()
    assert _wrong_ranges(IMAGE_PARAMETERS, table) == {}


def test_every_range_of_openais_fields_is_the_one_that_is_checked() -> None:
    table = {row[0].strip("`"): row[1] for row in rows(section(PAGE, "OpenAI's API"))}
    chat, plain = openai_chat.FIELDS, openai_completions.FIELDS

    bounded = {name for fields in (chat, plain) for name, kind in fields.items() if _range(kind)}
    assert bounded <= table.keys()
    assert _wrong_ranges({**plain, **chat, "logprobs": plain["logprobs"]}, table) == {}


def test_every_error_that_can_be_answered_is_listed_with_its_status_and_no_other() -> None:
    sources = "\n".join(
        path.read_text("utf-8")
        for path in (ROOT / "gateway").rglob("*.py")
        # The table of codes itself, and what only the operator can be told.
        if path.name != "failure.py" and not path.name.startswith("admin")
    )
    raised = {code for code in CODES if f'"{code}"' in sources}

    listed = {row[1].strip("`"): int(row[0]) for row in rows(section(PAGE, "Errors"))}

    assert listed == {code: CODES[code][0] for code in raised}


def test_every_header_that_pages_may_read_is_described() -> None:
    named = {name.lower() for name in quoted(PAGE)}

    assert {name.strip().lower() for name in EXPOSED_HEADERS.split(",")} <= named


async def test_the_python_example_streams_an_answer(
    gateway: Running, upstream: FakeUpstream
) -> None:
    example, _of_wishes = blocks(PAGE, "python")
    upstream.default = reply("Hello to you")

    printed = await asyncio.to_thread(run_python, example, gateway.url)

    assert printed == "Hello to you"
    assert upstream.requests[0].is_stream


def test_every_member_of_a_callers_wishes_is_described_and_no_other() -> None:
    table = [row[0].strip("`") for row in rows(section(PAGE, "Who answers: what you want"))]

    assert sorted(table) == sorted(wishes.OWN_MEMBERS)


async def test_the_curl_example_answers(gateway: Running, tmp_path: Path) -> None:
    block = blocks(PAGE, "sh")[0]
    (command,) = curl_lines(block, gateway.url)

    answer = await asyncio.to_thread(run_curl, command, tmp_path)

    assert (answer.status, answer.body) == (200, "hello")


def _listed(text: str) -> set[tuple[str, str]]:
    """Return every method and path of a table of endpoints."""
    return {
        (method, path)
        for row in rows(text)
        for path in re.findall(r"`([^`]+)`", row[0])
        for method in re.findall(r"GET|POST|PATCH|DELETE", row[0])
    }


def _routed() -> set[tuple[str, str]]:
    """Return every method and path that is routed; HEAD goes with GET."""
    return {
        (method, re.sub(r"\{(\w+):[^}]*\}", r"{\1}", entry.path))
        for entry in paths()
        for method in entry.methods
        if method != "HEAD"
    }


def _wrong_ranges(known: Mapping[str, Kind], table: Mapping[str, str]) -> dict[str, str]:
    """Return the right range of each parameter whose row says another."""
    ranges = {name: _range(kind) for name, kind in known.items() if name in table}
    return {name: text for name, text in ranges.items() if text and text != table[name]}


def _range(kind: Kind) -> str:
    """Return the range in the words of the tables, empty where there is none worth a word."""
    match kind:
        case Number(low, high):
            return f"{low:g} to {high:g}"
        case Integer(low, high):
            return "" if len(str(high)) > _INT64_DIGITS else f"{low} to {high}"
        case Choice(values):
            return ", ".join(f"`{value}`" for value in values)
        case Boolean() | Text():
            return ""

"""The admin API as docs/operator.md shows it: every path, every code, every command."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gateway.schema.failure import CODES
from tests.clients.curl import Answer, run_curl
from tests.contract.administering import PLANS, SECRET, SQLITE
from tests.docs.admin_routes import ADMIN_ROUTES
from tests.docs.pages import ROOT, blocks, page, rows, section
from tests.running import Running, run_gateway

API = section(page("docs/operator.md"), "The admin API")
BASE, ID, ETAG = "http://127.0.0.1:8081", "key_0123456789ab", '"41da0f2b8e3c5a91"'
(COMMANDS,) = blocks(API, "sh")


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Running]:
    """A gateway as that section configures it."""
    (admin,) = blocks(API, "yaml")
    rest = {
        "state": {"url": SQLITE},
        "plans": PLANS,
        "providers": {"c": {"kind": "chaos"}},
        "models": {"m": {"targets": [{"provider": "c", "model": "echo"}]}},
    }
    text = admin + "\n".join(f"{name}: {json.dumps(value)}" for name, value in rest.items())
    async with run_gateway(text, tmp_path, environ={"DYNAGATE_ADMIN_SECRET": SECRET}) as running:
        yield running


async def test_the_commands_do_what_is_said_of_them(gateway: Running, tmp_path: Path) -> None:
    make, find, read, change, limits, usage, rotate, revoke, *others = COMMANDS.splitlines()
    targets, explain = others
    shown: dict[str, str] = {
        BASE: gateway.admin_url,
        "$DYNAGATE_ADMIN_SECRET": SECRET,
    }

    async def run(command: str) -> tuple[Answer, Any]:
        for placeholder, meant in shown.items():
            command = command.replace(placeholder, meant)
        answer = await asyncio.to_thread(run_curl, command, tmp_path)
        return answer, json.JSONDecoder().decode(answer.body)

    answer, made = await run(make)
    assert (answer.status, made["plan"], made["tags"]) == (201, "team", ["sales"])
    shown[ID] = made["id"]
    assert [key["id"] for key in (await run(find))[1]["data"]] == [made["id"]]
    answer, _ = await run(read)
    shown[ETAG] = answer.headers["ETag"]
    assert (await run(change))[1]["owner"] == "Alice, Sales"
    assert (await run(limits))[1]["allows"]["requests"] == "5000/hour"
    assert (await run(usage))[1]["by"] == ["day", "key"]
    assert (await run(rotate))[1]["key"] != made["key"]
    assert (await run(revoke))[1]["state"] == "revoked"
    assert [one["target"] for one in (await run(targets))[1]["targets"]] == ["c/echo"]
    assert [one["place"] for one in (await run(explain))[1]["candidates"]] == [1]


def test_every_path_is_described_and_no_other() -> None:
    described = {(row[0], row[1].strip("`")) for row in rows(API) if row[1].startswith("`/")}

    assert described == ADMIN_ROUTES


def test_every_error_of_its_own_is_described_with_its_status() -> None:
    sources = "".join(path.read_text("utf-8") for path in (ROOT / "gateway/web").glob("admin*.py"))
    raised = set(re.findall(r'CallError\(\s*"(\w+)"', sources))
    listed = {
        code: int(row[0])
        for row in rows(API)
        if row[0].isdigit()
        for code in re.findall(r"`(\w+)`", row[1])
    }

    everyones = {"not_found", "invalid_parameter", "unsupported_media_type"}
    assert listed == {code: CODES[code][0] for code in raised - everyones}

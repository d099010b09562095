"""What the operator's page says of reloading."""

import asyncio
import json
import re
from pathlib import Path
from typing import Any

from gateway.config.problems import dotted
from gateway.config.reload import FIXED
from tests.clients.curl import run_curl
from tests.contract.administering import SECRET
from tests.docs.pages import blocks, page, rows, section
from tests.running import run_gateway

PAGE = section(page("docs/operator.md"), "Reloading")
REST = "providers: {c: {kind: chaos}}\nmodels: {m: {targets: [{provider: c, model: echo}]}}\n"


def test_every_key_that_needs_a_restart_is_named_and_no_other() -> None:
    named = [name for row in rows(PAGE) for name in re.findall(r"`([^`]+)`", row[0])]

    assert sorted(named) == sorted(dotted(loc) for loc in FIXED)


async def test_the_commands_do_what_is_said_of_them(tmp_path: Path) -> None:
    (commands,) = blocks(PAGE, "sh")
    admin = f"admin: {{secret: {SECRET}}}\n"
    async with run_gateway(admin + REST, tmp_path) as running:

        async def run(command: str) -> Any:
            command = command.replace("http://127.0.0.1:8081", running.admin_url)
            command = command.replace("$DYNAGATE_ADMIN_SECRET", SECRET)
            answer = await asyncio.to_thread(run_curl, command, tmp_path)
            assert answer.status == 200, answer.body
            return json.JSONDecoder().decode(answer.body)

        (tmp_path / "config.yaml").write_text(admin + "deadlines: {total_s: 30}\n" + REST)
        trial, done, standing = [await run(command) for command in commands.splitlines()]

    assert trial["changes"] == done["changes"]
    assert [one["key"] for one in done["changes"]] == ["deadlines.total_s"]
    assert (trial["generation"], done["generation"], standing["generation"]) == (1, 2, 2)

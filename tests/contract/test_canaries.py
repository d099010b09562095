"""Nothing that comes out of a gateway holds a secret, nor what was said in private.

A process of its own with a canary for each of them, asked in every way; then all that it ever
wrote, answered or stored is searched.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from gateway.testing.actions import Answer
from gateway.testing.openai_documents import frame
from gateway.testing.upstream import FakeUpstream, body, chunks, garbage, reply, status
from tests.bench.processes import free_port
from tests.cli.command_line import CommandLine
from tests.contract.conftest import configuration
from tests.web.raw_http import Caller

UPSTREAM = "canaryUpstream+key/of=no.shape"
TEAM = "canaryTeam+header/of=no.shape"
ADMIN = "canaryAdmin-secret-of-no-shape"
TEXT = "canary in private"
SYSTEM = "canary as system"
PUBLIC = "what everybody may read"
GENERATE = "/api/generate_response"
WORD = {"choices": [{"index": 0, "delta": {"content": "hi"}}]}


@dataclass
class Served:
    """A gateway in a process, and all that it has answered so far."""

    session: aiohttp.ClientSession
    public: str
    admin: str
    answers: list[str] = field(default_factory=list)

    async def ask(self, method: str, path: str, *, is_own: bool = False, **options: Any) -> Any:
        """Ask, and keep the answer, unless it `is_own`: a caller's own words, or a new key."""
        base = self.admin if path.startswith(("/admin", "/metrics")) else self.public
        async with self.session.request(method, base + path, **options) as answer:
            said = await answer.text()
            if not is_own:
                self.answers.append(f"{method} {answer.status} {dict(answer.headers)} {said}")
            is_json = answer.content_type == "application/json"
            return json.JSONDecoder().decode(said) if is_json and said else said

    async def operate(self, method: str, path: str, **options: Any) -> Any:
        """Ask with the operator's secret."""
        return await self.ask(method, path, headers={"Authorization": f"Bearer {ADMIN}"}, **options)


def failures() -> list[Answer]:
    """Return how an upstream fails, and repeats all that it knows while it does."""
    said = f"{UPSTREAM} of {TEAM} may not say {TEXT} after {SYSTEM}"
    document = {"error": {"message": said, "code": UPSTREAM, "param": TEXT}}
    return [
        *(status(code, said) for code in (400, 401, 403, 404, 413, 429, 500)),
        body(frame(document)[6:]),
        garbage(said.encode()),
        chunks(document),
        chunks(WORD, document),
    ]


@pytest.fixture
async def command_line(upstream: FakeUpstream, tmp_path: Path) -> CommandLine:
    """A configured command line; its secrets are in the environment."""
    settings = {
        "base_url": upstream.url,
        "api_key": "${UPSTREAM_KEY}",
        "headers": {"X-Team": "${TEAM_TOKEN}"},
    }
    text = configuration(
        upstream,
        up={"settings": settings},
        server={"port": 0},
        admin={"listen": f"127.0.0.1:{free_port()}", "secret": "${ADMIN_SECRET}"},
        state={"url": "sqlite:///$XDG_STATE_HOME/dynagate/state.sqlite"},
        limits={"anonymous": {"requests": "9999/hour"}},
        plans={"shy": {"private": True}},
        logs={"level": "debug", "format": "json"},
    )
    environ = {"UPSTREAM_KEY": UPSTREAM, "TEAM_TOKEN": TEAM, "ADMIN_SECRET": ADMIN}
    line = CommandLine(tmp_path, tmp_path, {**environ, "NO_PROXY": "*"})
    line.write(text)
    return line


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """A client."""
    async with aiohttp.ClientSession() as client:
        yield client


async def test_no_secret_and_nothing_private_comes_out_anywhere(
    command_line: CommandLine, upstream: FakeUpstream, session: aiohttp.ClientSession
) -> None:
    process = await asyncio.create_subprocess_exec(
        *command_line.command("serve"),
        cwd=command_line.folder,
        env=command_line.variables(),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        banner = await process.stdout.readline()
        document = json.JSONDecoder().decode((command_line.folder / "config.yaml").read_text())
        served = Served(
            session, banner.decode().split()[-1], f"http://{document['admin']['listen']}"
        )
        keys = await asyncio.wait_for(_everything(served, upstream), 60)
    finally:
        if process.returncode is None:
            process.terminate()
        stdout, stderr = await process.communicate()

    checked = await asyncio.to_thread(command_line, "check")
    listed = await asyncio.to_thread(command_line, "keys", "list", "--all", "--json")
    everything = {
        "answers": "\n".join(served.answers),
        "standard output": (banner + stdout).decode(),
        "log": stderr.decode(),
        "check": checked.stdout + checked.stderr,
        "keys": listed.stdout + listed.stderr,
        "state": "".join(
            path.read_bytes().decode("latin-1")
            for path in command_line.folder.rglob("*")
            if path.is_file() and path.name != "config.yaml"
        ),
    }
    assert '"level":"debug"' in everything["log"]
    assert PUBLIC in everything["answers"]
    for place, text in everything.items():
        for canary in (UPSTREAM, TEAM, ADMIN, TEXT, SYSTEM, *keys):
            found = text.find(canary)
            assert found < 0, f"{place}: {text[max(0, found - 300) : found + 60]}"


async def _everything(served: Served, upstream: FakeUpstream) -> list[str]:
    """Ask in every way; return the keys that callers had."""
    made = [
        await served.operate("POST", "/admin/keys", json={"name": "a", "plan": plan}, is_own=True)
        for plan in ("default", "shy")
    ]
    plain, shy = (key["key"] for key in made)
    await _succeed(served, plain, shy)
    await _fail(served, upstream, shy)
    await _mistake(served, plain)
    new = await served.operate("POST", f"/admin/keys/{made[0]['id']}/rotate", is_own=True)
    for path in (*(f"/admin/keys/{key['id']}{more}" for key in made for more in ("", "/limits")),):
        await served.operate("GET", path)
    await served.operate("GET", "/admin/keys")
    await served.operate("GET", "/admin/usage?by=key&by=model")
    await served.operate("PATCH", f"/admin/keys/{made[0]['id']}", json={"owner": 1})
    await served.operate("DELETE", f"/admin/keys/{made[1]['id']}")
    for path in ("/metrics", "/health", "/health/readiness", "/", "/openapi.json", "/llms.txt"):
        await served.ask("GET", path)
    await served.ask("GET", "/v1/models", headers={"x-api-key": plain})
    await _read_feed(served)
    return [plain, shy, new["key"]]


async def _succeed(served: Served, plain: str, shy: str) -> None:
    await served.ask("GET", f"/text/{PUBLIC}")
    words = {"user_input": TEXT, "system": SYSTEM, "private": "true"}
    for stream in ("true", "false"):
        for headers in ({}, {"Authorization": f"Bearer {plain}"}, {"x-api-key": plain}):
            await served.ask("GET", GENERATE, params={**words, "stream": stream}, headers=headers)
    await served.ask("POST", GENERATE, json={**words, "api_key": plain})
    await served.ask("GET", GENERATE, params={**words, "api_key": plain})
    chat = {"model": "openai", "messages": [{"role": "user", "content": TEXT}]}
    for is_stream in (True, False):
        headers = {"Authorization": f"Bearer {shy}"}
        path = "/v1/chat/completions"
        await served.ask("POST", path, json={**chat, "stream": is_stream}, headers=headers)


async def _fail(served: Served, upstream: FakeUpstream, shy: str) -> None:
    words = {"user_input": TEXT, "system": SYSTEM, "private": "true"}
    for answer in failures():
        for stream in ("true", "false"):
            # What an upstream says of a caller's words is for that caller to read.
            upstream.will(answer)
            said = await served.ask(
                "GET", GENERATE, params={**words, "stream": stream}, is_own=True
            )
            served.answers.append(str(said).replace(TEXT, "").replace(SYSTEM, ""))
        upstream.will(answer)
        chat = {"model": "openai", "messages": [{"role": "user", "content": TEXT}]}
        headers = {"Authorization": f"Bearer {shy}"}
        said = await served.ask(
            "POST", "/v1/chat/completions", json=chat, headers=headers, is_own=True
        )
        served.answers.append(str(said).replace(TEXT, "").replace(SYSTEM, ""))
    upstream.default = reply("hello")


async def _mistake(served: Served, plain: str) -> None:
    words = {"user_input": TEXT, "private": "true"}
    await served.ask("GET", GENERATE, params={**words, "temperature": "9", "api_key": plain})
    await served.ask("GET", GENERATE, params={**words, "model": "nobodys", "system": SYSTEM})
    half = f'{{"user_input": "{TEXT}", "api_key": "{plain}", '
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {plain[:-1]}x"}
    await served.ask("POST", GENERATE, data=half, headers=headers)
    await served.ask("POST", "/v1/chat/completions", data=half, headers=headers)
    wrong = {"name": "a", "admin": ADMIN, "tags": [5]}
    await served.operate("POST", "/admin/keys", json=wrong)
    for secret in (plain, UPSTREAM, ADMIN[:-1]):
        await served.ask("GET", "/admin/keys", headers={"Authorization": f"Bearer {secret}"})
    await served.ask("GET", f"/admin/keys?api_key={ADMIN}")
    for base in (served.public, served.admin):
        port = int(base.rpartition(":")[2])
        for head in (
            f"GET /text/{TEXT.replace(' ', '%20')} HTTP/9.9",
            f"GET / HTTP/1.1\r\nHost: {ADMIN}\r\nX: {plain}",
            f"GET /{plain} HTTP/1.1\r\nHost: localhost\r\nAuthorization : Bearer {ADMIN}",
        ):
            wire = Caller(*await asyncio.open_connection("127.0.0.1", port))
            await wire.send(f"{head}\r\nConnection: close\r\n\r\n".encode())
            served.answers.append((await wire.rest()).decode())
            wire.abort()


async def _read_feed(served: Served) -> None:
    for kind in ("text", "image"):
        path = f"{served.public}/api/{kind}/feed?past_results=100"
        async with served.session.get(path) as answer:
            text = b""
            while kind == "text" and PUBLIC.encode() not in text:
                text += await answer.content.readany()
            served.answers.append(text.decode())

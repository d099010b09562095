"""Section 5: callers with keys, made and ended by the command line while the gateway runs."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from gateway.config.database import Place, PostgresPlace
from gateway.state.keys import checksum
from gateway.state.sql.key_book import open_key_book
from tests.cli.command_line import CommandLine
from tests.contract.asking import Asker, assert_refused
from tests.contract.conftest import Begin
from tests.state.contract.databases import made

GENERATE = "/api/generate_response?user_input=hi"
UNKNOWN = f"dg-{'A' * 43}{checksum('A' * 43)}"
SQLITE = "sqlite:///$XDG_STATE_HOME/dynagate/state.sqlite"


class Keys:
    """The keys in the database of the running gateway, and the operator's command line for it."""

    def __init__(self, folder: Path) -> None:
        environ = {"XDG_STATE_HOME": str(folder / "state")}
        self._run = CommandLine(folder, folder, environ)
        self.place: Place = folder / "state/dynagate/state.sqlite"

    async def __call__(self, *arguments: str) -> Any:
        """Run `dynagate keys` and return the JSON that it prints."""
        done = await asyncio.to_thread(self._run, "keys", *arguments)
        assert done.returncode == 0, done.stderr
        return json.JSONDecoder().decode(done.stdout) if "--json" in arguments else None

    async def made(self, plan: str = "default") -> Any:
        """Make a key as the command line does, whose start would take longer than most tests."""
        key, text = await open_key_book(self.place).create({"name": "someone", "plan": plan})
        return {"id": key.id, "key": text}


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    """The command line of the gateways that `begin` starts."""
    return Keys(tmp_path)


def bearer(key: str) -> dict[str, str]:
    """Return the header of a caller with `key`."""
    return {"Authorization": f"Bearer {key}"}


async def status_becomes(caller: Asker, key: str, status: int, *, within_s: float = 1.5) -> None:
    """Ask until the answer has `status`: the contract's second, and some for a slow machine."""
    async with asyncio.timeout(within_s):
        found = 0
        while found != status:
            found = (await caller.ask("HEAD", GENERATE, headers=bearer(key))).status


async def test_a_key_made_while_it_runs_is_known_and_counted_for_itself(
    begin: Begin, keys: Keys
) -> None:
    caller = await begin(state={"url": SQLITE})
    one, other = await keys.made(), await keys.made()
    await status_becomes(caller, one["key"], 200)
    await status_becomes(caller, other["key"], 200)

    reply = await caller.ask("GET", GENERATE, headers=bearer(one["key"]))
    anonymous = await caller.get(GENERATE)

    assert reply.headers["X-RateLimit-Remaining"] == "99"
    assert anonymous.headers["X-RateLimit-Remaining"] == "99"
    assert f'"key_id":"{one["id"]}"' in caller.gateway.lines()
    assert one["key"] not in caller.gateway.lines()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_revoking_and_rotating_work_within_a_second(
    begin: Begin, keys: Keys, kind: str, request: pytest.FixtureRequest
) -> None:
    url = SQLITE if kind == "sqlite" else request.getfixturevalue("postgres_url")
    if kind == "postgresql":
        keys.place = PostgresPlace(url)
        await made(keys.place)
    caller = await begin(state={"url": url})
    one, other = await keys.made(), await keys.made()
    await status_becomes(caller, one["key"], 200)
    await status_becomes(caller, other["key"], 200)

    await keys("revoke", one["id"])
    await status_becomes(caller, one["key"], 401)
    new = await keys("rotate", other["id"], "--json")
    await status_becomes(caller, other["key"], 401)

    await status_becomes(caller, new["key"], 200)
    refused = await caller.ask("GET", GENERATE, headers=bearer(one["key"]))
    assert_refused(refused, 401, "invalid_api_key")


@pytest.mark.parametrize("name", ["x-api-key", "api-key", "x-goog-api-key", "query"])
async def test_a_key_is_read_wherever_sdks_write_it(begin: Begin, keys: Keys, name: str) -> None:
    made = await keys.made()
    caller = await begin(state={"url": SQLITE}, auth={"mode": "keys"})
    path = f"{GENERATE}&api_key={made['key']}" if name == "query" else GENERATE
    headers = {} if name == "query" else {name: made["key"]}

    reply = await caller.ask("GET", path, headers=headers)

    assert reply.status == 200


@pytest.mark.parametrize(
    ("presented", "code"),
    [
        ("", "key_required"),
        ("sk-anything", "invalid_api_key"),
        ("dg-", "invalid_api_key"),
        ("' OR 1=1 --", "invalid_api_key"),
        ("x" * 9000, "invalid_api_key"),
        (UNKNOWN, "invalid_api_key"),
        ("lower", "invalid_api_key"),
        ("prefix", "invalid_api_key"),
    ],
)
async def test_where_keys_are_demanded_nothing_else_will_do(
    begin: Begin, keys: Keys, presented: str, code: str
) -> None:
    key = (await keys.made())["key"]
    caller = await begin(state={"url": SQLITE}, auth={"mode": "keys"})
    presented = {"lower": key.lower(), "prefix": key[:-1]}.get(presented, presented)
    headers = bearer(presented) if presented else {}

    for path in (GENERATE, "/v1/models", "/text/models", "/image/models", "/image/cat?seed=1"):
        assert_refused(await caller.ask("GET", path, headers=headers), 401, code)

    assert (await caller.get("/health")).status == 200
    assert (await caller.ask("GET", "/v1/models", headers=bearer(key))).status == 200


@pytest.mark.parametrize("presented", ["sk-anything", "dg-", "' OR 1=1 --", "x" * 9000, "lower"])
async def test_in_an_open_gateway_whatever_is_no_key_is_anonymous(
    begin: Begin, keys: Keys, presented: str
) -> None:
    key = (await keys.made())["key"]
    caller = await begin(state={"url": SQLITE})
    presented = key.lower() if presented == "lower" else presented

    reply = await caller.ask("GET", GENERATE, headers=bearer(presented))

    assert reply.status == 200
    assert "key_id" not in caller.gateway.lines()


async def test_a_key_of_a_megabyte_in_a_body_is_anonymous(begin: Begin) -> None:
    caller = await begin(state={"url": SQLITE})
    body = {"user_input": "hi", "api_key": "dg-" + "x" * 1_000_000}

    reply = await caller.ask("POST", "/api/generate_response", json=body)

    assert reply.status == 200


async def test_an_answer_for_a_key_is_for_no_shared_cache(begin: Begin, keys: Keys) -> None:
    key = (await keys.made())["key"]
    caller = await begin(state={"url": SQLITE})

    own = await caller.ask("GET", f"{GENERATE}&seed=1", headers=bearer(key))
    anonymous = await caller.get(f"{GENERATE}&seed=1")

    assert own.headers["Cache-Control"] == "private, no-store"
    assert anonymous.headers["Cache-Control"].startswith("public")


async def test_a_gateway_with_keys_may_be_bound_anywhere(begin: Begin) -> None:
    caller = await begin(state={"url": SQLITE}, auth={"mode": "keys"}, server={"host": "0.0.0.0"})  # noqa: S104

    assert_refused(await caller.get(GENERATE), 401, "key_required")


async def test_pages_say_that_a_key_is_needed(begin: Begin) -> None:
    caller = await begin(state={"url": SQLITE}, auth={"mode": "keys"})

    assert "callers with a key" in (await caller.get("/")).text
    assert "callers with a key" in (await caller.get("/llms.txt")).text


async def test_where_keys_are_demanded_an_address_opens_without_one(
    begin: Begin, keys: Keys
) -> None:
    key = (await keys.made())["key"]
    painter = {
        "more": {"local": {"kind": "local"}},
        "models": {"flux": {"targets": [{"provider": "local", "model": "painter"}]}},
    }
    caller = await begin(state={"url": SQLITE}, auth={"mode": "keys"}, **painter)

    asked = "/api/generate_image?user_input=cat&seed=1&width=64&height=64"
    made = await caller.ask("GET", asked, headers=bearer(key))

    assert made.status == 200, made.text
    path = "/image/" + made.json()["image_url"].partition("/image/")[2]
    assert path.startswith("/image/-?")
    assert (await caller.get(path)).status == 200

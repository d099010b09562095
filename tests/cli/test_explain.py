"""`dynagate explain`, as a process: by a running gateway, and by the configuration alone."""

import asyncio
import json
from pathlib import Path

import pytest

from tests.cli.command_line import CommandLine
from tests.contract.administering import SECRET
from tests.running import run_gateway

CONFIG = """
admin: {secret: "SECRET", listen: "127.0.0.1:PORT"}
plans: {team: {max_output_tokens: 50}}
providers: {c: {kind: chaos}, k: {kind: openai, settings: {host: groq, api_key: ""}}}
models:
  m:
    targets: [{provider: k, model: x}, {provider: c, model: echo}]
    transforms: {set: {temperature: 0}}
"""
REQUEST = json.dumps({"model": "m", "messages": [{"role": "user", "content": "hi"}]})


def configured(port: int) -> str:
    return CONFIG.replace("SECRET", SECRET).replace("PORT", str(port))


def test_without_a_gateway_the_configuration_says_what_it_can(dynagate: CommandLine) -> None:
    dynagate.write(configured(9))

    done = dynagate("explain", stdin=REQUEST)

    assert done.returncode == 0, done.stderr
    assert "no gateway answers at 127.0.0.1:9" in done.stderr
    assert "route: m, ordered" in done.stdout
    assert "set: temperature" in done.stdout
    lines = [line.split() for line in done.stdout.splitlines()]
    assert ["1", "c/echo", "events"] in [line[:3] for line in lines]
    assert ["-", "k/x", "-", "-", "not_configured:"] in [line[:5] for line in lines]
    assert SECRET not in done.stdout + done.stderr


def test_a_file_and_a_plan_are_explained_for_machines(dynagate: CommandLine) -> None:
    dynagate.write(configured(9))
    dynagate.write(REQUEST, "request.json")

    done = dynagate("explain", "request.json", "--plan", "team", "--json", "--offline")

    assert (done.returncode, done.stderr) == (0, "")
    told = json.loads(done.stdout)
    assert told["parameters"]["set"] == ["temperature", "max_tokens"]
    assert told["caller"]["plan"] == "team"


def test_nothing_is_made_by_it(dynagate: CommandLine) -> None:
    dynagate.write("state: {url: 'sqlite:///state.sqlite'}\n" + configured(9))

    dynagate("explain", stdin=REQUEST)

    assert [path.name for path in dynagate.folder.rglob("*") if path.is_file()] == ["config.yaml"]


async def test_a_running_gateway_tells_how_it_stands(dynagate: CommandLine, tmp_path: Path) -> None:
    async with run_gateway(configured(9), tmp_path) as gateway:
        dynagate.write(configured(gateway.admin.port or 0))

        done = await asyncio.to_thread(dynagate, "explain", "--address", "192.0.2.1", stdin=REQUEST)

    assert (done.returncode, done.stderr) == (0, "")
    assert "caller: anonymous from 192.0.2.1" in done.stdout
    assert "limit: requests: takes 1, left are 100 of 100" in done.stdout


def test_a_request_that_would_be_refused_is_a_failure(dynagate: CommandLine) -> None:
    dynagate.write(configured(9))

    done = dynagate("explain", "--offline", stdin=REQUEST.replace('"m"', '"n"'))

    assert done.returncode == 1
    assert "refused: 404 model_not_found" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "stdin", "said"),
    [
        (["--path", "/nowhere"], REQUEST, "path: write one of"),
        (["--plan", "nobodys"], REQUEST, "no plan is called nobodys"),
        (["--key-id", "key_0123456789ab"], REQUEST, "name a plan instead"),
        (["missing.json"], "", "missing.json cannot be read"),
        ([], "{", "standard input: "),
        ([], "[]", "standard input: "),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    dynagate: CommandLine, arguments: list[str], stdin: str, said: str
) -> None:
    dynagate.write(configured(9))

    done = dynagate("explain", "--offline", *arguments, stdin=stdin)

    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1

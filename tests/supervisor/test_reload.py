"""A gateway of one process, or of several, whose file changes while it answers."""

import asyncio
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import aiohttp
import pytest

from tests.bench.processes import free_port
from tests.cli.command_line import CommandLine
from tests.supervisor.several import CONFIG, PATIENCE_S, Several, running, until

pytestmark = pytest.mark.slow
SECRET = "canary-admin-secret-0123456789"  # noqa: S105 - a test's.
ONE = (
    CONFIG.replace("workers: 2", "workers: 1, watch: false")
    .replace("the-admins-own-secret", SECRET)
    .replace("100/hour, concurrent: 10", "100000/hour, concurrent: 1000")
)
BROKEN = {
    "syntax": "providers: {up: [",
    "an unknown key": "provders: {}\n",
    "a tag": "providers: !!python/object:os.system {}\n",
    "a variable that is not set": "logs: {level: '${NOT_SET}'}\n",
    "a provider that is not there": (
        "providers: {c: {kind: chaos}}\nmodels: {m: {targets: [{provider: d, model: echo}]}}\n"
    ),
    "nothing": "",
}
STREAMS = 100
_IN_TERMINAL = (
    "import fcntl, os, sys, termios\n"
    "fcntl.ioctl(0, termios.TIOCSCTTY, 0)\n"
    "os.execv(sys.argv[1], sys.argv[1:])"
)
"""Makes standard input the terminal of its session, and becomes what it is given."""


class Caller:
    """Asks one gateway, on as many connections as it takes."""

    def __init__(self, gateway: Several, session: aiohttp.ClientSession) -> None:
        self.gateway = gateway
        self.session = session
        self.begun = 0

    async def stream(self, model: str) -> bool:
        """Say whether a stream came to its end."""
        document = {"model": model, "stream": True, "messages": [{"role": "user", "content": "x"}]}
        url = f"{self.gateway.url}/v1/chat/completions"
        async with self.session.post(url, json=document) as answer:
            if answer.status != 200:
                return False
            await answer.content.readuntil(b"\n\n")
            self.begun += 1
            return b"data: [DONE]" in await answer.content.read()

    async def status(self, model: str) -> int:
        """Return the status of a whole answer."""
        document = {"model": model, "messages": [{"role": "user", "content": "x"}]}
        url = f"{self.gateway.url}/v1/chat/completions"
        async with self.session.post(url, json=document) as answer:
            await answer.read()
            return answer.status

    async def admin(self, method: str, path: str) -> Any:
        """Ask as the operator."""
        headers = {"Authorization": f"Bearer {SECRET}"}
        url = f"{self.gateway.admin_url}{path}"
        async with self.session.request(method, url, headers=headers) as answer:
            return await answer.json()


def with_model(text: str, name: str) -> str:
    """Return a configuration with one model more."""
    return f"{text}  {name}: {{{{targets: [{{{{provider: chaos, model: echo}}}}]}}}}\n"


def write(dynagate: CommandLine, gateway: Several, text: str) -> None:
    """Write the file of a running gateway."""
    admin = gateway.admin_url.rpartition(":")[2]
    dynagate.write(text.format(port=0, admin=admin, folder=dynagate.folder))


def write_free(dynagate: CommandLine) -> None:
    """Write the file of a gateway on free ports, without what its tests install."""
    dynagate.write(
        f'server: {{port: 0}}\nadmin: {{listen: "127.0.0.1:{free_port()}"}}\n'
        "providers: {c: {kind: chaos}}\nmodels: {m: {targets: [{provider: c, model: echo}]}}\n"
    )


def log_of(dynagate: CommandLine) -> str:
    """Return what it has logged."""
    return (dynagate.folder / "log").read_text()


def client() -> aiohttp.ClientSession:
    """Return a client that opens as many connections as it is asked to."""
    connector = aiohttp.TCPConnector(limit=0)
    return aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=60))


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[CommandLine, Several]]:
    """A gateway of one process for the tests of this file, and its command line."""
    folder = tmp_path_factory.mktemp("one")
    for name in ("here", "site"):
        (folder / name).mkdir()
    dynagate = CommandLine(folder / "here", folder / "site")
    with running(dynagate, ONE) as gateway:
        yield dynagate, gateway


async def test_streams_end_and_no_call_fails_while_files_are_read(
    one: tuple[CommandLine, Several],
) -> None:
    dynagate, gateway = one
    async with client() as session:
        caller = Caller(gateway, session)
        before = (await caller.admin("GET", "/admin/config"))["generation"]
        statuses: set[int] = set()
        is_over = False

        async def keep_asking() -> None:
            while not is_over:
                statuses.add(await caller.status("echo"))

        async with asyncio.TaskGroup() as group:
            streams = [group.create_task(caller.stream("some")) for _ in range(STREAMS)]
            others = [group.create_task(keep_asking()) for _ in range(4)]
            await asyncio.to_thread(until, lambda: caller.begun == STREAMS)
            for number, text in enumerate(BROKEN.values()):
                dynagate.write(text)
                refused = await caller.admin("POST", "/admin/reload")
                assert refused["error"]["code"] == "invalid_configuration", refused
                write(dynagate, gateway, with_model(ONE, f"new{number}"))
                taken = await caller.admin("POST", "/admin/reload")
                assert taken["generation"] == before + number + 1
                assert await caller.status(f"new{number}") == 200
            assert all(await asyncio.gather(*streams))
            is_over = True
            await asyncio.gather(*others)

        assert statuses == {200}


async def test_a_signal_has_the_file_read(one: tuple[CommandLine, Several]) -> None:
    dynagate, gateway = one
    async with client() as session:
        caller = Caller(gateway, session)
        write(dynagate, gateway, with_model(ONE, "signalled"))

        gateway.process.send_signal(signal.SIGHUP)

        await asyncio.to_thread(until, lambda: "added models.signalled" in log_of(dynagate))
        assert await caller.status("signalled") == 200


async def test_a_bad_file_is_named_in_the_log_by_its_place(
    one: tuple[CommandLine, Several],
) -> None:
    dynagate, gateway = one
    dynagate.write("provders: {}\n")

    gateway.process.send_signal(signal.SIGHUP)

    line = "config.yaml:1:1: provders: unknown key; did you mean providers?"
    await asyncio.to_thread(until, lambda: line in log_of(dynagate))
    async with client() as session:
        assert await Caller(gateway, session).status("echo") == 200


def test_a_gateway_whose_terminal_is_closed_ends(dynagate: CommandLine) -> None:
    write_free(dynagate)
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", _IN_TERMINAL, *dynagate.command("serve")],
        cwd=dynagate.folder,
        env=dynagate.variables(),
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        os.close(theirs)
        assert process.stdout is not None
        assert b" at http" in process.stdout.readline()

        os.close(ours)

        assert process.wait(PATIENCE_S) == 0
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


async def test_a_file_that_changes_is_read(dynagate: CommandLine) -> None:
    text = ONE.replace(", watch: false", "")
    with running(dynagate, text) as gateway:
        write(dynagate, gateway, with_model(text, "watched"))

        await asyncio.to_thread(until, lambda: "added models.watched" in log_of(dynagate))

        async with client() as session:
            assert await Caller(gateway, session).status("watched") == 200
        assert gateway.stop() == 0

"""Processes that die, are killed, cannot start, or are told to stop."""

import os
import signal
import socket
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPException, HTTPResponse
from pathlib import Path

import pytest

from tests.cli.command_line import CommandLine
from tests.supervisor.several import (
    CONFIG,
    PATIENCE_S,
    Several,
    configured,
    family_of,
    is_alive,
    running,
    until,
)

pytestmark = pytest.mark.slow


@contextmanager
def asked(gateway: Several, model: str, *, stream: bool = True) -> Iterator[HTTPResponse]:
    """Ask on a connection of its own; entered when the answer has begun."""
    connection = HTTPConnection("127.0.0.1", gateway.port, timeout=PATIENCE_S)
    body = '{"model": "%s", "stream": %s, "messages": [{"role": "user", "content": "hi"}]}'
    try:
        connection.request("POST", "/v1/chat/completions", body % (model, str(stream).lower()))
        yield connection.getresponse()
    finally:
        connection.close()


@contextmanager
def one_at(gateway: Several, worker: int, model: str) -> Iterator[HTTPResponse]:
    """Ask until `worker` is who answers, and leave the others."""
    while True:
        with asked(gateway, model) as answer:
            if gateway.connections()[worker]:
                yield answer
                return


def events(answer: HTTPResponse, count: int) -> list[bytes]:
    """Return the next lines of a stream that say something."""
    found: list[bytes] = []
    while len(found) < count and (line := answer.readline()):
        if line.startswith(b"data:"):
            found.append(line)
    return found


def _is_told(ask: Callable[[], bool]) -> bool:
    """Return what `ask` does, False where its connection went to the one that was killed."""
    with suppress(OSError, HTTPException):
        return ask()
    return False


def log_of(dynagate: CommandLine) -> str:
    """Return what it has logged."""
    return (dynagate.folder / "log").read_text()


def folders_of(pids: list[int]) -> set[Path]:
    """Return the private folder that processes have sockets in."""
    rows = [line.split() for line in Path("/proc/net/unix").read_text().splitlines()]
    return {Path(row[-1]).parent for row in rows if row[-1].endswith("host.sock")}


def test_a_worker_that_dies_is_started_again_and_the_other_goes_on(dynagate: CommandLine) -> None:
    with running(dynagate) as gateway:
        first, second = gateway.workers
        with one_at(gateway, second, "long") as answer:
            assert len(events(answer, 2)) == 2

            os.kill(first, signal.SIGKILL)
            until(lambda: len(gateway.workers) == 2 and first not in gateway.workers)

            assert len(events(answer, 20)) == 20
            until(lambda: "worker 1 is back" in log_of(dynagate))
            new = next(pid for pid in gateway.workers if pid != second)
            with one_at(gateway, new, "some") as other:
                assert other.status == 200
        assert gateway.stop() == 0
    assert "worker 1 ended (SIGKILL): it is started again in 0.2 s" in log_of(dynagate)


def test_the_places_at_a_provider_of_a_worker_that_dies_are_free_again(
    dynagate: CommandLine,
) -> None:
    def is_free(gateway: Several) -> bool:
        with asked(gateway, "single") as answer:
            return answer.status == 200

    with running(dynagate) as gateway:
        first, _ = gateway.workers
        with one_at(gateway, first, "single") as answer:
            assert events(answer, 1)
            assert not is_free(gateway)

            os.kill(first, signal.SIGKILL)

            until(lambda: _is_told(lambda: is_free(gateway)))


def test_the_host_that_dies_is_started_again(dynagate: CommandLine) -> None:
    with running(dynagate) as gateway:
        os.kill(gateway.host, signal.SIGKILL)

        until(lambda: "host is back" in log_of(dynagate))
        with asked(gateway, "pid", stream=False) as answer:
            assert answer.status == 200
        readiness = f"{gateway.admin_url}/health/readiness"
        with urllib.request.urlopen(readiness) as answer:  # noqa: S310 - our own URL.
            assert answer.status == 200


def test_calls_under_way_end_before_the_gateway_does(dynagate: CommandLine) -> None:
    with running(dynagate) as gateway:
        family = family_of(gateway.process.pid)
        first, second = gateway.workers
        with one_at(gateway, first, "some") as one, one_at(gateway, second, "some") as other:
            gateway.process.send_signal(signal.SIGTERM)

            assert one.read().endswith(b"data: [DONE]\n\n")
            assert other.read().endswith(b"data: [DONE]\n\n")
        assert gateway.process.wait(PATIENCE_S) == 0
        until(lambda: not any(map(is_alive, family)))


def test_a_call_that_does_not_end_is_cut_at_the_deadline(dynagate: CommandLine) -> None:
    text = CONFIG.replace("drain_s: 5", "drain_s: 0.2")
    with running(dynagate, text) as gateway, asked(gateway, "long") as answer:
        assert events(answer, 1)

        assert gateway.stop() == 0


def test_nothing_is_left_when_the_supervisor_is_killed(dynagate: CommandLine) -> None:
    with running(dynagate) as gateway:
        family = family_of(gateway.process.pid)
        assert len(family) >= 5
        before = folders_of(family)

        gateway.process.kill()
        gateway.process.wait()

        until(lambda: not any(map(is_alive, family)))
        assert before
        until(lambda: not any(folder.exists() for folder in before - folders_of(family)))


def test_a_restart_gives_nobody_a_new_hour(dynagate: CommandLine) -> None:
    def remaining(gateway: Several) -> int:
        with asked(gateway, "echo", stream=False) as answer:
            return int(answer.headers["X-RateLimit-Remaining"])

    with running(dynagate) as gateway:
        assert [remaining(gateway) for _ in range(3)] == [99, 98, 97]
        assert gateway.stop() == 0

    with running(dynagate) as gateway:
        assert remaining(gateway) == 96


def test_two_gateways_do_not_count_in_one_folder(dynagate: CommandLine) -> None:
    with running(dynagate):
        configured(dynagate)

        done = dynagate("serve")

    assert done.returncode == 2
    assert "another gateway's" in done.stderr


def test_an_address_that_is_taken_stops_all(dynagate: CommandLine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        texts = {"port: {port}": f"port: {port}", "127.0.0.1:{admin}": f"127.0.0.1:{port}"}
        for before, after in texts.items():
            configured(dynagate, CONFIG.replace(before, after))

            done = dynagate("serve")

            assert done.returncode == 1
            assert "cannot listen" in done.stderr
            assert "address already in use" in done.stderr.lower()
            assert done.stdout == ""


def test_a_gateway_that_shares_its_port_does_not_share_it_with_another(
    dynagate: CommandLine,
) -> None:
    with running(dynagate) as gateway:
        text = CONFIG.replace("port: {port}", f"port: {gateway.port}")
        configured(dynagate, text)

        done = dynagate("serve", environ={"XDG_STATE_HOME": str(dynagate.folder / "other")})

    assert done.returncode == 1
    assert f"cannot listen at 127.0.0.1:{gateway.port}: Address already in use" in done.stderr


def test_a_process_that_cannot_start_says_why_and_stops_all(dynagate: CommandLine) -> None:
    dynagate, _ = configured(dynagate)
    (dynagate.folder / "state.sqlite").write_bytes(b"this is no database" * 100)

    done = dynagate("serve")

    assert done.returncode == 2
    assert "state.url" in done.stderr
    assert "all stop" in done.stderr


def test_ctrl_c_is_one_drain_for_all(dynagate: CommandLine) -> None:
    with running(dynagate) as gateway:
        with asked(gateway, "some") as answer:
            gateway.process.send_signal(signal.SIGINT)

            assert answer.read().endswith(b"data: [DONE]\n\n")
        assert gateway.process.wait(PATIENCE_S) == 0


def test_no_worker_is_used_where_one_process_is_wanted(dynagate: CommandLine) -> None:
    dynagate, _ = configured(dynagate, CONFIG.replace("workers: 2", "workers: 1"))
    process = subprocess.Popen(
        dynagate.command("serve"),
        cwd=dynagate.folder,
        env=dynagate.variables(),
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        assert " at http" in process.stdout.readline()

        assert family_of(process.pid) == [process.pid]
        process.terminate()
    assert process.returncode == 0

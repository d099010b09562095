"""The worker process by itself: its key, its end, and what it does not tell."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Generator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

import gateway_local.worker
from gateway_local.catalogue import TINY_ID, catalogue

WORKER = str(Path(gateway_local.worker.__file__))
PATIENCE_S = 30.0


@pytest.fixture
def orders(weights_dir: Path) -> dict[str, Any]:
    return {
        "path": str(catalogue().by_id()[TINY_ID].place(weights_dir)),
        "context": 512,
        "parallel": 1,
        "decode_threads": 1,
        "prompt_threads": 1,
        "api_key": "secret",
    }


@contextmanager
def worker(orders: dict[str, Any]) -> Generator[tuple["subprocess.Popen[bytes]", int]]:
    process = subprocess.Popen(
        [sys.executable, "-P", WORKER], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(json.dumps(orders).encode() + b"\n")
        process.stdin.flush()
        yield process, json.loads(process.stdout.readline())["port"]
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


def get(port: int, path: str, key: str | None = None) -> int:
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path, headers={"Authorization": f"Bearer {key}"} if key else {})
        return connection.getresponse().status
    finally:
        connection.close()


def refuses(port: int) -> bool:
    try:
        get(port, "/health")
    except OSError:
        return True
    return False


def test_it_demands_its_key_and_shows_no_conversations(orders: dict[str, Any]) -> None:
    with worker(orders) as (_, port):
        without, wrong, right = (get(port, "/v1/models", key) for key in (None, "guess", "secret"))
        slots = get(port, "/slots", "secret")

    assert (without, wrong, right) == (401, 401, 200)
    assert slots != 200


def test_it_ends_when_its_standard_input_does(orders: dict[str, Any]) -> None:
    with worker(orders) as (process, _):
        assert process.stdin is not None
        process.stdin.close()

        assert process.wait(PATIENCE_S) == 0


def test_the_terminal_s_interrupt_is_left_to_the_gateway(orders: dict[str, Any]) -> None:
    with worker(orders) as (process, port):
        process.send_signal(signal.SIGINT)

        assert get(port, "/v1/models", "secret") == 200
        assert process.poll() is None


def test_it_does_not_outlive_a_parent_that_is_killed(orders: dict[str, Any]) -> None:
    parent_program = textwrap.dedent(
        """
        import subprocess, sys
        child = subprocess.Popen(
            [sys.executable, "-P", sys.argv[1]],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True,
        )
        child.stdin.write(sys.stdin.readline().encode())
        child.stdin.flush()
        print(child.stdout.readline().decode(), end="", flush=True)
        sys.stdin.read()
        """
    )
    with subprocess.Popen(
        [sys.executable, "-c", parent_program, WORKER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as parent:
        assert parent.stdin is not None
        assert parent.stdout is not None
        parent.stdin.write(json.dumps(orders).encode() + b"\n")
        parent.stdin.flush()
        port = json.loads(parent.stdout.readline())["port"]
        assert get(port, "/v1/models", "secret") == 200

        os.kill(parent.pid, signal.SIGKILL)

        until = time.monotonic() + PATIENCE_S
        while not refuses(port) and time.monotonic() < until:
            time.sleep(0.05)
        assert refuses(port)

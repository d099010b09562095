"""`python -m tests.bench.held FOLDER`: all engines at once, and how long the event loop is held.

The gateway runs in this process and its callers in threads. Another thread asks the loop for a turn
every few milliseconds and reads, on the clock of the loop's own thread, how much processor time
that thread used until it came: what the machine does besides is not counted.
"""

import asyncio
import base64
import http.client
import os
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote

import orjson

from tests.bench.loops import loop_factory
from tests.bench.media import PROMPTS, TEXTS, WORDS, shipped
from tests.bench.processes import ROOT
from tests.running import run_gateway

_SECONDS = 15.0
_EVERY_S = 0.002
_TIMEOUT_S = 120
_BOUNDARY = "bench"
_JSON = {"Content-Type": "application/json"}


async def main() -> None:
    """Print the longest hold, in milliseconds."""
    folder = Path(sys.argv[1]) / "held"
    folder.mkdir()
    text = shipped((ROOT / "config.yaml").read_text("utf-8"))
    loop = asyncio.get_running_loop()
    is_over = threading.Event()
    async with run_gateway(text, folder, environ=os.environ) as gateway:
        host, _, port = gateway.url.removeprefix("http://").partition(":")
        watcher = asyncio.to_thread(_watch, loop, is_over, threading.get_ident())
        watching = asyncio.ensure_future(watcher)
        with ThreadPoolExecutor(len(_CALLERS)) as pool:
            calls = [loop.run_in_executor(pool, _repeat, one, host, int(port)) for one in _CALLERS]
            counts = await asyncio.gather(*calls)
        is_over.set()
        held_ms = await watching
    said = dict(zip((one.__name__.strip("_") for one in _CALLERS), counts, strict=True))
    sys.stderr.write(f"answers while the loop was watched: {said}\n")
    sys.stdout.write(f"{held_ms:.1f}\n")


def _watch(loop: asyncio.AbstractEventLoop, is_over: threading.Event, thread: int) -> float:
    clock = time.pthread_getcpuclockid(thread)
    longest = 0.0
    while not is_over.wait(_EVERY_S):
        came = threading.Event()
        turn: list[float] = []

        def take(came: threading.Event = came, turn: list[float] = turn) -> None:
            turn.append(time.clock_gettime(clock))
            came.set()

        asked = time.clock_gettime(clock)
        loop.call_soon_threadsafe(take)
        came.wait()
        longest = max(longest, turn[0] - asked)
    return longest * 1000


def _repeat(ask: Callable[[http.client.HTTPConnection, int], bytes], host: str, port: int) -> int:
    end, count = time.monotonic() + _SECONDS, 0
    while time.monotonic() < end:
        connection = http.client.HTTPConnection(host, port, timeout=_TIMEOUT_S)
        try:
            ask(connection, count)
        finally:
            connection.close()
        count += 1
    return count


def _words(connection: http.client.HTTPConnection, number: int) -> bytes:
    turn = {"role": "user", "content": f"Say {number} in words"}
    document = {"model": "openai", "messages": [turn], "stream": True, "max_tokens": 64}
    return _post(connection, "/v1/chat/completions", document)


def _speech(connection: http.client.HTTPConnection, number: int) -> bytes:
    document = {"model": "tts-1", "input": WORDS, "voice": "nova"}
    return _post(connection, "/v1/audio/speech", document)


def _hearing(connection: http.client.HTTPConnection, number: int) -> bytes:
    document = {"model": "tts-1", "input": WORDS, "voice": "echo"}
    sound = _post(connection, "/v1/audio/speech", document)
    parts = (
        f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="model"\r\n\r\nwhisper-1\r\n'
        f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a.mp3"\r\n\r\n'
    )
    body = parts.encode() + sound + f"\r\n--{_BOUNDARY}--\r\n".encode()
    kind = {"Content-Type": f"multipart/form-data; boundary={_BOUNDARY}"}
    connection.request("POST", "/v1/audio/transcriptions", body, kind)
    return _answer(connection)


def _picture(connection: http.client.HTTPConnection, number: int) -> bytes:
    path = f"/image/{quote(PROMPTS[number % len(PROMPTS)])}"
    connection.request("GET", f"{path}?width=2048&height=2048&seed={number}")
    return _answer(connection)


def _edit(connection: http.client.HTTPConnection, number: int) -> bytes:
    connection.request("GET", f"/image/{quote(PROMPTS[0])}?seed={number}")
    picture = _answer(connection)
    given = {"user_input": "make it a sketch", "image": _data_url(picture)}
    return _post(connection, "/api/generate_image", {**given, "model": "kontext"})


def _vectors(connection: http.client.HTTPConnection, number: int) -> bytes:
    document = {"model": "text-embedding-3-small", "input": TEXTS}
    return _post(connection, "/v1/embeddings", document)


def _judgement(connection: http.client.HTTPConnection, number: int) -> bytes:
    return _post(connection, "/v1/moderations", {"input": [WORDS * 100]})


_CALLERS = (_words, _speech, _hearing, _picture, _edit, _vectors, _judgement)


def _data_url(picture: bytes) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(picture).decode()}"


def _post(connection: http.client.HTTPConnection, path: str, document: object) -> bytes:
    connection.request("POST", path, orjson.dumps(document), _JSON)
    return _answer(connection)


def _answer(connection: http.client.HTTPConnection) -> bytes:
    answer = connection.getresponse()
    body = answer.read()
    if answer.status != http.HTTPStatus.OK:
        msg = f"{answer.status}: {body[:300]!r}"
        raise RuntimeError(msg)
    return body


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(main())

"""What the engines of this machine make, through the gateway as it is shipped, weights and all."""

import asyncio
import io
import os
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import av

from gateway.config.places import cache_dir
from tests.bench.figures import Ceiling, Figure
from tests.bench.load import IncompleteError
from tests.bench.measure import cpu_s, rss_bytes
from tests.bench.processes import ROOT, Server, free_port, running
from tests.bench.targets import environ

ROUNDS = 5
"""Of each engine at most: a round takes seconds, and varies little."""

WORDS = (
    "The harbour was quiet in the morning, and the boats lay side by side along the old stone wall."
    " A woman in a red coat walked to the end of the pier, put down her basket, and looked out over"
    " the water. Nobody had seen the ferry for three days, and the baker had begun to worry. "
)
SPOKEN = WORDS * 4
TEXTS = tuple(f"A short text about harbour number {number}" for number in range(64))
PROMPTS = (
    "A serene mountain landscape at sunset",
    "A cute cat playing with yarn",
    "A city at night in the rain, neon",
    "A sailing boat on a stormy sea, watercolour",
    "A house in a forest in winter",
)
_SHIPPED_LIMIT = "requests: 100/hour, concurrent: 10"
_LIFTED_LIMIT = "requests: 1000000/day, concurrent: 100"
_PATIENCE_S = 120.0
_HELD_PATIENCE_S = 300.0


async def media(folder: Path, rounds: int) -> list[Figure]:
    """Ask each engine alone, then look at what all of them hold, then ask all at once."""
    rounds = min(rounds, ROUNDS)
    async with _shipped(folder) as server, _client(server) as client:
        sound = await _post(client, "/v1/audio/speech", _speech(SPOKEN))
        length_s = _length_s(sound)

        async def speech() -> float:
            began = time.perf_counter()
            await _post(client, "/v1/audio/speech", _speech(SPOKEN))
            return length_s / (time.perf_counter() - began)

        async def transcription() -> float:
            form = aiohttp.FormData({"model": "whisper-1"})
            form.add_field("file", sound, filename="speech.mp3")
            began = time.perf_counter()
            await _post(client, "/v1/audio/transcriptions", form)
            return length_s / (time.perf_counter() - began)

        async def picture() -> float:
            number = next(numbers)
            before = cpu_s(server.pid)
            path = f"/image/{PROMPTS[number % len(PROMPTS)]}"
            async with client.get(path, params={"seed": number}) as answer:
                await _whole(answer)
            return cpu_s(server.pid) - before

        async def vectors() -> float:
            document = {"model": "text-embedding-3-small", "input": TEXTS}
            began = time.perf_counter()
            await _post(client, "/v1/embeddings", document)
            return len(TEXTS) / (time.perf_counter() - began)

        numbers = iter(range(1_000_000))
        figures = [
            await _row("speech, x real time", speech, rounds, ("at least", 10.0)),
            await _row("transcription, x real time", transcription, rounds, ("at least", 4.0)),
            await _row("768x768 picture, CPU s", picture, rounds, ("at most", 0.6)),
            await _row("vectors, short texts/s", vectors, rounds, ("at least", 40.0)),
        ]
        await _post(client, "/v1/chat/completions", _chat())
        held_mb = rss_bytes(server.pid) / 2**20
    figures.append(Figure("all engines, MB resident", {"gateway": [held_mb]}, ("at most", 2048.0)))
    held = [await asyncio.to_thread(_held_ms, folder)]
    figures.append(Figure("event loop held, ms", {"gateway": held}, ("at most", 50.0)))
    return figures


def shipped(text: str) -> str:
    """Return the shipped configuration without the limit that a bench would reach."""
    if _SHIPPED_LIMIT not in text:
        msg = "the shipped limits are not written as they were"
        raise RuntimeError(msg)
    return text.replace(_SHIPPED_LIMIT, _LIFTED_LIMIT)


def own_environ(folder: Path) -> dict[str, str]:
    """Return an environment with this user's weights, and with a state of its own."""
    return environ(folder) | {"DYNAGATE_CACHE_DIR": str(cache_dir(os.environ))}


async def _row(
    name: str, measure: Callable[[], Awaitable[float]], rounds: int, ceiling: Ceiling
) -> Figure:
    """Measure `rounds` times after one that loads the engine."""
    values = [await measure() for _ in range(1 + rounds)][1:]
    return Figure(name, {"gateway": values}, ceiling)


@asynccontextmanager
async def _shipped(folder: Path) -> AsyncGenerator[Server]:
    port = free_port()
    config = folder / "media.yaml"
    config.write_text(shipped((ROOT / "config.yaml").read_text("utf-8")), "utf-8")
    admin = f"127.0.0.1:{free_port()}"
    words = ("-m", "gateway", "serve", "--config", str(config))
    at = ("--port", str(port), "--admin", admin)
    async with running((*words, *at), port, folder, own_environ(folder)) as server:
        yield server


def _client(server: Server) -> aiohttp.ClientSession:
    timeout = aiohttp.ClientTimeout(total=_PATIENCE_S)
    return aiohttp.ClientSession(f"http://127.0.0.1:{server.port}", timeout=timeout)


async def _post(client: aiohttp.ClientSession, path: str, body: object) -> bytes:
    given = {"data": body} if isinstance(body, aiohttp.FormData) else {"json": body}
    async with client.post(path, **given) as answer:
        return await _whole(answer)


async def _whole(answer: aiohttp.ClientResponse) -> bytes:
    body = await answer.read()
    if answer.status != 200:
        said = body[:300].decode("utf-8", "replace")
        msg = f"{answer.url.path}: {answer.status} {said}; the weights are pulled by make run"
        raise IncompleteError(msg)
    return body


def _speech(text: str) -> dict[str, str]:
    return {"model": "tts-1", "input": text, "voice": "alloy", "response_format": "mp3"}


def _chat() -> dict[str, object]:
    return {"model": "openai", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 8}


def _length_s(sound: bytes) -> float:
    with av.open(io.BytesIO(sound), "r") as file:
        return sum(frame.samples / frame.sample_rate for frame in file.decode(audio=0))


def _held_ms(folder: Path) -> float:
    """Return for how long at most one turn of the event loop kept the processor."""
    said = subprocess.run(
        [sys.executable, "-m", "tests.bench.held", str(folder)],
        check=True,
        stdout=subprocess.PIPE,
        cwd=ROOT,
        env=own_environ(folder),
        timeout=_HELD_PATIENCE_S,
    )
    return float(said.stdout.split()[-1])

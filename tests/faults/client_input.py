"""Rows C: callers who send what nobody should: bad JSON, smuggled requests, forged lines, paths."""

import asyncio
import random
import time
from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import quote

import orjson

from gateway.testing.script import converse
from tests.contract.test_bad_json import BODIES
from tests.faults.asking import upstreams
from tests.faults.figures import ms
from tests.faults.ground import Ground
from tests.faults.row import Reached, Row
from tests.faults.served import chat_document, posted
from tests.web.test_protocol import MALFORMED

_SEED = 5
_HANG_S = 20
_VALUES = (
    *(b"null", b"true", b"0", b"-1", b"1e999", b"NaN", b"-Infinity", b"9" * 100_000, b"[]", b"{}"),
    *(b'""', b'"\\u0000"', b'"\\ud800"', b'"\\udc00\\ud800"', b'"\xff"', b'"\x00"', b"[[[[]]]]"),
    *(b"[" * 5000 + b"]" * 5000, b'{"a":' * 70 + b"1" + b"}" * 70, b'"' + b"a" * 100_000 + b'"'),
    *(b'{"type":"text"}', b'[{"type":"image_url","image_url":7}]', b"1.5", b"18446744073709551616"),
)
_PATHS = (
    "/v1/chat/completions",
    "/v1/completions",
    "/v1/embeddings",
    "/v1/moderations",
    "/v1/images/generations",
    "/v1/audio/speech",
    "/api/generate_response",
    "/api/generate_image",
)
_FIELDS = (
    *("model", "messages", "stream", "temperature", "top_p", "n", "stop", "seed", "tools", "user"),
    *("tool_choice", "response_format", "stream_options", "max_tokens", "modalities", "audio"),
    *("logprobs", "prompt", "input", "user_input", "width", "image", "voice", "speed", "format"),
)


def mutants(seed: int, count: int) -> Iterator[tuple[str, bytes]]:
    """Yield paths and bodies: a good document, changed in one to three places."""
    chance = random.Random(seed)  # noqa: S311 - of mistakes, not of secrets.
    for number in range(count):
        path = _PATHS[0] if number % 2 else chance.choice(_PATHS)
        body = orjson.dumps(chat_document(prompt="hi", input="hi", user_input="hi", width=64))
        for _ in range(chance.randrange(1, 4)):
            value = chance.choice(_VALUES)
            match chance.randrange(5):
                case 0:
                    name = chance.choice(_FIELDS).encode()
                    body = body[:-1] + b',"' + name + b'":' + value + b"}"
                case 1:
                    body = body.replace(b'"hi"', value, 1)
                case 2:
                    body = body.replace(b'"openai"', value, 1)
                case 3:
                    at = chance.randrange(len(body) + 1)
                    body = body[:at] + bytes([chance.randrange(256)]) + body[at + 1 :]
                case _:
                    body = body[: chance.randrange(len(body) + 1)]
        yield path, body


async def _c05(ground: Ground) -> Reached:
    """Send documents that are nearly right, or not at all."""
    count = ground.times(3000, least=60)
    bad, slowest_s, asked = list[str](), 0.0, 0
    paths = _PATHS[: None if len(ground.dialects) > 1 else 1]
    async with upstreams() as (upstream,), ground.facing(upstream.url) as served:
        bodies = [(path, body) for path in paths for body in BODIES.values()]
        wanted = [
            (path if path in paths else paths[0], body) for path, body in mutants(_SEED, count)
        ]
        for path, body in bodies + wanted:
            begun = time.perf_counter()
            async with asyncio.timeout(_HANG_S):
                headers = {"Content-Type": "application/json"}
                answer = await served.ask("POST", path, data=body, headers=headers)
            slowest_s = max(slowest_s, time.perf_counter() - begun)
            asked += 1
            if answer.status >= 500:
                bad.append(f"{answer.status} {path} {body[:80]!r}")
        traces = served.traces
    said = f"{len(bad)} of {asked} are 5xx{bad[:2] or ''}, slowest {ms(slowest_s)}"
    return Reached(f"{said}, {traces} tracebacks", not bad and not traces)


_REFUSED = (b"HTTP/1.1 4", b"HTTP/1.0 4")
_SMUGGLED = b"GET /text/smuggled HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
_CLOSED_S = 5
"""A connection that is open for so long after a refusal was not closed."""


async def _c06(ground: Ground) -> Reached:
    """Send requests that two servers would read in two ways, and look what is done of them."""
    executed = refused = 0
    async with upstreams() as (upstream,), ground.facing(upstream.url) as served:
        for vector in MALFORMED.values():
            data = vector.replace(b"/evil", b"/text/evil").replace(b": x\r\n", b": localhost\r\n")
            async with served.wire() as wire:
                await wire.send(data + _SMUGGLED)
                with suppress(TimeoutError):
                    answer = await wire.rest(_CLOSED_S)
                    refused += answer.startswith(_REFUSED) and answer.count(b"\r\n\r\n") == 1
        executed = len(upstream.requests)
        traces = served.traces
    return Reached(
        f"{refused}/{len(MALFORMED)} refused and closed, {executed} executed, {traces} tracebacks",
        refused == len(MALFORMED) and not executed and not traces,
    )


_FORGED = "a\r\nX-Evil: 1\r\n\r\nevil"


async def _c07(ground: Ground) -> Reached:
    """Put line breaks into models, prompts and ids."""
    found = 0
    forged = quote(_FORGED)
    queries = [
        f"/text/{forged}",
        f"/api/generate_response?user_input={forged}&model={forged}",
        f"/api/generate_response?user_input=hi&model=up-{forged}",
        f"/api/generate_response?user_input=hi&referrer={forged}&voice={forged}&{forged}={forged}",
        f"/image/{forged}?seed={forged}",
        f"/image/-?id={forged}",
        f"/v1/models/{forged}",
        f"/{forged}",
    ]
    documents = [
        chat_document(_FORGED, model=f"up-{_FORGED}"),
        chat_document(_FORGED, user=_FORGED, stop=[_FORGED]),
        chat_document(_FORGED, **{_FORGED: 1}),
        chat_document(_FORGED, stream=True, metadata={_FORGED: _FORGED}),
    ]
    async with upstreams() as (upstream,), ground.facing(upstream.url) as served:
        upstream.default = converse()
        answers = [await served.get(path) for path in queries]
        answers += [await served.ask("POST", _PATHS[0], json=one) for one in documents]
        async with served.wire() as wire:
            await wire.send(posted(documents[0], _PATHS[0], "X-Request-Id: a\rX-Evil: 1"))
            raw = await wire.rest(20)
        found += b"\r\nX-Evil" in raw
        found += sum("X-Evil" in answer.headers for answer in answers)
        found += sum("x-evil" in request.headers for request in upstream.requests)
        bad = sum(answer.status >= 500 for answer in answers)
        heard = len(upstream.requests)
    return Reached(
        f"{found} forged headers in {len(answers)} answers and {heard} requests, {bad} are 5xx",
        not found and not bad,
    )


_TRAVERSALS = (
    "../../../../etc/passwd",
    "..%2f..%2f..%2f..%2fetc%2fpasswd",
    "%2e%2e/%2e%2e/%2e%2e/etc/passwd",
    "..%252f..%252fetc%252fpasswd",
    "..%c0%afetc/passwd",
    "....//....//etc/passwd",
    "..\\..\\..\\etc\\passwd",
    "/etc/passwd",
    "file:///etc/passwd",
    "%00/etc/passwd",
    "../admin/keys",
    "..%2fadmin%2fkeys",
)


async def _c08(ground: Ground) -> Reached:
    """Ask for files and other paths by prompts."""
    asked = leaked = bad = 0
    async with upstreams() as (upstream,), ground.facing(upstream.url) as served:
        upstream.default = converse()
        for prefix in ("/text/", "/api/text/", "/image/", "/prompt/", "/v1/models/", "/"):
            for prompt in _TRAVERSALS:
                async with served.wire() as wire:
                    line = f"GET {prefix}{prompt} HTTP/1.1\r\nHost: localhost\r\n"
                    await wire.send(f"{line}Connection: close\r\n\r\n".encode())
                    answer = await wire.rest(20)
                asked += 1
                leaked += b"root:" in answer or b'"keys"' in answer
                bad += not answer.startswith((b"HTTP/1.1 2", b"HTTP/1.1 4"))
        strange = sum(one.path != "/v1/chat/completions" for one in upstream.requests)
    return Reached(
        f"{leaked} files in {asked} answers, {bad} are 5xx, {strange} other paths upstream",
        not leaked and not bad and not strange,
    )


ROWS = (
    Row(
        "C05",
        "nesting, NUL, surrogates, NaN, long numbers, wrong types: 3,000 seeded documents",
        "0 are 5xx, 0 hang, 0 tracebacks",
        _c05,
        is_counted=True,
        defects=("raw_errors",),
        most_s=180,
    ),
    Row(
        "C06",
        f"{len(MALFORMED)} smuggled or malformed requests",
        "refused and closed, 0 executed",
        _c06,
        is_counted=True,
        defects=("stock_server",),
    ),
    Row(
        "C07",
        "line breaks in models, prompts and ids",
        "no header down or up",
        _c07,
        is_counted=True,
        defects=("echoes_raw",),
    ),
    Row(
        "C08",
        "paths to files as prompts, encoded once and twice",
        "prompts are words, never paths",
        _c08,
        is_counted=True,
        defects=("opens_paths",),
    ),
)

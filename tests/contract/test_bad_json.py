"""Section 6: bodies that are no request: 400 with a reason, whatever they hold."""

import pytest

from gateway.schema.json import JsonObject
from gateway.testing.upstream import FakeUpstream
from tests.contract.asking import Asker, assert_refused

JSON_TYPE = {"Content-Type": "application/json"}
BODIES = {
    "empty": b"",
    "white space": b" \r\n\t",
    "a list": b"[]",
    "a string": b'"hi"',
    "null": b"null",
    "a number": b"1",
    "truncated": b'{"model": "openai", "messages": [',
    "two documents": b'{"model": "a"} {"model": "b"}',
    "no JSON": b"model=openai",
    "100 deep": b'{"a":' * 100 + b"1" + b"}" * 100,
    "65 deep": b'{"a":' * 65 + b"1" + b"}" * 65,
    "100,000 deep": b"[" * 100_000,
    "100,000 deep in an object": b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "a lone surrogate": b'{"model": "\\ud800"}',
    "a lone surrogate in a key": b'{"\\udfff": 1}',
    "surrogates the wrong way round": b'{"a": "\\udc00\\ud800"}',
    "NaN": b'{"a": NaN}',
    "Infinity": b'{"a": -Infinity}',
    "400 digits": b'{"a": ' + b"9" * 400 + b"}",
    "5,000 digits": b'{"a": ' + b"9" * 5000 + b"}",
    "a large exponent": b'{"a": 1e999}',
    "a repeated key": b'{"model": "a", "model": "b"}',
    "a repeated key within": b'{"model": "openai", "messages": [{"role": "a", "role": "b"}]}',
    "not UTF-8": b'{"a": "\xff"}',
    "UTF-16": '{"a": 1}'.encode("utf-16"),
    "a byte order mark": b'\xef\xbb\xbf{"a": 1}',
    "a raw line break": b'{"a": "\n"}',
    "a comment": b"{} // hi",
    "a trailing comma": b'{"a": 1,}',
    "single quotes": b"{'a': 1}",
}


@pytest.mark.parametrize(
    "path", ["/v1/chat/completions", "/v1/completions", "/api/openai", "/api/generate_response"]
)
@pytest.mark.parametrize("what", BODIES)
async def test_a_body_that_is_no_json_object_is_refused(
    caller: Asker, upstream: FakeUpstream, path: str, what: str
) -> None:
    reply = await caller.ask("POST", path, data=BODIES[what], headers=JSON_TYPE)

    if path == "/api/generate_response" and what in {"empty", "white space"}:
        assert_refused(reply, 400, "missing_parameter", "user_input")
    else:
        assert_refused(reply, 400, "invalid_json")
    assert upstream.requests == []
    assert "X-RateLimit-Limit" not in reply.headers


async def test_64_levels_are_taken(caller: Asker, upstream: FakeUpstream) -> None:
    deep: JsonObject = {}
    for _ in range(62):
        deep = {"a": deep}

    reply = await caller.chat(metadata=deep)

    assert reply.status == 200
    assert upstream.requests[0].document["metadata"] == deep

"""Vectors by canonical request, for callers whose format the host does not take."""

import base64
import struct
from pathlib import Path

import orjson
import pytest

from gateway.schema.embeddings import EmbeddingRequest
from gateway.schema.failure import Failure
from gateway.sdk import Attempt, UpstreamError
from gateway.testing.deps import make_deps
from gateway.testing.upstream import FakeUpstream, body
from gateway_openai import connect
from gateway_openai.settings import OpenAISettings

ATTEMPT = Attempt("test", 1, 1e9)
REQUEST = EmbeddingRequest("embed-x", ("one", "two"), dimensions=3)


async def embed(folder: Path, upstream: FakeUpstream) -> list[bytes]:
    settings = OpenAISettings.model_validate({"base_url": f"{upstream.url}/v1"})
    async with make_deps("host", folder) as deps, connect(settings, deps) as provider:
        answer = await provider.embed(REQUEST, ATTEMPT)
    assert answer.usage is not None
    assert (answer.model, answer.usage.input_tokens) == ("embed-x", 5)
    return list(answer.vectors)


def reply(*rows: tuple[int, object]) -> bytes:
    data = [{"index": index, "embedding": row} for index, row in rows]
    return orjson.dumps({"data": data, "model": "embed-x", "usage": {"prompt_tokens": 5}})


async def test_they_come_in_order_as_numbers_or_base64(tmp_path: Path) -> None:
    packed = base64.b64encode(struct.pack("<3f", 0.25, -1, 2)).decode()
    async with FakeUpstream(default=body(reply((1, packed), (0, [1.0, 0.5, 0])))) as upstream:
        vectors = await embed(tmp_path, upstream)
        asked = upstream.requests[0].document

    assert [struct.unpack("<3f", one) for one in vectors] == [(1.0, 0.5, 0), (0.25, -1, 2)]
    assert asked == {
        "model": "embed-x",
        "input": ["one", "two"],
        "encoding_format": "base64",
        "dimensions": 3,
    }


@pytest.mark.parametrize("row", ["%%%", None, ["x"], [1e400], 5])
async def test_what_is_no_vector_is_the_hosts_fault(tmp_path: Path, row: object) -> None:
    text = reply((0, [1.0]), (1, "ROW")).replace(b'"ROW"', _json(row))
    async with FakeUpstream(default=body(text)) as upstream:
        with pytest.raises(UpstreamError) as raised:
            await embed(tmp_path, upstream)

    assert raised.value.failure is Failure.TRANSIENT


def _json(row: object) -> bytes:
    return b"[1e400]" if row == [1e400] else orjson.dumps(row)

"""What the fuzz sends: requests by schemathesis and by hypothesis, and changed ones of both.

All by a seed, so that a bad one comes back. Imports what takes seconds to import.
"""

import random
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import orjson
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode

from gateway.schema.json import JsonObject
from tests.contract.test_random_documents import CHATS, PROMPTS, QUERIES, VALUES
from tests.faults.fuzz_changes import changed
from tests.faults.served import posted

_SEED = 2026
_POOL = 3000
"""Requests of each sort that are made; the rest are changed ones of these."""


def gathered(
    strategy: st.SearchStrategy[Any], count: int, take: Callable[[Any], bytes]
) -> list[bytes]:
    """Return so many examples, as bytes; always the same ones."""
    found: list[bytes] = []

    @seed(_SEED)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def gather(example: Any) -> None:  # Any: likewise.
        found.append(take(example))

    gather()
    return found


def from_schema(document: JsonObject, count: int) -> list[bytes]:
    """Return requests that the OpenAPI document asks for, and as many that it does not."""
    schema = schemathesis.openapi.from_dict(document)
    chance = random.Random(_SEED)  # noqa: S311 - of mistakes, not of secrets.

    def take(case: schemathesis.Case[Any]) -> bytes:
        # A model that is there, mostly: what comes after it is to be tried, too.
        if chance.random() < 0.8:
            if isinstance(case.body, dict) and "model" in case.body:
                case.body = {**case.body, "model": "openai"}
            if case.query and "model" in case.query:
                case.query["model"] = "openai"
        return _on_the_wire(case)

    found: list[bytes] = []
    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
        found += gathered(schema.as_strategy(generation_mode=mode), count // 2, take)
    return found


def _on_the_wire(case: schemathesis.Case[Any]) -> bytes:
    try:
        given = case.as_transport_kwargs(base_url="http://localhost")
        given.pop("timeout", None)
        made = requests.Request(**given).prepare()
    except (ValueError, requests.RequestException, UnicodeError):
        return b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
    body = made.body or b""
    data = body if isinstance(body, bytes) else str(body).encode("utf-8", "replace")
    lines = [f"{made.method} {made.path_url} HTTP/1.1", "Host: localhost"]
    lines += [f"{name}: {text!s}" for name, text in made.headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("utf-8", "replace") + data


def from_questions(count: int) -> list[bytes]:
    """Return chats, prompts and parameters as the contract's tests make them."""
    paths = {
        "/v1/chat/completions": CHATS,
        "/v1/completions": PROMPTS,
        "/api/generate_response": QUERIES,
    }
    found: list[bytes] = []
    for path, strategy in paths.items():
        found += gathered(strategy | VALUES, count // len(paths), partial(_question, path))
    return found


def _question(path: str, document: Any) -> bytes:  # Any: JSON values.
    return posted(_dumped(document), path)


def _dumped(document: Any) -> bytes:  # Any: JSON values, and numbers that are none.
    try:
        return orjson.dumps(document)
    except TypeError:
        return repr(document).encode("utf-8", "replace")


def all_requests(document: JsonObject, count: int) -> Iterator[bytes]:
    """Yield so many requests."""
    made = min(_POOL, max(20, count // 3))
    pool = [*from_schema(document, made), *from_questions(made)]
    chance = random.Random(_SEED)  # noqa: S311 - of mistakes, not of secrets.
    yield from pool[:count]
    for _ in range(count - len(pool)):
        yield changed(pool, chance)

"""Section 5: a key is shown the models that its plan includes."""

from pathlib import Path
from typing import Any

import pytest

from gateway.schema.json import JsonObject
from tests.contract.asking import Asker, Reply, assert_refused
from tests.contract.conftest import Begin
from tests.contract.test_keys import SQLITE, UNKNOWN, Keys, bearer
from tests.contract.test_plans import with_key

PICTURES = {
    "flux": {"targets": [{"provider": "here", "model": "painter"}], "aliases": ["flux-1"]},
    "turbo": {"targets": [{"provider": "here", "model": "painter"}]},
}
PLANS: JsonObject = {
    "some": {"models": ["chaotic", "up-*", "flux-1"], "max_output_tokens": 100},
    "all": {},
}
SECTIONS: JsonObject = {
    "plans": PLANS,
    "models": PICTURES,
    "more": {"here": {"kind": "local"}},
    "state": {"url": SQLITE},
}


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    """The command line of the gateways that `begin` starts."""
    return Keys(tmp_path)


async def listed(caller: Asker, path: str, key: str | None) -> Any:  # Any: JSON.
    """Return the list, with its names alone if it is of cards."""
    answer = await caller.ask("GET", path, headers={} if key is None else bearer(key))
    assert answer.status == 200
    found = answer.json()
    rows = found["data"] if isinstance(found, dict) else found
    return [row if isinstance(row, str) else row.get("id", row["name"]) for row in rows]


async def test_a_list_shows_a_key_what_its_plan_includes(begin: Begin, keys: Keys) -> None:
    caller, some = await with_key(begin, keys, "some", **SECTIONS)

    assert await listed(caller, "/v1/models", some) == ["chaotic", "echo", "flux-1"]
    assert await listed(caller, f"/v1/models?api_key={some}", None) == ["chaotic", "echo", "flux-1"]
    assert await listed(caller, "/api/text/models", some) == ["chaotic"]
    assert await listed(caller, "/api/image/models", some) == ["flux-1"]
    assert await listed(caller, "/api/image/models?detail=true", some) == ["flux-1"]
    # Nor are names told that it may not use.
    (card,) = (await caller.ask("GET", "/image/models?detail=1", headers=bearer(some))).json()
    assert card["aliases"] == []


async def test_anonymous_callers_and_plans_without_models_see_all(begin: Begin, keys: Keys) -> None:
    caller, key = await with_key(begin, keys, "all", **SECTIONS)

    for asking in (key, None):
        names = await listed(caller, "/v1/models", asking)
        assert names == ["openai", "chaotic", "echo", "flux", "flux-1", "turbo"]
        assert await listed(caller, "/api/image/models", asking) == ["flux", "turbo"]
    refused = await caller.ask("GET", "/v1/models", headers=bearer(UNKNOWN))
    assert_refused(refused, 401, "invalid_api_key")


async def test_one_model_outside_the_plan_is_not_there(begin: Begin, keys: Keys) -> None:
    caller, key = await with_key(begin, keys, "some", **SECTIONS)

    async def shown(name: str) -> Reply:
        return await caller.ask("GET", f"/v1/models/{name}", headers=bearer(key))

    for name in ("chaotic", "echo", "up-anything", "flux-1"):
        assert (await shown(name)).json()["id"] == name
    for name in ("openai", "turbo", "flux", "nobody"):
        assert_refused(await shown(name), 404, "model_not_found", "model")
    assert (await caller.get("/v1/models/openai")).status == 200


async def test_head_answers_as_a_call_would(begin: Begin, keys: Keys) -> None:
    caller, key = await with_key(begin, keys, "some", **SECTIONS)
    statuses = {
        "/text/hi?model=chaotic": 200,
        "/text/hi?model=openai": 403,
        "/image/hi?model=flux-1": 200,
        "/image/hi?model=turbo": 403,
        "/api/generate_image?user_input=hi&model=turbo": 403,
        "/v1/models/turbo": 404,
    }

    for path, status in statuses.items():
        head = await caller.ask("HEAD", path, headers=bearer(key))
        assert head.status == status, path
        whole = await caller.ask("GET", path, headers=bearer(key))
        assert whole.status == status, path
        assert (await caller.ask("HEAD", path)).status == 200, path


async def test_head_of_a_priced_model_is_open_to_keys_alone_where_strangers_call(
    begin: Begin, keys: Keys
) -> None:
    public = {"server": {"host": "0.0.0.0"}, "auth": {"open_to": "world"}}  # noqa: S104 - its rules.
    caller, key = await with_key(begin, keys, "all", **SECTIONS, **public)
    path = "/text/hi?model=openai"

    assert (await caller.ask("HEAD", path)).status == 403
    assert (await caller.ask("HEAD", path, headers=bearer(key))).status == 200

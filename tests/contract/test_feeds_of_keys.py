"""Sections 5 and 7: whose generations the feeds show, and who may read them."""

from pathlib import Path

import pytest

from tests.contract.asking import Asker, assert_refused
from tests.contract.conftest import Begin
from tests.contract.feeding import TEXT, read
from tests.contract.test_keys import SQLITE, Keys, bearer

PLANS = {
    "loud": {"feed": True},
    "quiet": {},
    "shy": {"feed": True, "private": True},
}


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    """The command line of the gateways that `begin` starts."""
    return Keys(tmp_path)


async def say(caller: Asker, words: str, key: str | None = None) -> None:
    """Generate a text."""
    headers = {} if key is None else bearer(key)
    answer = await caller.ask("GET", f"/text/{words}", headers=headers)
    assert answer.status == 200


async def test_only_what_anonymous_callers_and_plans_that_say_so_generate_appears(
    begin: Begin, keys: Keys
) -> None:
    await begin(state={"url": SQLITE}, plans=PLANS)
    made = {plan: (await keys.made(plan))["key"] for plan in PLANS}
    caller = await begin(state={"url": SQLITE}, plans=PLANS)

    async with read(caller) as reader:
        await say(caller, "of-the-quiet", made["quiet"])
        await say(caller, "of-the-shy", made["shy"])
        await say(caller, "of-the-loud", made["loud"])
        await say(caller, "of-nobody")
        events = [(await reader.event()).json() for _ in range(2)]

    assert [event["messages"][0]["content"] for event in events] == ["of-the-loud", "of-nobody"]
    assert not any(key in str(events) for key in made.values())


async def test_where_keys_are_demanded_reading_needs_one(begin: Begin, keys: Keys) -> None:
    sections = {"state": {"url": SQLITE}, "auth": {"mode": "keys"}}
    await begin(**sections)
    key = (await keys.made())["key"]
    caller = await begin(**sections)

    refused = await caller.ask("HEAD", TEXT)
    unknown = await caller.get(TEXT, Authorization="Bearer nonsense")
    allowed = await caller.ask("HEAD", TEXT, headers=bearer(key))
    # An EventSource cannot set headers.
    by_url = await caller.ask("HEAD", f"{TEXT}?api_key={key}")
    wrong = await caller.get(f"{TEXT}?api_key={key[:-1]}")

    assert refused.status == 401
    assert_refused(unknown, 401, "invalid_api_key")
    assert_refused(wrong, 401, "invalid_api_key")
    assert (allowed.status, by_url.status) == (200, 200)

"""`/admin/keys`: made, read, changed, rotated and revoked while callers call."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from gateway.state.keys import is_key_shaped
from gateway.testing.upstream import FakeUpstream, stream
from tests.contract.administering import ADMINISTERED, KEYS, administer, made
from tests.contract.asking import Asker, assert_refused, knock_at
from tests.contract.conftest import Begin
from tests.contract.test_keys import GENERATE, Keys, bearer, status_becomes

SHOWN = {
    "id",
    "prefix",
    "name",
    "owner",
    "tags",
    "plan",
    "state",
    "created_at",
    "expires_at",
    "revoked_at",
    "updated_at",
}


@pytest.fixture
async def caller(begin: Begin) -> Asker:
    """Somebody who knows a gateway that can be administered."""
    return await begin(**ADMINISTERED)


async def status_of(caller: Asker, key: str) -> int:
    """Generate with `key`."""
    return (await caller.ask("HEAD", GENERATE, headers=bearer(key))).status


async def etag_of(caller: Asker, key: Any) -> str:
    """Read a key, and return the version it has."""
    return (await administer(caller, "GET", f"{KEYS}/{key['id']}")).headers["ETag"]


async def test_a_key_is_made_shown_once_and_good_at_once(caller: Asker) -> None:
    fields = {"name": "alice", "owner": "Ünal", "tags": ["a", "b"], "plan": "team"}

    reply = await administer(caller, "POST", KEYS, {**fields, "expires_at": "2999-01-31"})

    key = reply.json()
    assert reply.status == 201
    assert reply.headers["Location"] == f"{KEYS}/{key['id']}"
    assert reply.headers["Cache-Control"] == "no-store"
    assert is_key_shaped(key["key"])
    assert key.keys() == SHOWN | {"key"}
    assert {name: key[name] for name in fields} == fields
    assert (key["state"], key["expires_at"]) == ("active", "2999-01-31T00:00:00Z")
    assert await status_of(caller, key["key"]) == 200
    read = await administer(caller, "GET", reply.headers["Location"])
    assert read.json() == {name: key[name] for name in SHOWN}
    assert read.headers["ETag"] == reply.headers["ETag"]
    assert key["key"] not in (await administer(caller, "GET")).text


async def test_rotating_and_revoking_are_in_force_with_the_answer(caller: Asker) -> None:
    key = await made(caller)
    path = f"{KEYS}/{key['id']}"

    rotated = await administer(caller, "POST", f"{path}/rotate")

    new = rotated.json()["key"]
    assert await status_of(caller, key["key"]) == 401
    assert await status_of(caller, new) == 200
    revoked = await administer(caller, "DELETE", path)
    assert await status_of(caller, new) == 401
    again = await administer(caller, "DELETE", path)
    assert (revoked.json()["state"], again.status) == ("revoked", 200)
    assert again.json() == revoked.json()
    for method, below in [("POST", "/rotate"), ("PATCH", "")]:
        reply = await administer(caller, method, path + below, {}, If_Match=again.headers["ETag"])
        assert_refused(reply, 409, "conflict")


async def test_what_the_command_line_made_is_changed_over_http_and_the_other_way_round(
    caller: Asker, tmp_path: Path
) -> None:
    keys = Keys(tmp_path)
    of_the_terminal = await keys.made()
    of_http = await made(caller)

    await administer(caller, "DELETE", f"{KEYS}/{of_the_terminal['id']}")
    await keys("revoke", of_http["id"])

    assert await status_of(caller, of_the_terminal["key"]) == 401
    await status_becomes(caller, of_http["key"], 401)


async def test_a_patch_changes_what_it_names_and_null_is_what_a_new_key_has(caller: Asker) -> None:
    key = await made(caller, owner="o", tags=["a"], plan="team", expires_at="2999-01-31")
    path = f"{KEYS}/{key['id']}"

    one = await administer(
        caller,
        "PATCH",
        path,
        {"name": "bob", "tags": ["b", "c"]},
        If_Match=await etag_of(caller, key),
        Content_Type="application/merge-patch+json",
    )
    nulls = {"owner": None, "tags": None, "plan": None, "expires_at": None}
    other = await administer(caller, "PATCH", path, nulls, If_Match=one.headers["ETag"])

    same = {name: one.json()[name] for name in ("id", "owner", "plan", "expires_at")}
    assert same == {name: key[name] for name in same}
    assert (one.json()["name"], one.json()["tags"]) == ("bob", ["b", "c"])
    assert one.headers["ETag"] != other.headers["ETag"]
    fresh = await made(caller)
    defaults = ("owner", "tags", "plan", "expires_at")
    assert [other.json()[name] for name in defaults] == [fresh[name] for name in defaults]


async def test_a_plan_that_is_changed_limits_the_next_call(caller: Asker) -> None:
    key = await made(caller, plan="small")
    first = await caller.ask("GET", GENERATE, headers=bearer(key["key"]))
    etag = await etag_of(caller, key)
    await administer(caller, "PATCH", f"{KEYS}/{key['id']}", {"plan": "team"}, If_Match=etag)

    second = await caller.ask("GET", GENERATE, headers=bearer(key["key"]))

    assert first.headers["X-RateLimit-Limit"] == "2"
    assert second.headers["X-RateLimit-Limit"] == "5000"


async def test_a_patch_says_what_it_has_read_or_is_refused(caller: Asker) -> None:
    key = await made(caller)
    path, etag = f"{KEYS}/{key['id']}", await etag_of(caller, key)

    without = await administer(caller, "PATCH", path, {"owner": "a"})
    stale = [
        await administer(caller, "PATCH", path, {"owner": "a"}, If_Match=given)
        for given in ('"0000000000000000"', "*", f"W/{etag}", "", "x" * 5000, etag.strip('"'))
    ]
    for method, below in [("DELETE", ""), ("POST", "/rotate")]:
        stale.append(await administer(caller, method, path + below, If_Match='"x"'))
    good = await administer(caller, "PATCH", path, {"owner": "a"}, If_Match=f'"x", {etag}')

    assert_refused(without, 428, "version_required")
    for reply in stale:
        assert_refused(reply, 412, "version_stale")
    assert good.json()["owner"] == "a"
    assert await status_of(caller, key["key"]) == 200


async def test_of_many_who_change_what_they_have_read_one_does(caller: Asker) -> None:
    key = await made(caller)
    etag = await etag_of(caller, key)

    replies = await asyncio.gather(
        *(
            administer(caller, "PATCH", f"{KEYS}/{key['id']}", {"owner": str(n)}, If_Match=etag)
            for n in range(12)
        )
    )

    assert sorted(reply.status for reply in replies) == [200] + [412] * 11


@pytest.mark.parametrize(
    ("fields", "param", "says"),
    [
        ({"name": ""}, "name", "1 to 100"),
        ({"name": "x" * 101}, "name", "1 to 100"),
        ({"name": "a\nb"}, "name", "line breaks"),
        ({"name": "a\u202eb"}, "name", "not shown"),
        ({"name": " a"}, "name", "spaces"),
        ({"name": None}, "name", "give it a value"),
        ({"name": 5}, "name", "text"),
        ({"owner": "x" * 201}, "owner", "0 to 200"),
        ({"owner": "a\x00"}, "owner", "not shown"),
        ({"tags": ["x"] * 21}, "tags", "20 tags"),
        ({"tags": ["x" * 65]}, "tags", "1 to 64"),
        ({"tags": [""]}, "tags", "1 to 64"),
        ({"tags": "a"}, "tags", "list"),
        ({"tags": ["a", 1]}, "tags.1", "text"),
        ({"plan": "teem"}, "plan", "known are default, team, small"),
        ({"expires_at": "soon"}, "expires_at", "2030-01-31"),
        ({"expires_at": "2020-01-01"}, "expires_at", "over already"),
        ({"expires_at": "9999-12-31T23:59:59-12:00"}, "expires_at", "9999"),
        ({"expires_at": 4102444800}, "expires_at", "text"),
        ({"ownr": "x"}, "ownr", "did you mean owner?"),
        ({"digest": "x"}, "digest", "unknown key"),
        ({"id": "key_0123456789ab"}, "id", "unknown key"),
    ],
)
async def test_what_cannot_be_kept_is_named_and_changes_nothing(
    caller: Asker, fields: dict[str, object], param: str, says: str
) -> None:
    key = await made(caller)
    etag = await etag_of(caller, key)

    posted = await administer(caller, "POST", KEYS, {"name": "a", **fields})
    patched = await administer(caller, "PATCH", f"{KEYS}/{key['id']}", fields, If_Match=etag)

    for reply in (posted, patched):
        error = assert_refused(reply, 400, "invalid_parameter", param)
        assert says in error["message"]
    assert await etag_of(caller, key) == etag
    assert len((await administer(caller, "GET")).json()["data"]) == 1


@pytest.mark.parametrize(
    ("data", "kind", "status", "code"),
    [
        (b"", "application/json", 400, "invalid_json"),
        (b"[]", "application/json", 400, "invalid_json"),
        (b'{"name": "a", "name": "b"}', "application/json", 400, "invalid_json"),
        (b'{"name": "a"', "application/json", 400, "invalid_json"),
        (b"\xff", "application/json", 400, "invalid_json"),
        (b'{"tags": [[[[[1]]]]]}', "application/json", 400, "invalid_json"),
        (b"{}", "application/json", 400, "invalid_parameter"),
        (b"name=a", "application/x-www-form-urlencoded", 415, "unsupported_media_type"),
        (b'{"name": "a"}', "text/plain", 415, "unsupported_media_type"),
    ],
)
async def test_a_body_that_is_no_key_is_refused(
    caller: Asker, data: bytes, kind: str, status: int, code: str
) -> None:
    headers = {"Authorization": f"Bearer {ADMINISTERED['admin']['secret']}", "Content-Type": kind}

    reply = await caller.ask("POST", KEYS, headers=headers, data=data, is_admin=True)

    assert_refused(reply, status, code)


@pytest.mark.parametrize("id_", ["key_000000000000", "key_%00", "x'OR'1'='1", "%F0%9F", "..%2f"])
async def test_a_key_that_is_not_there_is_said(caller: Asker, id_: str) -> None:
    await made(caller)
    path = f"{KEYS}/{id_}"

    for method, below in [("GET", ""), ("DELETE", ""), ("POST", "/rotate"), ("GET", "/limits")]:
        assert_refused(await administer(caller, method, path + below), 404, "not_found")
    patched = await administer(caller, "PATCH", path, {}, If_Match='"0000000000000000"')
    assert_refused(patched, 404, "not_found")


async def test_rotating_takes_no_fields(caller: Asker) -> None:
    key = await made(caller)

    reply = await administer(caller, "POST", f"{KEYS}/{key['id']}/rotate", {"overlap": 60})

    assert_refused(reply, 400, "invalid_parameter", "overlap")
    assert await status_of(caller, key["key"]) == 200


async def test_pages_follow_each_other_and_hold_each_key_once(caller: Asker) -> None:
    ids = [(await made(caller, name=f"k{number}"))["id"] for number in range(7)]
    found: list[str] = []
    page: Any = {"next": None}
    for _ in range(4):
        after = f"&after={page['next']}" if page["next"] else ""
        page = (await administer(caller, "GET", f"{KEYS}?limit=2{after}")).json()
        found += [key["id"] for key in page["data"]]

    assert found == ids
    assert page["next"] is None


async def test_a_list_is_filtered_by_owner_tag_and_plan(caller: Asker) -> None:
    await made(caller, name="a", owner="x", tags=["prod", "Ünï"], plan="team")
    await made(caller, name="b", owner="x", tags=["Prod", 'p"r'])
    await made(caller, name="c", owner="y", tags=["prod-2"], plan="team")
    gone = await made(caller, name="d", owner="x", tags=["prod"])
    await administer(caller, "DELETE", f"{KEYS}/{gone['id']}")

    async def names(query: str) -> str:
        page = (await administer(caller, "GET", f"{KEYS}?{query}")).json()
        return "".join(key["name"] for key in page["data"])

    assert await names("") == "abc"
    assert await names("owner=x") == "ab"
    assert await names("tag=prod") == "a"
    assert await names("tag=%C3%9Cn%C3%AF") == "a"
    assert await names("tag=p%22r") == "b"
    assert await names("tag=,") == ""
    assert await names("plan=team&owner=y") == "c"
    assert await names("tag=prod&revoked=true") == "ad"


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=x", "limit"),
        ("limit=%D9%A1", "limit"),
        ("limit=" + "9" * 4000, "limit"),
        ("revoked=1", "revoked"),
        ("after=key_000000000000", "after"),
        ("owner=a%00", "owner"),
        ("tag=a%0A", "tag"),
        ("ownr=a", "ownr"),
        ("owner=a&owner=b", "owner"),
    ],
)
async def test_a_query_that_cannot_be_meant_is_refused(
    caller: Asker, query: str, param: str
) -> None:
    reply = await administer(caller, "GET", f"{KEYS}?{query}")

    assert_refused(reply, 400, "invalid_parameter", param)


async def test_limits_are_told_live(caller: Asker, upstream: FakeUpstream) -> None:
    key = await made(caller, plan="team")
    path = f"{KEYS}/{key['id']}/limits"
    before = (await administer(caller, "GET", path)).json()
    release = asyncio.Event()
    upstream.will(stream("a", "b", hold=release))
    call = asyncio.ensure_future(
        caller.ask("GET", f"{GENERATE}&stream=true", headers=bearer(key["key"]))
    )
    await upstream.wait_requests(1)

    during = (await administer(caller, "GET", path)).json()
    release.set()
    answer = await call
    after = (await administer(caller, "GET", path)).json()

    assert (before["plan"], before["allows"]["requests"]) == ("team", "5000/hour")
    assert before["windows"][0]["resets_at"] is None
    (window,) = during["windows"]
    assert (window["used"], window["remaining"], window["period_s"]) == (1, 4999, 3600)
    assert window["resets_at"].endswith("Z")
    assert during["concurrent"] == {"limit": 50, "in_flight": 1}
    assert after["concurrent"]["in_flight"] == 0
    assert answer.headers["X-RateLimit-Remaining"] == "4999"
    assert after["windows"] == during["windows"]


@pytest.mark.parametrize("steps", [1, 4])
async def test_an_operator_who_leaves_midway_breaks_nothing_and_leaves_a_line(
    begin: Begin, capsys: pytest.CaptureFixture[str], steps: int
) -> None:
    caller = await begin(**ADMINISTERED)
    keys = [await made(caller) for _ in range(8)]
    port = caller.gateway.admin.port or 0
    for turns, key in enumerate(keys):
        head = f"DELETE {KEYS}/{key['id']} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer "
        async with knock_at(port) as wire:
            await wire.send(f"{head}{ADMINISTERED['admin']['secret']}\r\n\r\n".encode())
            for _ in range(turns * steps):
                await asyncio.sleep(0)

    await made(caller)
    page = (await administer(caller, "GET", f"{KEYS}?revoked=true")).json()

    revoked = {key["id"] for key in page["data"] if key["state"] == "revoked"}
    for key in keys:
        assert await status_of(caller, key["key"]) == (401 if key["id"] in revoked else 200)
    log = capsys.readouterr().err
    assert {key["id"] for key in keys if f"key {key['id']} revoked by" in log} == revoked

"""Section 5: `/admin` is off until there is a secret, and then for nobody but who has it."""

from contextlib import nullcontext

import pytest

from gateway.config.listeners import Admin, Server
from gateway.schema.failure import CallError
from gateway.web.access import admin_access
from tests.contract.administering import ADMINISTERED, KEYS, SECRET, SQLITE, administer, made
from tests.contract.asking import Asker, assert_refused, knock_at
from tests.contract.conftest import Begin

PATHS = [KEYS, "/admin", "/admin/nowhere", "/%61dmin/keys", f"{KEYS}/key_0123456789ab"]


@pytest.fixture
async def caller(begin: Begin) -> Asker:
    """Somebody who knows a gateway that can be administered."""
    return await begin(**ADMINISTERED)


@pytest.mark.parametrize("path", PATHS)
async def test_without_a_secret_admin_is_off_and_says_how_it_is_on(begin: Begin, path: str) -> None:
    caller = await begin(state={"url": SQLITE})

    reply = await administer(caller, "GET", path, secret="")

    assert "admin.secret" in assert_refused(reply, 403, "admin_off")["message"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["GET", "POST", "PATCH", "DELETE", "PUT"])
async def test_nothing_below_admin_opens_without_the_secret(
    caller: Asker, path: str, method: str
) -> None:
    key = (await made(caller))["key"]

    for secret in ("", "x", SECRET[:-1], SECRET + "x", SECRET.upper(), "ü" * 20, "x" * 9000, key):
        reply = await administer(caller, method, path, secret=secret)

        assert_refused(reply, 401, "invalid_api_key")
        assert reply.headers["WWW-Authenticate"].startswith("Bearer")
        assert SECRET not in reply.text


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": SECRET},
        {"Authorization": f"Basic {SECRET}"},
        {"x-api-key": SECRET},
        {"Cookie": f"secret={SECRET}"},
    ],
)
async def test_the_secret_is_taken_as_a_bearer_token_only(
    caller: Asker, headers: dict[str, str]
) -> None:
    reply = await caller.ask("GET", f"{KEYS}?api_key={SECRET}", headers=headers, is_admin=True)

    assert_refused(reply, 401, "key_required")


async def test_the_secret_opens_nothing_on_the_public_listener(caller: Asker) -> None:
    headers = {"Authorization": f"Bearer {SECRET}"}

    assert_refused(await caller.ask("GET", KEYS, headers=headers), 404, "not_found")


async def test_with_the_secret_what_is_not_there_is_said(caller: Asker) -> None:
    nowhere = await administer(caller, "GET", "/admin/nowhere")
    method = await administer(caller, "PUT", KEYS)

    assert_refused(nowhere, 404, "not_found")
    assert_refused(method, 405, "method_not_allowed")
    assert method.headers["Allow"] == "GET, HEAD, POST"


async def test_keys_in_memory_are_said_to_need_a_database(begin: Begin) -> None:
    caller = await begin(admin={"secret": SECRET})

    for method, path in [("GET", KEYS), ("POST", KEYS), ("DELETE", f"{KEYS}/key_0123456789ab")]:
        reply = await administer(caller, method, path, {"name": "a"})

        assert "state.url is memory://" in assert_refused(reply, 501, "no_database")["message"]


@pytest.mark.parametrize("path", [KEYS, "/metrics", "/health"])
async def test_the_admin_listener_has_no_name_that_somebody_else_could_own(
    begin: Begin, path: str
) -> None:
    # The public listener is open to the world: that opens the operator's to no foreign page.
    world = {"host": "0.0.0.0", "public_url": "https://ai.example.org", "cors": {"origins": ["*"]}}  # noqa: S104
    caller = await begin(**ADMINISTERED, server=world, auth={"mode": "open", "open_to": "world"})

    rebound = await administer(caller, "GET", path, Host="evil.example:8081")
    foreign = await administer(caller, "GET", path, Origin="https://evil.example")
    site = await administer(caller, "GET", path, Sec_Fetch_Site="cross-site")
    own = await administer(caller, "GET", path, Host="localhost:8081", Origin="http://localhost:1")

    assert_refused(rebound, 421, "wrong_host")
    assert_refused(foreign, 403, "origin_not_allowed")
    assert_refused(site, 403, "origin_not_allowed")
    assert own.status == 200
    for reply in (rebound, foreign, site, own):
        assert [name for name in reply.headers if name.startswith("Access-Control")] == []


@pytest.mark.parametrize(
    ("host", "is_ours"),
    [
        ("localhost:8081", True),
        ("10.1.2.3:8081", True),
        ("[2001:db8::1]:8081", True),
        ("gateway.internal", True),
        ("evil.example", False),
        ("10.1.2.3.evil.example", False),
        ("ai.example.org", False),
        ("", False),
    ],
)
def test_where_others_connect_an_address_or_a_configured_name_is_ours(
    host: str, is_ours: bool
) -> None:
    server = Server(public_url="https://ai.example.org", allowed_hosts=("gateway.internal",))
    access = admin_access(Admin(listen="0.0.0.0:8081"), server)

    with nullcontext() if is_ours else pytest.raises(CallError, match="this Host is not ours"):
        access.check({"Host": host})


async def test_a_body_is_bounded_before_it_is_read(caller: Asker) -> None:
    large = await administer(caller, "POST", KEYS, {"name": "x" * 20_000})
    head = (
        f"POST {KEYS} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {SECRET}\r\n"
        "Content-Type: application/json\r\nContent-Length: 99999999\r\n\r\n"
    )

    async with knock_at(caller.gateway.admin.port or 0) as wire:
        await wire.send(head.encode())
        announced = await wire.answer()

    assert_refused(large, 413, "too_large")
    assert announced.status == 413


@pytest.mark.parametrize("level", ["info", "error"])
async def test_each_change_is_one_line_with_who_and_what_and_no_key(
    begin: Begin, level: str, capsys: pytest.CaptureFixture[str]
) -> None:
    caller = await begin(**ADMINISTERED, logs={"level": level, "format": "json"})
    capsys.readouterr()

    key = await made(caller)
    read = await administer(caller, "GET", f"{KEYS}/{key['id']}")
    await administer(
        caller, "PATCH", f"{KEYS}/{key['id']}", {"owner": "x"}, If_Match=read.headers["ETag"]
    )
    new = (await administer(caller, "POST", f"{KEYS}/{key['id']}/rotate")).json()
    await administer(caller, "DELETE", f"{KEYS}/{key['id']}")
    await administer(caller, "DELETE", f"{KEYS}/key_000000000000")

    lines = [line for line in capsys.readouterr().err.splitlines() if "dynagate.admin" in line]
    assert len(lines) == 4
    for line, what in zip(lines, ["made", "changed (owner)", "rotated", "revoked"], strict=True):
        assert f"key {key['id']} {what} by 127.0.0.1" in line
        assert not any(text in line for text in (key["key"], new["key"], SECRET))

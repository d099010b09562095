"""Section 5: keys, and what pages of other origins may do."""

from urllib.parse import quote

import pytest

from gateway.state.keys import checksum
from gateway.testing.upstream import FakeUpstream
from tests.contract.asking import Asker, Reply, assert_refused, knock
from tests.contract.conftest import Begin

SECRET = "A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q7r8S9t0U1v"  # noqa: S105 - made up, and nobody's.
KEY = f"dg-{SECRET}{checksum(SECRET)}"
PLACES = ("authorization", "x-api-key", "api-key", "x-goog-api-key", "parameter")
ALLOWED_HEADERS = [
    "Authorization",
    "Content-Type",
    "Accept",
    "Last-Event-ID",
    "X-Request-Id",
    "X-Deadline-Ms",
    "Idempotency-Key",
    "If-None-Match",
    "x-api-key",
    "api-key",
    "anthropic-version",
    "anthropic-beta",
    "anthropic-dangerous-direct-browser-access",
    "OpenAI-Organization",
    "OpenAI-Project",
    "OpenAI-Beta",
]
EXPOSED_HEADERS = [
    "X-Request-Id",
    "X-Client-Request-Id",
    "X-RateLimit-Limit",
    "X-RateLimit-Remaining",
    "X-RateLimit-Reset",
    "x-ratelimit-limit-requests",
    "x-ratelimit-remaining-requests",
    "x-ratelimit-reset-requests",
    "Retry-After",
    "Allow",
    "X-Model",
    "X-Provider",
    "X-Seed",
    "X-Ignored-Params",
    "X-Dropped-Params",
]
GENERATE = "/api/generate_response?user_input=hi"


async def present(caller: Asker, secret: str, place: str) -> Reply:
    """Call with `secret` in one of the five places."""
    match place:
        case "authorization":
            return await caller.get(GENERATE, Authorization=f"Bearer {secret}")
        case "parameter":
            return await caller.get(f"{GENERATE}&api_key={quote(secret)}")
        case _:
            return await caller.ask("GET", GENERATE, headers={place: secret})


@pytest.mark.parametrize("place", PLACES)
async def test_a_string_of_our_keys_shape_that_we_do_not_know_is_401(
    caller: Asker, upstream: FakeUpstream, place: str
) -> None:
    reply = await present(caller, KEY, place)

    error = assert_refused(reply, 401, "invalid_api_key")
    assert KEY not in error["message"]
    assert KEY not in caller.gateway.lines()
    assert "X-RateLimit-Limit" not in reply.headers
    assert upstream.requests == []


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    "secret",
    [
        "Th3-C0der",
        "sk-anything",
        KEY[:-1],
        f"{KEY}0",
        KEY.replace("dg-", "DG-"),
        f"dg-{SECRET}000000",
        "dg-' OR 1=1 --",
    ],
)
async def test_any_other_string_is_the_anonymous_caller(
    caller: Asker, place: str, secret: str
) -> None:
    reply = await present(caller, secret, place)

    assert reply.status == 200
    assert reply.headers["X-RateLimit-Remaining"] == "99"


async def test_head_authenticates_like_get(caller: Asker) -> None:
    reply = await caller.ask("HEAD", GENERATE, headers={"x-api-key": KEY})

    assert (reply.status, reply.body) == (401, b"")


async def test_the_first_string_of_our_shape_counts(caller: Asker) -> None:
    headers = {"Authorization": "Bearer sk-anything", "x-api-key": "unused", "api-key": KEY}

    reply = await caller.ask("GET", f"{GENERATE}&api_key=also-unused", headers=headers)

    assert_refused(reply, 401, "invalid_api_key")


@pytest.mark.parametrize("place", ["body", "header"])
async def test_a_key_is_found_in_a_post_too(caller: Asker, place: str) -> None:
    document = {"user_input": "hi"} | ({"api_key": KEY} if place == "body" else {})
    headers = {"Authorization": f"bearer {KEY}"} if place == "header" else {}

    reply = await caller.post("/api/generate_response", document, **headers)

    assert_refused(reply, 401, "invalid_api_key")


async def test_an_openai_client_with_a_key_of_our_shape_is_401(caller: Asker) -> None:
    document = {"model": "openai", "messages": [{"role": "user", "content": "hi"}]}

    for fields in ({}, {"stream": True}):
        reply = await caller.post(
            "/v1/chat/completions", document | fields, Authorization=f"Bearer {KEY}"
        )
        assert_refused(reply, 401, "invalid_api_key")


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:80", "127.0.0.1:1", "[::1]", "[::1]:80"])
async def test_a_loopback_bind_answers_to_loopback_names(caller: Asker, host: str) -> None:
    assert (await caller.get("/v1/models", Host=host)).status == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8080",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "localhost:80@evil.example",
        "[::1].evil.example",
        "[::1",
        "",
    ],
)
@pytest.mark.parametrize("path", ["/v1/models", "/health", "/", "/nowhere", GENERATE])
async def test_a_loopback_bind_refuses_every_other_name(
    caller: Asker, host: str, path: str
) -> None:
    assert_refused(await caller.get(path, Host=host), 421, "wrong_host")


async def test_a_request_without_host_is_refused(caller: Asker) -> None:
    async with knock(caller.gateway) as wire:
        await wire.send(b"GET /v1/models HTTP/1.0\r\n\r\n")
        answer = await wire.rest()

    assert b" 421 " in answer.split(b"\r\n")[0]


async def test_names_that_the_operator_wrote_down_are_ours(begin: Begin) -> None:
    server = {"allowed_hosts": ["box.lan"], "public_url": "https://ai.example.org:8443/x"}
    caller = await begin(server=server)

    for host in ("box.lan", "Box.LAN:9000", "ai.example.org", "ai.example.org:8443"):
        assert (await caller.get("/v1/models", Host=host)).status == 200
    assert_refused(await caller.get("/v1/models", Host="box.lan.evil"), 421, "wrong_host")


async def test_pages_of_our_own_public_url_may_call(begin: Begin) -> None:
    caller = await begin(server={"public_url": "https://ai.example.org:8443/x"})

    answer = await caller.get("/v1/models", Origin="https://ai.example.org:8443")

    assert answer.status == 200
    refused = await caller.get("/v1/models", Origin="https://ai.example.org")
    assert_refused(refused, 403, "origin_not_allowed")


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "null",
        "http://localhost.evil.example",
        "http://localhost:1@evil.example",
        "http://[::1].evil.example",
        "http://[::1",
        "http://[",
        "file://localhost",
        "chrome-extension://localhost",
        "localhost",
        "",
        "https://b\u00fccher.example",
    ],
)
async def test_a_page_of_another_origin_may_not_call(
    caller: Asker, upstream: FakeUpstream, origin: str
) -> None:
    reply = await caller.get(GENERATE, Origin=origin)

    assert_refused(reply, 403, "origin_not_allowed")
    assert "Access-Control-Allow-Origin" not in reply.headers
    assert upstream.requests == []


@pytest.mark.parametrize(
    "origin", ["http://localhost:3000", "https://127.0.0.1", "http://[::1]:5173"]
)
async def test_a_loopback_page_may_call_and_read(caller: Asker, origin: str) -> None:
    good = await caller.get(GENERATE, Origin=origin)
    refused = await caller.get("/api/generate_response", Origin=origin)
    streamed = await caller.get(f"{GENERATE}&stream=true", Origin=origin)

    for reply in (good, refused, streamed):
        assert reply.headers["Access-Control-Allow-Origin"] == origin
        exposed = set(reply.headers["Access-Control-Expose-Headers"].lower().split(", "))
        assert {name.lower() for name in EXPOSED_HEADERS} <= exposed
        assert "Access-Control-Allow-Credentials" not in reply.headers


async def test_a_cross_site_request_without_an_origin_may_not_call(
    caller: Asker, upstream: FakeUpstream
) -> None:
    reply = await caller.get(GENERATE, Sec_Fetch_Site="cross-site")

    assert_refused(reply, 403, "origin_not_allowed")
    assert upstream.requests == []


@pytest.mark.parametrize("site", ["same-origin", "same-site", "none"])
async def test_what_is_not_cross_site_may_call(caller: Asker, site: str) -> None:
    assert (await caller.get(GENERATE, Sec_Fetch_Site=site)).status == 200


async def test_an_origin_that_the_operator_wrote_down_may_call(begin: Begin) -> None:
    caller = await begin(server={"cors": {"origins": ["https://app.example.org"]}})

    allowed = await caller.get(
        GENERATE, Origin="https://app.example.org", Sec_Fetch_Site="cross-site"
    )
    refused = await caller.get(GENERATE, Origin="http://app.example.org")

    assert allowed.headers["Access-Control-Allow-Origin"] == "https://app.example.org"
    assert_refused(refused, 403, "origin_not_allowed")


@pytest.mark.parametrize(
    ("referer", "status"),
    [
        ("https://app.example.org/", 200),
        ("https://app.example.org/gallery?of=https://evil.example/", 200),
        ("http://localhost:3000/", 200),
        ("http://app.example.org/", 403),
        ("https://app.example.org.evil.example/", 403),
        ("https://evil.example/https://app.example.org/", 403),
        ("https://app.example.org@evil.example/", 403),
        ("http://localhost@evil.example/", 403),
        ("app.example.org", 403),
        ("http://[", 403),
        ("null", 403),
        ("", 403),
    ],
)
async def test_a_picture_in_a_page_may_be_asked_for_as_its_page_may_call(
    begin: Begin, referer: str, status: int
) -> None:
    caller = await begin(server={"cors": {"origins": ["https://app.example.org"]}})

    reply = await caller.get(GENERATE, Sec_Fetch_Site="cross-site", Referer=referer)

    assert reply.status == status


async def test_a_referer_does_not_stand_for_an_origin_that_is_there(begin: Begin) -> None:
    caller = await begin(server={"cors": {"origins": ["https://app.example.org"]}})

    reply = await caller.get(
        GENERATE, Origin="https://evil.example", Referer="https://app.example.org/"
    )

    assert_refused(reply, 403, "origin_not_allowed")


async def test_with_a_star_any_page_may_call(begin: Begin) -> None:
    caller = await begin(server={"cors": {"origins": ["*"]}})

    reply = await caller.get(GENERATE, Origin="https://any.example", Sec_Fetch_Site="cross-site")
    bare = await caller.get(GENERATE, Sec_Fetch_Site="cross-site")

    assert (reply.status, bare.status) == (200, 200)
    assert reply.headers["Access-Control-Allow-Origin"] == "*"


async def test_a_public_bind_answers_to_every_name_but_not_to_every_page(begin: Begin) -> None:
    caller = await begin(
        server={"host": "0.0.0.0"},  # noqa: S104 - only its rules; the tests' socket is loopback.
        auth={"open_to": "world"},
    )
    path = f"{GENERATE}&model=chaotic"

    named = await caller.get(path, Host="ai.example.org")
    page = await caller.get(path, Host="ai.example.org", Origin="https://evil.example")
    linked = await caller.get(path, Host="ai.example.org", Sec_Fetch_Site="cross-site")

    assert named.status == 200
    assert_refused(page, 403, "origin_not_allowed")
    assert_refused(linked, 403, "origin_not_allowed")


async def test_on_a_public_bind_nobody_unknown_spends_the_operators_money(
    begin: Begin, upstream: FakeUpstream
) -> None:
    caller = await begin(
        server={"host": "0.0.0.0"},  # noqa: S104 - as above.
        auth={"open_to": "world"},
    )

    for reply in (await caller.get(GENERATE), await caller.chat(), await caller.chat(stream=True)):
        assert_refused(reply, 403, "model_not_allowed", "model")
    assert upstream.requests == []


async def test_a_preflight_names_what_may_be_sent_and_counts_nothing(
    caller: Asker, upstream: FakeUpstream
) -> None:
    asked = "authorization, x-stainless-os, X-Stainless-Retry-Count, x-evil, x-stainless-a b"
    headers = {
        "Origin": "http://localhost:3000",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": asked,
    }

    reply = await caller.ask("OPTIONS", "/v1/chat/completions", headers=headers)

    assert (reply.status, reply.body) == (204, b"")
    assert reply.headers["Access-Control-Allow-Origin"] == "http://localhost:3000"
    assert "POST" in reply.headers["Access-Control-Allow-Methods"]
    allowed = reply.headers["Access-Control-Allow-Headers"].split(", ")
    assert set(ALLOWED_HEADERS) <= set(allowed)
    assert allowed[-2:] == ["x-stainless-os", "X-Stainless-Retry-Count"]
    assert "X-RateLimit-Limit" not in reply.headers
    assert reply.headers["X-Request-Id"]
    assert upstream.requests == []


async def test_a_preflight_of_another_origin_is_told_nothing(caller: Asker) -> None:
    headers = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}

    reply = await caller.ask("OPTIONS", "/v1/chat/completions", headers=headers)

    assert [name for name in reply.headers if name.startswith("Access-Control")] == []


async def test_metrics_hold_to_the_same_rules(caller: Asker) -> None:
    for headers in ({"Host": "evil.example"}, {"Origin": "https://evil.example"}):
        reply = await caller.ask("GET", "/metrics", headers=headers, is_admin=True)

        assert reply.status in {403, 421}

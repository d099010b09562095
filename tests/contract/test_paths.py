"""Section 1: every path and alias for text, and what may stand in a URL."""

from urllib.parse import quote

import pytest

from gateway.testing.upstream import FakeUpstream, hang_before_head
from tests.contract.asking import Asker, assert_refused, knock, prompt_heard

OPENAI_ROOTS = ("/v1", "/openai", "/openai/v1", "/api/openai", "/api/openai/v1")
CHAT = {"model": "openai", "messages": [{"role": "user", "content": "hi"}]}
SCRIPTS = "Grüße, мир! 你好世界 こんにちは שלום नमस्ते 🙂 a&b=c#d%25?/+ "


@pytest.mark.parametrize(
    "path", ["/api/generate_response?user_input=hi", "/api/text/hi", "/text/hi"]
)
async def test_text_is_got_by_url(caller: Asker, upstream: FakeUpstream, path: str) -> None:
    reply = await caller.get(path)

    assert (reply.status, reply.text) == (200, "hello")
    assert prompt_heard(upstream) == "hi"


@pytest.mark.parametrize("path", ["/api/text/models", "/text/models"])
async def test_a_fixed_name_wins_over_the_prompt(caller: Asker, path: str) -> None:
    reply = await caller.get(path)

    assert "openai" in [card["name"] for card in reply.json()]


async def test_the_prompt_models_goes_through_generate_response(
    caller: Asker, upstream: FakeUpstream
) -> None:
    await caller.get("/api/generate_response?user_input=models")

    assert prompt_heard(upstream) == "models"


@pytest.mark.parametrize(
    "path",
    [
        "/api/openai",
        "/openai",
        *(f"{root}/chat/completions" for root in OPENAI_ROOTS),
    ],
)
async def test_chat_completions_answer_at_every_alias(caller: Asker, path: str) -> None:
    reply = await caller.post(path, CHAT)

    assert reply.status == 200
    assert reply.json()["choices"][0]["message"]["content"] == "hello"


@pytest.mark.parametrize("root", OPENAI_ROOTS)
async def test_completions_answer_at_every_alias(caller: Asker, root: str) -> None:
    reply = await caller.post(f"{root}/completions", {"model": "openai", "prompt": "hi"})

    assert reply.status == 200
    assert reply.json()["choices"][0]["text"] == "hello"


@pytest.mark.parametrize("root", OPENAI_ROOTS)
async def test_models_are_listed_at_every_alias(caller: Asker, root: str) -> None:
    listed = await caller.get(f"{root}/models")
    one = await caller.get(f"{root}/models/openai")

    assert "openai" in [model["id"] for model in listed.json()["data"]]
    assert one.json()["id"] == "openai"


@pytest.mark.parametrize(
    "path", ["/health", "/healthz", "/health/liveness", "/health/readiness", "/readyz"]
)
async def test_probes_ask_for_no_key_and_count_nothing(
    caller: Asker, upstream: FakeUpstream, path: str
) -> None:
    reply = await caller.get(path, Authorization=f"Bearer dg-{'a' * 49}")

    assert reply.status == 200
    assert "X-RateLimit-Limit" not in reply.headers
    assert upstream.requests == []


@pytest.mark.parametrize(
    ("path", "media_type"),
    [
        ("/", "text/html"),
        ("/openapi.json", "application/json"),
        ("/llms.txt", "text/plain"),
        ("/robots.txt", "text/plain"),
    ],
)
async def test_pages_say_what_this_is(caller: Asker, path: str, media_type: str) -> None:
    reply = await caller.get(path)

    assert reply.status == 200
    assert reply.headers["Content-Type"].startswith(media_type)


async def test_crawlers_are_kept_off_everything_that_generates(caller: Asker) -> None:
    robots = (await caller.get("/robots.txt")).text

    roots = ("/api/", "/text/", "/image/", "/prompt/", "/v1/", "/openai", "/anthropic/")
    assert [root for root in roots if f"Disallow: {root}\n" not in robots] == []


@pytest.mark.parametrize("path", ["/metrics", "/admin", "/admin/reload", "/nowhere"])
async def test_the_operators_paths_are_not_there(caller: Asker, path: str) -> None:
    assert_refused(await caller.get(path), 404, "not_found")


async def test_metrics_are_read_on_the_admin_listener_without_cors(caller: Asker) -> None:
    origin = {"Origin": "http://localhost:3000"}

    reply = await caller.ask("GET", "/metrics", headers=origin, is_admin=True)
    preflight = await caller.ask(
        "OPTIONS",
        "/metrics",
        headers={**origin, "Access-Control-Request-Method": "GET"},
        is_admin=True,
    )

    assert reply.status == 200
    assert "dynagate_calls" in reply.text
    for answer in (reply, preflight):
        assert [name for name in answer.headers if name.startswith("Access-Control")] == []


@pytest.mark.parametrize(
    ("raw", "prompt"),
    [
        ("a/b//c/", "a/b//c/"),
        ("a%2Fb%2f", "a/b/"),
        ("1+1=2", "1+1=2"),
        ("100%", "100%"),
        ("100%25%zz", "100%%zz"),
        ("what%3F%23", "what?#"),
        ("../../etc/passwd", "../../etc/passwd"),
        ("%2e%2e/%2e%2e/etc", "../../etc"),
        ("a%0D%0AX-Evil:%201", "a\r\nX-Evil: 1"),
        ("a/text/b", "a/text/b"),
        ("models/", "models/"),
    ],
)
@pytest.mark.parametrize("root", ["/api/text/", "/text/"])
async def test_a_prompt_in_a_path_arrives_letter_for_letter(
    caller: Asker, upstream: FakeUpstream, root: str, raw: str, prompt: str
) -> None:
    reply = await caller.get(root + raw)

    assert reply.status == 200
    assert prompt_heard(upstream) == prompt
    assert "X-Evil" not in reply.headers


async def test_a_prompt_begins_behind_the_root_however_that_is_written(
    caller: Asker, upstream: FakeUpstream
) -> None:
    reply = await caller.get("/api/%74ext/first/text/second")

    assert reply.status == 200
    assert prompt_heard(upstream) == "first/text/second"


async def test_a_plus_in_a_query_is_a_space(caller: Asker, upstream: FakeUpstream) -> None:
    await caller.get("/api/generate_response?user_input=1+%2B+1")

    assert prompt_heard(upstream) == "1 + 1"


@pytest.mark.parametrize("place", ["/api/text/{}", "/api/generate_response?user_input={}"])
async def test_six_thousand_characters_of_several_scripts_fit_into_a_url(
    caller: Asker, upstream: FakeUpstream, place: str
) -> None:
    prompt = (SCRIPTS * 200)[:6000]

    reply = await caller.get(place.format(quote(prompt, safe="")))

    assert reply.status == 200
    assert prompt_heard(upstream) == prompt


@pytest.mark.parametrize(
    ("path", "param"),
    [
        ("/api/text/%FF", "user_input"),
        ("/api/text/a%00b", "user_input"),
        ("/text/%C3%28", "user_input"),
        ("/api/generate_response?user_input=%FF", "user_input"),
        ("/api/generate_response?user_input=%00", "user_input"),
        ("/api/generate_response?user_input=hi&system=%ED%A0%80", "system"),
        ("/api/generate_response?user_input=hi&model=a%00", "model"),
        ("/api/generate_response?user_input=hi&utm=%FF", "utm"),
    ],
)
async def test_bytes_that_are_no_text_are_refused_by_name(
    caller: Asker, upstream: FakeUpstream, path: str, param: str
) -> None:
    assert_refused(await caller.get(path), 400, "invalid_parameter", param)

    assert upstream.requests == []


@pytest.mark.parametrize(
    ("path", "media_type"),
    [
        ("/api/generate_response?user_input=hi", "text/plain; charset=utf-8"),
        ("/api/text/hi?json=true", "application/json"),
        ("/text/hi?stream=true", "text/event-stream; charset=utf-8"),
    ],
)
async def test_head_tells_what_it_can_without_generating_or_counting(
    caller: Asker, upstream: FakeUpstream, path: str, media_type: str
) -> None:
    reply = await caller.ask("HEAD", path)
    counted = await caller.get("/text/hi")

    assert (reply.status, reply.body) == (200, b"")
    assert reply.headers["Content-Type"] == media_type
    assert reply.headers["X-Request-Id"]
    assert "X-RateLimit-Remaining" not in reply.headers
    assert counted.headers["X-RateLimit-Remaining"] == "99"
    assert len(upstream.requests) == 1


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/generate_response", 400),
        ("/api/generate_response?user_input=hi&temperature=9", 400),
        ("/api/generate_response?user_input=hi&model=nobody", 404),
        ("/v1/chat/completions", 405),
    ],
)
async def test_head_parses_like_get(caller: Asker, path: str, status: int) -> None:
    reply = await caller.ask("HEAD", path)

    assert (reply.status, reply.body) == (status, b"")


@pytest.mark.parametrize(
    "header", [{"Sec-Purpose": "prefetch"}, {"Sec-Purpose": "prefetch;prerender"}]
)
@pytest.mark.parametrize("path", ["/api/generate_response?user_input=hi", "/text/hi"])
async def test_a_prefetch_generates_nothing(
    caller: Asker, upstream: FakeUpstream, path: str, header: dict[str, str]
) -> None:
    assert_refused(await caller.ask("GET", path, headers=header), 503, "unavailable")

    assert upstream.requests == []


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("PUT", "/api/generate_response", {"GET", "HEAD", "POST"}),
        ("POST", "/api/text/hi", {"GET", "HEAD"}),
        ("DELETE", "/api/text/models", {"GET", "HEAD"}),
        ("GET", "/v1/chat/completions", {"POST"}),
        ("GET", "/openai", {"POST"}),
        ("POST", "/v1/models", {"GET", "HEAD"}),
        ("POST", "/health", {"GET", "HEAD"}),
    ],
)
async def test_a_wrong_method_is_told_the_right_ones(
    caller: Asker, method: str, path: str, allow: set[str]
) -> None:
    reply = await caller.ask(method, path)

    assert_refused(reply, 405, "method_not_allowed")
    assert set(reply.headers["Allow"].split(", ")) == allow


async def test_a_request_line_has_room_for_128_kib_and_no_more(caller: Asker) -> None:
    # "GET " and " HTTP/1.1" belong to the line; the parser counts the target alone.
    fits = "/api/generate_response?user_input=" + "a" * (128 * 1024 - 100)
    too_long = "/api/generate_response?user_input=" + "a" * (128 * 1024)

    assert (await caller.get(fits)).status == 200
    refused = await caller.get(too_long)

    assert refused.status == 414
    assert refused.json()["error"]["code"] == "uri_too_long"


async def test_a_header_has_room_for_16_kib_and_no_more(caller: Asker) -> None:
    fits = await caller.get("/text/hi", X_Long="a" * (16 * 1024 - 100))
    refused = await caller.get("/text/hi", X_Long="a" * (16 * 1024 + 100))

    assert fits.status == 200
    assert refused.status == 431
    assert refused.json()["error"]["code"] == "headers_too_large"


async def test_half_a_close_counts_as_gone(caller: Asker, upstream: FakeUpstream) -> None:
    upstream.will(hang_before_head())
    async with knock(caller.gateway) as raw:
        await raw.send(b"GET /text/hi HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await upstream.wait_requests()

        raw.half_close()

        await upstream.wait_closed()
        assert await raw.rest() == b""

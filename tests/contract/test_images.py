"""Sections 2 and 3: pictures by URL, drawn by the painter of this machine."""

import io
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
from PIL import Image

from gateway.state.keys import checksum
from gateway.testing.clock import ManualClock
from tests.contract.asking import Asker, Reply, assert_refused
from tests.contract.conftest import Begin

PAINTS = {"targets": [{"provider": "here", "model": "painter"}]}
FORMATS = {
    "image/jpeg": "JPEG",
    "image/png": "PNG",
    "image/webp": "WEBP",
    "image/avif": "AVIF",
}
DAY = "public, max-age=86400"


async def painter(begin: Begin, **sections: object) -> Asker:
    """Start a gateway whose `flux` is the painter."""
    models = {"flux": PAINTS, "kontext": PAINTS}
    provider = {"here": {"kind": "local"}}
    return await begin(models=models, more=provider, **sections)


@pytest.fixture
async def caller(begin: Begin) -> Asker:
    """Somebody who calls a gateway that paints."""
    return await painter(begin)


def opened(answer: Reply) -> Image.Image:
    """Return the picture that was answered; check that it is what it says."""
    assert answer.status == 200, answer.body[:300]
    image = Image.open(io.BytesIO(answer.body))
    assert image.format == FORMATS[answer.headers["Content-Type"]]
    image.load()
    return image


def path_of(answer: Reply, caller: Asker) -> str:
    """Return the path and query of an `image_url`; check that it is ours."""
    assert answer.status == 200, answer.body[:300]
    assert answer.headers["Content-Type"] == "application/json"
    url = answer.json()["image_url"]
    assert url.startswith(f"{caller.gateway.url}/image/")
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}"


@pytest.mark.parametrize("root", ["/api/image", "/image", "/prompt"])
async def test_a_path_is_drawn_at_the_size_asked_for(caller: Asker, root: str) -> None:
    answer = await caller.get(f"{root}/A%20serene%20lake?width=321&height=200&seed=5")

    assert opened(answer).size == (321, 200)
    assert answer.headers["Content-Type"] == "image/jpeg"
    assert answer.headers["Content-Disposition"] == 'inline; filename="a-serene-lake.jpg"'
    assert answer.headers["X-Seed"] == "5"
    assert answer.headers["Cache-Control"] == DAY
    assert answer.headers["X-Model"] == "flux"
    assert answer.headers["X-Provider"] == "here"
    assert answer.headers["X-RateLimit-Remaining"] == "99"


async def test_the_published_size_is_the_default(caller: Asker) -> None:
    assert opened(await caller.get("/image/sea")).size == (768, 768)


async def test_the_same_url_means_the_same_bytes_and_another_seed_others(caller: Asker) -> None:
    path = "/image/A%20forest?width=128&height=128"

    first, again, other = [await caller.get(f"{path}&seed={seed}") for seed in (7, 7, 8)]

    assert first.body == again.body
    assert first.headers["ETag"] == again.headers["ETag"] != other.headers["ETag"]
    assert first.body != other.body


async def test_a_seed_that_is_left_open_is_told_and_draws_the_same_again(caller: Asker) -> None:
    path = "/image/A%20forest?width=96&height=96"

    first = await caller.get(f"{path}&seed=-1")
    again = await caller.get(f"{path}&seed={first.headers['X-Seed']}")

    assert first.headers["Cache-Control"] == "private, no-store"
    assert first.body == again.body


@pytest.mark.parametrize("media_type", FORMATS)
async def test_accept_picks_the_format(caller: Asker, media_type: str) -> None:
    answer = await caller.get("/image/sea?width=64&height=64&seed=1", Accept=media_type)

    assert answer.headers["Content-Type"] == media_type
    assert opened(answer).size == (64, 64)
    ending = FORMATS[media_type].lower().replace("jpeg", "jpg")
    assert answer.headers["Content-Disposition"].endswith(f'.{ending}"')


async def test_a_mark_is_on_it_unless_there_is_to_be_none(caller: Asker) -> None:
    path = "/image/sea?width=512&height=512&seed=3"
    png = {"Accept": "image/png"}

    usual, mine, script, bare, private = [
        opened(await caller.get(path + more, **png)).convert("RGB")
        for more in ("", "&wm=mine", f"&wm={quote('世界 مرحبا')}", "&nologo=true", "&private=true")
    ]

    assert bare.tobytes() == private.tobytes()
    corners = {image.crop((256, 480, 512, 512)).tobytes() for image in (usual, mine, script, bare)}
    assert len(corners) == 4
    tops = {image.crop((0, 0, 512, 480)).tobytes() for image in (usual, mine, script, bare)}
    assert len(tops) == 1


async def test_the_file_says_how_it_was_made_unless_it_is_private(caller: Asker) -> None:
    path = "/image/A%20red%20boat?width=64&height=64&seed=3"

    said = opened(await caller.get(path, Accept="image/png")).info
    private = opened(await caller.get(f"{path}&private=true", Accept="image/png")).info

    assert said["Prompt"] == "A red boat"
    assert said["Seed"] == "3"
    assert "painter" in said["Software"]
    assert "A red boat" not in str(private)


async def test_an_unchanged_picture_is_not_drawn_again(caller: Asker) -> None:
    path = "/image/sea?width=64&height=64&seed=3"
    tag = (await caller.get(path)).headers["ETag"]

    answer = await caller.get(path, If_None_Match=f'"other", W/{tag}')
    other = await caller.get(path, If_None_Match='"other"')

    assert (answer.status, answer.body) == (304, b"")
    assert answer.headers["ETag"] == tag
    assert answer.headers["Cache-Control"] == DAY
    assert "X-RateLimit-Limit" not in answer.headers
    assert other.status == 200
    assert other.headers["X-RateLimit-Remaining"] == "98"


async def test_nothing_is_said_of_a_picture_to_a_wrong_key(caller: Asker) -> None:
    path = "/image/sea?width=64&height=64&seed=3"
    tag = (await caller.get(path)).headers["ETag"]
    wrong = "dg-" + "0" * 43 + checksum("0" * 43)

    answer = await caller.get(path, If_None_Match=tag, Authorization=f"Bearer {wrong}")

    assert_refused(answer, 401, "invalid_api_key")


async def test_head_draws_and_counts_nothing(caller: Asker) -> None:
    answer = await caller.ask("HEAD", "/image/sea?width=64&height=64&seed=3")
    drawn = await caller.get("/image/sea?width=64&height=64&seed=3")

    assert (answer.status, answer.body) == (200, b"")
    for name in ("Content-Type", "Content-Disposition", "X-Seed", "ETag", "Cache-Control"):
        assert answer.headers[name] == drawn.headers[name]
    assert drawn.headers["X-RateLimit-Remaining"] == "99"


async def test_generate_image_says_where_the_picture_is_and_opening_it_is_free(
    caller: Asker,
) -> None:
    asked = "/api/generate_image?user_input=A%20serene%20lake&width=200&nologo=true&api_key=mine"

    answer = await caller.get(asked)
    path = path_of(answer, caller)
    shown = await caller.get(path)

    seed = answer.headers["X-Seed"]
    assert path == f"/image/A%20serene%20lake?width=200&nologo=true&seed={seed}"
    assert answer.headers["X-RateLimit-Remaining"] == "99"
    assert opened(shown).size == (200, 768)
    assert "X-RateLimit-Limit" not in shown.headers
    assert shown.headers["X-Seed"] == seed
    assert shown.headers["Cache-Control"] == DAY


async def test_a_stored_picture_is_shown_as_the_caller_takes_it(caller: Asker) -> None:
    asked = "/api/generate_image?user_input=lake&width=64&height=64"
    path = path_of(await caller.get(asked), caller)

    png = await caller.get(path, Accept="image/png")
    jpeg = await caller.get(path, Accept="image/avif,image/webp,*/*")
    tag = jpeg.headers["ETag"]
    known = await caller.get(path, Accept="image/avif,image/webp,*/*", If_None_Match=tag)

    assert opened(png).format == "PNG"
    assert opened(jpeg).format == "JPEG"
    assert known.status == 304


async def test_once_forgotten_the_same_picture_is_drawn_and_counted(
    begin: Begin, tmp_path: Path
) -> None:
    caller = await painter(begin, feeds={"enabled": False})  # They would store it, too.
    answer = await caller.get("/api/generate_image?user_input=lake&width=64&height=64")
    path = path_of(answer, caller)
    stored = await caller.get(path)
    for file in (tmp_path / "state" / "dynagate" / "pictures").iterdir():
        file.unlink()

    anew = await caller.get(path)

    assert anew.body == stored.body
    assert anew.headers["X-RateLimit-Remaining"] == "98"


@pytest.mark.parametrize("accept", ["image/*", "image/png, */*;q=0.1", "image/webp,*/*"])
async def test_generate_image_gives_the_bytes_where_a_picture_is_named_first(
    caller: Asker, accept: str
) -> None:
    path = "/api/generate_image?user_input=lake&width=64&height=64"

    assert opened(await caller.get(path, Accept=accept)).size == (64, 64)
    assert path_of(await caller.get(f"{path}&response=json", Accept=accept), caller)
    assert opened(await caller.get(f"{path}&response=image", Accept="*/*")).size == (64, 64)


@pytest.mark.parametrize("given", ["private=true", "user_input=models", "user_input=../x"])
async def test_some_pictures_have_a_url_that_only_reads(begin: Begin, given: str) -> None:
    clock = ManualClock()
    caller = await painter(begin, clock=clock)
    small = "width=64&height=64"

    asked = f"/api/generate_image?user_input=lake&{given}&{small}"
    path = path_of(await caller.get(asked), caller)
    shown = await caller.get(path)
    changed = await caller.get(path.replace("exp=", "exp=1"))
    clock.advance(24 * 3600 + 1)
    late = await caller.get(path)

    assert path.startswith("/image/-?id=")
    assert "lake" not in path
    assert opened(shown).size == (64, 64)
    assert shown.headers["Cache-Control"] == "private, no-store"
    assert "X-RateLimit-Limit" not in shown.headers
    assert_refused(changed, 404, "not_found")
    assert_refused(late, 410, "expired")


@pytest.mark.parametrize("kind", ["json", "form"])
async def test_post_takes_the_same_names(caller: Asker, kind: str) -> None:
    given = {"user_input": "lake", "width": 100, "height": 64, "response": "image"}
    if kind == "json":
        answer = await caller.post("/api/generate_image?width=64", given)
    else:
        text = "&".join(f"{name}={value}" for name, value in given.items())
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = await caller.ask("POST", "/api/generate_image", data=text, headers=form)

    assert opened(answer).size == (100, 64)
    assert answer.headers["Cache-Control"] == "private, no-store"


@pytest.mark.parametrize(
    ("given", "param"),
    [
        ("width=63", "width"),
        ("height=2049", "height"),
        ("width=abc", "width"),
        ("seed=1.5", "seed"),
        ("nologo=perhaps", "nologo"),
        ("wm=" + "x" * 65, "wm"),
        ("response=url", "response"),
        ("image=ftp://a/b.png", "image"),
        ("image=data:image/png;base64,AAAA", "image"),
        ("image=data:image/png,AAAA", "image"),
        ("image=data:text/html;base64,PGh0bWw+", "image"),
    ],
)
async def test_bad_parameters_are_named_and_count_nothing_drawn(
    caller: Asker, given: str, param: str
) -> None:
    for path in ("/api/generate_image?user_input=lake&", "/image/lake?"):
        assert_refused(await caller.get(path + given), 400, "invalid_parameter", param)


async def test_what_is_not_understood_is_ignored_and_named(caller: Asker) -> None:
    answer = await caller.get("/image/sea?width=64&height=64&enhance=true&utm=1")

    assert answer.headers["X-Ignored-Params"] == "enhance, utm"


async def test_a_prompt_is_needed(caller: Asker) -> None:
    answer = await caller.get("/api/generate_image?user_input=%20")

    assert_refused(answer, 400, "missing_parameter", "user_input")


async def test_a_model_that_does_not_draw_says_so(caller: Asker) -> None:
    answer = await caller.get("/image/sea?model=chaotic")
    unknown = await caller.get("/image/sea?model=fluxx")

    assert_refused(answer, 400, "unsupported_feature", "model")
    assert "flux" in assert_refused(unknown, 404, "model_not_found", "model")["message"]


@pytest.mark.parametrize(
    ("server", "headers", "base"),
    [
        ({"public_url": "https://ai.example.org/dg/"}, {}, "https://ai.example.org/dg"),
        (
            {"trusted_proxies": ["127.0.0.0/8"]},
            {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil.example, ai.example.org"},
            "https://ai.example.org",
        ),
        ({"trusted_proxies": ["127.0.0.0/8"]}, {"X-Forwarded-Host": 'a"b'}, "http://localhost"),
        (
            {},
            {"X-Forwarded-Host": "evil.example", "Host": "localhost:1234"},
            "http://localhost:1234",
        ),
        ({}, {"Host": "[::1]:1234"}, "http://[::1]:1234"),
    ],
)
async def test_the_url_begins_where_callers_reach_us(
    begin: Begin, server: dict[str, object], headers: dict[str, str], base: str
) -> None:
    caller = await painter(begin, server=server)

    path = "/api/generate_image?user_input=lake&width=64&height=64"
    answer = await caller.ask("GET", path, headers=headers)

    assert answer.json()["image_url"].startswith(f"{base}/image/lake?")

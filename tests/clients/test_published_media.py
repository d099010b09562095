"""Every picture, sound and vision command of the published API, run by curl as it stands there."""

import asyncio
import base64
import json
import re
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from io import BytesIO
from pathlib import Path

import av
import pytest
from PIL import Image

from gateway.testing.upstream import FakeUpstream, body, reply
from tests.clients.curl import Answer, run_curl
from tests.running import Running, run_gateway

HOST, ELSEWHERE = "https://dynaspark.onrender.com", "https://example.com"
PAGE = (Path(__file__).parent / "published_media.txt").read_text("utf-8")
COMMANDS = re.findall(r"(?ms)^# ([^:\n]+): ([^\n]+)\n(curl .+?)(?=\n\n|\n?\Z)", PAGE)

CONFIG = """
egress: {{allow: ["{place}"]}}
providers:
  here: {{kind: local}}
  up: {{kind: openai, settings: {{base_url: "{url}/v1"}}}}
models:
  openai: {{targets: [{{provider: up, model: sees}}]}}
  flux: {{targets: [{{provider: here, model: painter}}]}}
  turbo: {{targets: [{{provider: here, model: painter}}]}}
  kontext: {{targets: [{{provider: here, model: painter}}]}}
  openai-audio: {{targets: [{{provider: here, model: speech}}]}}
"""

Curl = Callable[[str], Awaitable[Answer]]
pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")


def photo() -> bytes:
    """Return a JPEG."""
    out = BytesIO()
    Image.radial_gradient("L").resize((400, 300)).convert("RGB").save(out, "JPEG")
    return out.getvalue()


@pytest.fixture
async def gateway(upstream: FakeUpstream, tmp_path: Path) -> AsyncIterator[Running]:
    """A gateway with the names that the page uses, and a picture on a web server."""
    upstream.file = body(photo(), content_type="image/jpeg")
    upstream.default = reply("A gradient.")
    place = upstream.url.removeprefix("http://")
    text = CONFIG.format(place=place, url=upstream.url)
    async with run_gateway(text, tmp_path) as running:
        yield running


@pytest.fixture
def curl(gateway: Running, upstream: FakeUpstream, tmp_path: Path) -> Curl:
    """Runs a published command against the gateway."""

    async def run(command: str) -> Answer:
        assert HOST in command
        here = command.replace(HOST, gateway.url).replace(ELSEWHERE, f"{upstream.url}/files")
        return await asyncio.to_thread(run_curl, here, tmp_path)

    return run


def commands(kind: str) -> list[object]:
    """Return the commands whose heading begins with `kind`, with the rest of it."""
    return [
        pytest.param(command, said.removeprefix(kind).split(), id=title)
        for said, title, command in COMMANDS
        if said.split()[0] == kind
    ]


def test_every_command_of_the_file_is_read_and_run() -> None:
    kinds = [said.split()[0] for said, _, _ in COMMANDS]

    assert len(COMMANDS) == len(re.findall(r"^curl ", PAGE, re.MULTILINE)) == 10
    assert set(kinds) == {"address", "picture", "sound", "vision"}


@pytest.mark.parametrize(("command", "rest"), commands("address"))
async def test_an_address_leads_to_the_picture_and_accept_gives_its_bytes(
    curl: Curl, gateway: Running, tmp_path: Path, command: str, rest: list[str]
) -> None:
    answer = await curl(command)
    said = (tmp_path / rest[0]).read_bytes() if rest else answer.body
    url = json.loads(said)["image_url"]
    shown = await asyncio.to_thread(run_curl, f'curl "{url}" --output shown.jpg', tmp_path)
    await curl(f'{command} --output direct.jpg -H "Accept: image/*"'.replace(*_moved(rest)))

    assert (answer.status, shown.status) == (200, 200)
    assert url.startswith(f"{gateway.url}/image/")
    size = rest[1] if rest else "1024x768"
    for name in ("shown.jpg", "direct.jpg"):
        assert _jpeg(tmp_path / name) == size
    _check_shared(answer)


@pytest.mark.parametrize(("command", "rest"), commands("picture"))
async def test_a_picture_is_saved_as_its_name_says(
    curl: Curl, tmp_path: Path, command: str, rest: list[str]
) -> None:
    answer = await curl(command)

    assert answer.headers["Content-Type"] == "image/jpeg"
    assert _jpeg(tmp_path / rest[0]) == rest[1]
    _check_shared(answer)


@pytest.mark.parametrize(("command", "rest"), commands("sound"))
async def test_a_sound_is_saved_as_its_name_says(
    curl: Curl, tmp_path: Path, command: str, rest: list[str]
) -> None:
    answer = await curl(command)

    assert answer.headers["Content-Type"] == "audio/mpeg"
    with av.open(str(tmp_path / rest[0]), "r") as file:
        assert file.streams.audio[0].codec_context.name.startswith("mp3")
        assert sum(frame.samples for frame in file.decode(audio=0)) > 5000
    _check_shared(answer)


@pytest.mark.parametrize(("command", "rest"), commands("vision"))
async def test_a_picture_is_seen(
    curl: Curl, upstream: FakeUpstream, command: str, rest: list[str]
) -> None:
    answer = await curl(command)

    document = json.loads(answer.body)
    assert document["choices"][0]["message"]["content"] == "A gradient."
    sent = upstream.requests[-1].document["messages"][0]["content"][1]["image_url"]["url"]
    assert sent == f"data:image/jpeg;base64,{base64.b64encode(photo()).decode()}"
    _check_shared(answer)


def _moved(rest: list[str]) -> tuple[str, str]:
    """Return what takes the command's own file out of it."""
    return (f" --output {rest[0]}", "") if rest else ("", "")


def _jpeg(path: Path) -> str:
    with Image.open(path) as image:
        assert image.format == "JPEG"
        image.load()
        return f"{image.width}x{image.height}"


def _check_shared(answer: Answer) -> None:
    """Check what every counted answer carries."""
    assert answer.status == 200
    assert answer.headers["X-RateLimit-Limit"] == "100"
    assert answer.headers["X-RateLimit-Remaining"] == "99"
    assert answer.headers["X-Request-Id"]

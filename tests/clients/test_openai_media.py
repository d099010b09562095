"""OpenAI's client asks for vectors, judgements and sound; a scripted host answers."""

import base64
import struct
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path

import openai
import orjson
import pytest
from aiohttp import ClientSession, FormData
from openai import AsyncOpenAI
from PIL import Image

from gateway.testing.upstream import FakeUpstream, body, reset, status
from tests.running import Running, run_gateway

CONFIG = """
logs: {{format: json}}
providers:
  up: {{kind: openai, settings: {{base_url: "{url}/v1", api_key: sk-canary-upstream}}}}
models:
  openai: {{targets: [{{provider: up, model: gpt-x}}]}}
  text-embedding-3-small: {{targets: [{{provider: up, model: embed-x}}]}}
  flux: {{targets: [{{provider: up, model: flux-x}}]}}
  tts-1: {{targets: [{{provider: up, model: tts-x}}], aliases: [tts-1-hd]}}
  whisper-1: {{targets: [{{provider: up, model: whisper-x}}]}}
  omni-moderation-latest: {{targets: [{{provider: up, model: moderation-x}}]}}
"""
VERBOSE = {
    "task": "transcribe",
    "language": "english",
    "duration": 2.5,
    "text": "Hello there. General.",
    "segments": [
        {"id": 0, "start": 0.0, "end": 1.25, "text": " Hello there.", "avg_logprob": -0.25},
        {"id": 1, "start": 1.25, "end": 3661.5, "text": " General --> x."},
    ],
    "words": [{"word": "Hello", "start": 0.0, "end": 0.5}],
}

SRT = """1
00:00:00,000 --> 00:00:01,250
Hello there.

2
00:00:01,250 --> 01:01:01,500
General -> x.

"""
VTT = """WEBVTT

00:00:00.000 --> 00:00:01.250
Hello there.

00:00:01.250 --> 01:01:01.500
General -> x.

"""


@pytest.fixture
async def gateway(upstream: FakeUpstream, tmp_path: Path) -> AsyncIterator[Running]:
    """A gateway in front of a host that is asked for everything."""
    async with run_gateway(CONFIG.format(url=upstream.url), tmp_path) as running:
        yield running


@pytest.fixture
async def client(gateway: Running) -> AsyncIterator[AsyncOpenAI]:
    """OpenAI's own client, which tries once."""
    async with AsyncOpenAI(
        base_url=f"{gateway.url}/v1", api_key="any", max_retries=0, timeout=10
    ) as running:
        yield running


def vectors(*rows: object) -> bytes:
    data = [{"index": index, "embedding": row} for index, row in reversed(list(enumerate(rows)))]
    return orjson.dumps({"data": data, "model": "embed-x", "usage": {"prompt_tokens": 5}})


async def test_vectors_pass_as_the_host_sends_them(
    client: AsyncOpenAI, upstream: FakeUpstream
) -> None:
    packed = base64.b64encode(struct.pack("<3f", 0.25, -1, 2)).decode()
    upstream.will(body(vectors([1.0, 0.5, 0], packed)))

    answer = await client.embeddings.create(
        model="text-embedding-3-small",
        input=["one", "two"],
        encoding_format="float",
        dimensions=3,
        user="somebody",
        extra_body={"input_type": "query"},
    )

    assert [(row.index, row.embedding) for row in answer.data] == [(1, packed), (0, [1.0, 0.5, 0])]
    assert (answer.model, answer.usage.prompt_tokens) == ("embed-x", 5)
    asked = upstream.requests[0].document
    assert asked == {
        "model": "embed-x",
        "input": ["one", "two"],
        "encoding_format": "float",
        "dimensions": 3,
        "user": "somebody",
        "input_type": "query",
    }


@pytest.mark.parametrize(("tokens", "count"), [([1, 2, 3], 1), ([[1, 2], [3]], 2)])
async def test_token_arrays_pass_to_a_host_that_takes_the_format(
    client: AsyncOpenAI, upstream: FakeUpstream, tokens: list[int], count: int
) -> None:
    upstream.will(body(vectors(*[[1.0]] * count)))

    answer = await client.embeddings.create(model="text-embedding-3-small", input=tokens)

    assert len(answer.data) == count
    assert upstream.requests[0].document["input"] == tokens


async def test_a_reply_of_megabytes_passes_unparsed_and_its_usage_is_counted(
    client: AsyncOpenAI, upstream: FakeUpstream, gateway: Running
) -> None:
    numbers = [number / 7 for number in range(1536)]
    sent = orjson.dumps(
        {
            "object": "list",
            "data": [{"object": "embedding", "index": n, "embedding": numbers} for n in range(64)],
            "model": "embed-x",
            "usage": {"prompt_tokens": 77, "total_tokens": 77},
        },
        option=orjson.OPT_INDENT_2,  # No other way to write it says these bytes.
    )
    upstream.will(body(sent))

    async with (
        ClientSession() as session,
        session.post(
            f"{gateway.url}/v1/embeddings",
            json={"model": "text-embedding-3-small", "input": ["x"] * 64},
        ) as answer,
    ):
        body_came = await answer.read()

    assert len(sent) > 1024 * 1024
    assert body_came == sent
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Transfer-Encoding"] == "chunked"
    assert '"input_tokens":77' in gateway.lines()


@pytest.mark.parametrize(
    ("given", "param"),
    [
        ({"input": []}, "input"),
        ({"input": ["a", ""]}, r"input\[1\]"),
        ({"input": 5}, "input"),
        ({"input": [[1, "a"]]}, "input"),
        ({"input": [[]]}, "input"),
        ({"input": [-1]}, "input"),
        ({"input": [True]}, "input"),
        ({"input": None}, "input"),
        ({"input": "a", "dimensions": 0}, "dimensions"),
        ({"input": "a", "encoding_format": "hex"}, "encoding_format"),
        ({"input": ["a"] * 2049}, "input"),
    ],
)
async def test_what_cannot_be_embedded_is_refused_by_name(
    client: AsyncOpenAI, given: dict[str, object], param: str
) -> None:
    with pytest.raises(openai.BadRequestError, match=param):
        await client.post(
            "/embeddings", body={"model": "text-embedding-3-small", **given}, cast_to=object
        )


@pytest.mark.parametrize(
    "strange",
    [b"{}", vectors([1.0]), vectors("%%%", "x"), vectors(None, None), b'{"error": {"message": 1}}'],
)
async def test_a_strange_answer_is_the_hosts_fault(
    client: AsyncOpenAI, upstream: FakeUpstream, strange: bytes
) -> None:
    upstream.will(body(strange))

    with pytest.raises(openai.InternalServerError) as raised:
        await client.embeddings.create(model="text-embedding-3-small", input=["a", "b"])

    assert (raised.value.status_code, raised.value.code) == (502, "upstream_failed")


async def test_a_chat_model_embeds_nothing(client: AsyncOpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="embedding") as raised:
        await client.embeddings.create(model="openai", input="a")

    assert raised.value.code == "unsupported_feature"


def picture(kind: str, size: tuple[int, int]) -> bytes:
    data = BytesIO()
    Image.new("RGB", size, "teal").save(data, kind)
    return data.getvalue()


async def test_pictures_are_drawn(client: AsyncOpenAI, upstream: FakeUpstream) -> None:
    png = picture("PNG", (512, 512))
    row = {"b64_json": base64.b64encode(png).decode(), "revised_prompt": "a cat, as it is"}
    upstream.will(body(orjson.dumps({"created": 1, "data": [row, row]})))

    answer = await client.images.generate(
        model="flux", prompt="a cat", n=2, size="512x512", response_format="b64_json"
    )

    assert answer.data is not None
    assert [base64.b64decode(image.b64_json or "") for image in answer.data] == [png, png]
    assert answer.data[0].revised_prompt == "a cat, as it is"
    asked = upstream.requests[0].document
    assert (asked["model"], asked["size"], asked["n"]) == ("flux-x", "512x512", 2)
    assert asked["response_format"] == "b64_json"


async def test_pictures_are_as_large_and_of_the_type_asked_for_whoever_draws(
    client: AsyncOpenAI, upstream: FakeUpstream
) -> None:
    row = {"b64_json": base64.b64encode(picture("WEBP", (60, 40))).decode()}
    upstream.will(body(orjson.dumps({"created": 1, "data": [row]})))

    answer = await client.images.generate(
        model="flux",
        prompt="a cat",
        size="128x64",
        output_format="jpeg",
        response_format="b64_json",
    )

    made = Image.open(BytesIO(base64.b64decode((answer.data or [])[0].b64_json or "")))
    assert (made.format, made.size) == ("JPEG", (128, 64))


async def test_a_picture_that_cannot_be_read_is_the_hosts_fault(
    client: AsyncOpenAI, upstream: FakeUpstream
) -> None:
    row = {"b64_json": base64.b64encode(b"<html>no credit left</html>").decode()}
    upstream.will(body(orjson.dumps({"created": 1, "data": [row]})))

    with pytest.raises(openai.InternalServerError) as refused:
        await client.images.generate(model="flux", prompt="a cat")

    assert refused.value.status_code == 502
    assert "could not be read" in refused.value.message


@pytest.mark.parametrize(
    ("given", "param"),
    [
        ({"size": "63x64"}, "size"),
        ({"size": "64x2049"}, "size"),
        ({"size": "big"}, "size"),
        ({"size": 5}, "size"),
        ({"n": 11}, "n"),
        ({"prompt": " "}, "prompt"),
        ({"prompt": None}, "prompt"),
        ({"output_format": "gif"}, "output_format"),
        ({"response_format": "file"}, "response_format"),
    ],
)
async def test_pictures_that_cannot_be_are_refused_by_name(
    client: AsyncOpenAI, given: dict[str, object], param: str
) -> None:
    with pytest.raises(openai.BadRequestError) as raised:
        await client.post("/images/generations", body={"prompt": "a", **given}, cast_to=object)

    assert raised.value.param == param


@pytest.mark.parametrize("strange", [b"{}", b'{"data": []}', b'{"data": [{"b64_json": "%"}]}'])
async def test_an_answer_without_pictures_is_the_hosts_fault(
    client: AsyncOpenAI, upstream: FakeUpstream, strange: bytes
) -> None:
    upstream.will(body(strange))

    with pytest.raises(openai.InternalServerError):
        await client.images.generate(model="flux", prompt="a cat")


async def test_models_that_draw_are_listed_by_name(gateway: Running) -> None:
    async with ClientSession() as session:
        names = await session.get(f"{gateway.url}/api/image/models")
        cards = await session.get(f"{gateway.url}/image/models?detail=true")

        assert await names.json() == ["flux"]
        assert [card["name"] for card in await cards.json()] == ["flux"]


async def test_texts_are_judged(client: AsyncOpenAI, upstream: FakeUpstream) -> None:
    scores = {"hate": 0.9, "violence": 0.1}
    result = {"categories": {"hate": True, "violence": False}, "category_scores": scores}
    upstream.will(body(orjson.dumps({"results": [result]})))

    answer = await client.moderations.create(input="words")

    assert answer.results[0].flagged
    assert (answer.results[0].categories.hate, answer.results[0].categories.violence) == (
        True,
        False,
    )
    assert answer.results[0].category_scores.hate == 0.9
    assert upstream.requests[0].document == {"model": "moderation-x", "input": ["words"]}


async def test_text_is_read_aloud_as_it_comes(client: AsyncOpenAI, upstream: FakeUpstream) -> None:
    sound = bytes(range(256)) * 500
    upstream.will(body(sound, content_type="audio/flac"))

    async with client.audio.speech.with_streaming_response.create(
        model="tts-1", input="Hello", voice="nova", response_format="flac", speed=1.5
    ) as answer:
        heard = b"".join([piece async for piece in answer.iter_bytes()])

    assert heard == sound
    assert answer.headers["content-type"] == "audio/flac"
    assert answer.headers["x-ratelimit-remaining"] == "99"
    asked = upstream.requests[0].document
    assert (asked["voice"], asked["speed"], asked["response_format"]) == ("nova", 1.5, "flac")


async def test_speech_that_breaks_off_is_cut_and_not_ended(
    gateway: Running, upstream: FakeUpstream
) -> None:
    upstream.will(reset(after=1))

    async with ClientSession() as session:
        asked = {"model": "tts-1", "input": "Hello", "stream": True}
        answer = await session.post(f"{gateway.url}/v1/audio/speech", json=asked)
        with pytest.raises(Exception, match=r"(?i)closed|payload|reset"):
            await answer.read()

    assert answer.status == 200


@pytest.mark.parametrize(
    ("given", "param"),
    [
        ({"speed": 0.1}, "speed"),
        ({"response_format": "ogg"}, "response_format"),
        ({"input": " "}, "input"),
        ({"input": None}, "input"),
        ({"input": "a" * 100_001}, "input"),
        ({"voice": 5}, "voice"),
    ],
)
async def test_speech_that_cannot_be_is_refused_by_name(
    client: AsyncOpenAI, given: dict[str, object], param: str
) -> None:
    with pytest.raises(openai.BadRequestError) as raised:
        await client.post(
            "/audio/speech", body={"model": "tts-1", "input": "a", **given}, cast_to=object
        )

    assert raised.value.param == param


async def test_speech_that_the_host_refuses_is_a_proper_error(
    client: AsyncOpenAI, upstream: FakeUpstream
) -> None:
    upstream.will(status(400, "voice is not one of alloy"))

    with pytest.raises(openai.BadRequestError, match="voice is not one"):
        await client.audio.speech.create(model="tts-1", input="a", voice="nobody")


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ("json", None),
        ("text", "Hello there. General.\n"),
        ("srt", SRT),
        ("vtt", VTT),
    ],
)
async def test_speech_is_written_down_in_every_format(
    client: AsyncOpenAI, upstream: FakeUpstream, form: str, said: str | None
) -> None:
    upstream.will(body(orjson.dumps(VERBOSE)))

    answer = await client.audio.transcriptions.create(
        model="whisper-1",
        file=("../../a b.wav", b"RIFF" + bytes(2_000_000)),
        response_format=form,  # type: ignore[call-overload]  # One of its names.
    )

    assert (answer.text if said is None else answer) == (said or "Hello there. General.")
    sent = upstream.requests[0].body
    assert b'name="model"\r\n\r\nwhisper-x\r\n' in sent
    assert b'filename="....ab.wav"' in sent
    assert bytes(2_000_000) in sent


async def test_words_and_segments_have_their_times(
    client: AsyncOpenAI, upstream: FakeUpstream
) -> None:
    upstream.will(body(orjson.dumps(VERBOSE)))

    answer = await client.audio.transcriptions.create(
        model="whisper-1",
        file=("a.wav", b"RIFF"),
        response_format="verbose_json",
        timestamp_granularities=["word", "segment"],
        language="en",
        temperature=0.5,
    )

    assert answer.words is not None
    assert answer.segments is not None
    assert (answer.words[0].word, answer.words[0].end) == ("Hello", 0.5)
    assert (answer.segments[0].avg_logprob, answer.duration) == (-0.25, 2.5)
    assert b'name="timestamp_granularities[]"\r\n\r\nword' in upstream.requests[0].body


async def test_a_translation_is_asked_for_as_one(gateway: Running, upstream: FakeUpstream) -> None:
    upstream.will(body(orjson.dumps(VERBOSE)))

    # Not by the SDK: it calls its own method deprecated.
    async with (
        ClientSession() as session,
        session.post(
            f"{gateway.url}/v1/audio/translations", data=form_of(file=b"RIFF", model="whisper-1")
        ) as answer,
    ):
        said = orjson.loads(await answer.read())

    assert said == {"text": "Hello there. General."}
    assert upstream.requests[0].path == "/v1/audio/translations"


def form_of(**parts: object) -> FormData:
    form = FormData(default_to_multipart=True)
    for name, value in parts.items():
        is_file = isinstance(value, bytes)
        given = BytesIO(value) if isinstance(value, bytes) else value
        form.add_field(name.replace("__", "[]"), given, filename="a" if is_file else None)
    return form


@pytest.mark.parametrize(
    ("parts", "code", "param"),
    [
        ({"model": "whisper-1"}, "missing_parameter", "file"),
        ({"file": b"x"}, "missing_parameter", "model"),
        (
            {"file": b"x", "model": "whisper-1", "temperature": "2"},
            "invalid_parameter",
            "temperature",
        ),
        (
            {"file": b"x", "model": "whisper-1", "response_format": "x"},
            "invalid_parameter",
            "response_format",
        ),
        (
            {"file": b"x", "model": "whisper-1", "timestamp_granularities__": "x"},
            "invalid_parameter",
            "timestamp_granularities",
        ),
        ({"file": b"x", "model": b"\xff"}, "invalid_parameter", "model"),
        ({"file": b"x", "model": "m" * 70_000}, "too_large", "model"),
    ],
)
async def test_a_form_that_is_wrong_is_refused_by_name(
    gateway: Running, parts: dict[str, object], code: str, param: str
) -> None:
    async with (
        ClientSession() as session,
        session.post(f"{gateway.url}/v1/audio/transcriptions", data=form_of(**parts)) as answer,
    ):
        error = orjson.loads(await answer.read())["error"]

    assert (error["code"], error["param"]) == (code, param)


@pytest.mark.parametrize(
    ("content_type", "data", "status_code"),
    [
        ("application/json", b"{}", 415),
        ("multipart/form-data", b"x", 400),
        ("multipart/form-data; boundary=b", b"--b\r\n\r\nx", 400),
        ("multipart/form-data; boundary=b", b"garbage", 400),
    ],
)
async def test_what_is_no_form_is_refused(
    gateway: Running, content_type: str, data: bytes, status_code: int
) -> None:
    async with (
        ClientSession() as session,
        session.post(
            f"{gateway.url}/v1/audio/transcriptions",
            data=data,
            headers={"Content-Type": content_type},
        ) as answer,
    ):
        error = orjson.loads(await answer.read())["error"]

    assert answer.status == status_code
    assert error["type"] == "invalid_request_error"

"""A picture's parameters, what they mean, and the URL that says them again."""

from typing import Any

import pytest

from gateway.dialects.dynaspark_image import ImageQuery, parse_image, picture_path
from gateway.dialects.query import decode_path, parse_query
from gateway.schema.ask import Ask, Feature
from gateway.schema.failure import CallError
from gateway.schema.images import ImageEditRequest, ImageRequest

SEED = 1234


def parsed(**given: Any) -> tuple[Ask, ImageQuery]:
    return parse_image(
        {"user_input": "a cat", **given},
        default_model="flux",
        random_seed=SEED,
        mark="dynagate",
        media_type="image/jpeg",
    )


def test_a_prompt_alone_gets_the_published_defaults() -> None:
    ask, query = parsed()

    request = ask.meaning()
    assert request == ImageRequest("flux", "a cat", 768, 768, seed=SEED)
    assert ask.finishing is not None
    assert ask.finishing.watermark == "dynagate"
    assert (ask.finishing.width, ask.finishing.height) == (768, 768)
    assert not query.has_seed


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("width", "63"),
        ("width", "2049"),
        ("height", "63"),
        ("height", 2049),
        ("width", "7.5"),
        ("width", 768.0),
        ("height", ""),
        ("seed", "x"),
        ("seed", 2**63),
        ("nologo", "maybe"),
        ("private", "2"),
        ("wm", "w" * 65),
        ("wm", "a\0b"),
        ("response", "url"),
        ("referrer", "r" * 257),
        ("image", "ftp://host/a.png"),
        ("image", "/etc/passwd"),
        ("image", "file:///etc/passwd"),
        ("image", "https://a/1.png|data:image/png;base64,AAAA"),
        ("image", "|".join(f"https://a/{n}.png" for n in range(5))),
        ("image", 5),
    ],
)
def test_what_is_out_of_range_is_named(name: str, value: object) -> None:
    with pytest.raises(CallError) as refused:
        parsed(**{name: value})

    assert refused.value.status == 400
    assert refused.value.param == name
    assert name in refused.value.message


@pytest.mark.parametrize("blank", [None, "", "  \n"])
def test_a_blank_prompt_is_missing(blank: str | None) -> None:
    with pytest.raises(CallError) as refused:
        parsed(user_input=blank)

    assert refused.value.code == "missing_parameter"
    assert "generate_image" in refused.value.message


@pytest.mark.parametrize(
    ("given", "mark"),
    [
        ({}, "dynagate"),
        ({"wm": "Größe 世界"}, "Größe 世界"),
        ({"wm": "  "}, "dynagate"),
        ({"nologo": "true"}, None),
        ({"nologo": "true", "wm": "mine"}, None),
        ({"private": ""}, None),
    ],
)
def test_the_mark_is_the_callers_unless_there_is_none(
    given: dict[str, str], mark: str | None
) -> None:
    assert parsed(**given)[1].mark == mark


@pytest.mark.parametrize(
    ("image", "links"),
    [
        ("https://a/1.png", ("https://a/1.png",)),
        ("https://a/1.png|http://b/2.png", ("https://a/1.png", "http://b/2.png")),
        ("https://a/1.png , https://b/2.png", ("https://a/1.png", "https://b/2.png")),
        ("https://a/w_1,h_2/x.png", ("https://a/w_1,h_2/x.png",)),
        ("data:image/png;base64,AA,AA|B", ("data:image/png;base64,AA,AA|B",)),
        ("HTTPS://A/1.png", ("HTTPS://A/1.png",)),
    ],
)
def test_sources_are_urls_or_one_data_url(image: str, links: tuple[str, ...]) -> None:
    ask, query = parsed(image=image)

    assert query.links == links
    assert ask.needs == {Feature.IMAGE_EDIT}
    assert list(ask.links) == list(links)
    request = ask.meaning()
    assert isinstance(request, ImageEditRequest)
    assert request.links == links


@pytest.mark.parametrize(
    "prompt",
    [
        "A serene mountain landscape",
        "cats & dogs/100% #1? +=;",
        "Größe, 世界, \u202eabc",
        "line\nbreak\ttab",
        "/leading/and/trailing/",
        "a//b",
        "...",
        "%2e%2e",
    ],
)
def test_the_url_says_the_prompt_again(prompt: str) -> None:
    _, query = parsed(user_input=prompt, width="1024", nologo=True, api_key="secret", referrer="me")

    path = picture_path(query)

    assert path is not None
    said, _, rest = path.removeprefix("/image/").partition("?")
    assert "/" not in said
    assert decode_path(said) == prompt
    assert parse_query(rest) == {"width": "1024", "nologo": "true", "seed": str(SEED)}
    assert parsed(**parse_query(rest), user_input=prompt)[1].identity == query.identity


@pytest.mark.parametrize(
    "given",
    [
        {"user_input": "models"},
        {"user_input": "feed"},
        {"user_input": "-"},
        {"user_input": ".."},
        {"user_input": "a/../b"},
        {"user_input": "x" * 5000},
        {"private": "true"},
        {"image": "data:image/png;base64,AAAA"},
    ],
)
def test_some_pictures_have_no_such_url(given: dict[str, str]) -> None:
    assert picture_path(parsed(**given)[1]) is None


@pytest.mark.parametrize(
    ("prompt", "name"),
    [
        ("A cute cat, playing!", "a-cute-cat-playing"),
        ("Größe", "groe"),
        ("世界", "picture"),
        ('"; rm -rf /\r\nSet-Cookie: a=b', "rm-rf-set-cookie-a-b"),
        ("a" * 100_000, "a" * 48),
    ],
)
def test_a_file_is_named_after_the_prompt(prompt: str, name: str) -> None:
    assert parsed(user_input=prompt)[1].filename == name


def test_the_file_says_how_it_was_made_unless_it_is_private() -> None:
    said = parsed(seed="7", image="https://secret.example/a.png")[1].metadata()

    assert said is not None
    assert said["Prompt"] == "a cat"
    assert said["Seed"] == "7"
    assert "secret.example" not in str(said)
    assert parsed(private="true")[1].metadata() is None

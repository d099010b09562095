"""What `kind: sdwebui` takes for settings, and how it measures pictures."""

from io import BytesIO

import pytest
from PIL import Image
from pydantic import ValidationError

from gateway_sdwebui.measure import size_of
from gateway_sdwebui.settings import WebuiSettings


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"base_url": "127.0.0.1:7860"}, "http or https"),
        ({"base_url": "http://ada:pw@x"}, "username and password"),
        ({"username": "ada"}, "or neither"),
        ({"password": "x"}, "or neither"),
        ({"username": "a:b", "password": "x"}, "no colon"),
        ({"width": 512}, "or neither"),
        ({"width": 512, "height": 4096}, "2048"),
        ({"steps": 0}, "greater than"),
        ({"denoising_strength": 1.1}, "less than"),
        ({"batch_size": 9}, "less than"),
        ({"sampler": "Euler"}, "Extra inputs"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings: dict[str, object], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        WebuiSettings.model_validate(settings)


def test_the_address_may_be_that_of_the_api() -> None:
    settings = WebuiSettings(base_url="http://x:1/sd/sdapi/v1/")

    assert settings.base_url == "http://x:1/sd"


def test_the_password_stays_here_in_either_form() -> None:
    settings = WebuiSettings.model_validate({"username": "ada", "password": "canary"})

    assert settings.secrets() == ["canary", "YWRhOmNhbmFyeQ=="]
    assert "canary" not in repr(settings)
    assert settings.missing() is None
    assert WebuiSettings().secrets() == []
    assert WebuiSettings().credentials() is None


def test_an_empty_password_is_missed() -> None:
    settings = WebuiSettings.model_validate({"username": "ada", "password": ""})

    assert settings.missing() == "its password is empty"
    assert settings.secrets() == []


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("PNG", {}),
        ("JPEG", {}),
        ("JPEG", {"progressive": True, "comment": b"x" * 500}),
        ("GIF", {}),
        ("BMP", {}),
        ("WEBP", {}),
        ("WEBP", {"lossless": True}),
    ],
)
def test_a_picture_is_measured_without_being_decoded(kind: str, options: dict[str, object]) -> None:
    stored = BytesIO()
    Image.new("RGB", (301, 77)).save(stored, kind, **options)

    assert size_of(stored.getvalue()) == (301, 77)


@pytest.mark.parametrize(
    "data",
    [
        b"RIFF\x00\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00\x10\x00\x00\x00\x2c\x01\x00\x4c\x00\x00",
        b"\xff\xd8\xff\xff\xc0\x00\x11\x08\x00\x4d\x01\x2d\x03",
    ],
    ids=["extended WebP", "JPEG with a fill byte"],
)
def test_rarer_heads_are_read_as_well(data: bytes) -> None:
    assert size_of(data) == (301, 77)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xd8\xff",
        b"\x89PNG\r\n\x1a\n",
        b"RIFF0000WEBPVP9 ",
        b"BM",
        b"\xff\xd8AB",
        b"hello",
    ],
)
def test_what_is_no_picture_has_no_size(data: bytes) -> None:
    assert size_of(data) is None

"""What `Accept` means for pictures."""

import pytest

from gateway.dialects.accept import picture_type, prefers_picture


@pytest.mark.parametrize(
    ("accept", "sent"),
    [
        ("", "image/jpeg"),
        ("*/*", "image/jpeg"),
        ("image/*", "image/jpeg"),
        ("image/avif,image/webp,image/apng,*/*;q=0.8", "image/jpeg"),
        ("image/png", "image/png"),
        ("image/webp", "image/webp"),
        ("image/avif", "image/avif"),
        ("IMAGE/PNG", "image/png"),
        ("image/png;q=0.4, image/webp;q=0.9", "image/webp"),
        ("image/png;q=0.4, image/jpeg;q=0.1", "image/jpeg"),
        ("image/jpeg;q=0, image/*", "image/png"),
        ("image/jpeg;q=0, image/png;q=0, image/*", "image/webp"),
        ("text/html", "image/jpeg"),
        ("image/tiff", "image/jpeg"),
        ("image/png;q=nonsense", "image/png"),
        (",,;;q==,/", "image/jpeg"),
        ("image/png," * 100_000, "image/png"),
    ],
)
def test_a_picture_is_sent_as_jpeg_whenever_it_may_be(accept: str, sent: str) -> None:
    assert picture_type(accept) == sent


@pytest.mark.parametrize(
    ("accept", "is_picture"),
    [
        ("", False),
        ("*/*", False),
        ("application/json", False),
        ("application/json, image/*", False),
        ("image/*", True),
        ("image/png, application/json", True),
        ("application/json;q=0.5, image/webp", True),
        ("image/avif,image/webp,image/png,*/*;q=0.8", True),
        ("text/html,application/xhtml+xml,image/avif,*/*;q=0.8", False),
        ("image/png;q=0", False),
    ],
)
def test_bytes_are_wanted_where_a_picture_is_named_first(accept: str, is_picture: bool) -> None:
    assert prefers_picture(accept) is is_picture

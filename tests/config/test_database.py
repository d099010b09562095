"""The database of `state.url`: what is said of it, and what never is."""

from pathlib import Path

import pytest

from gateway.config.database import PostgresPlace, place_of
from gateway.config.load import load

REST = """
providers: {c: {kind: chaos}}
models: {m: {targets: [{provider: c, model: echo}]}}
"""


@pytest.mark.parametrize(
    ("url", "shown", "secrets"),
    [
        ("postgresql://u:s3cret@h/db", "postgresql://h/db", ("s3cret",)),
        ("postgresql://u:s%40cret@h:5433/db", "postgresql://h:5433/db", ("s@cret", "s%40cret")),
        ("postgresql://u@h1,h2:5433/db?sslmode=require", "postgresql://h1,h2:5433/db", ()),
        ("postgresql://u:s3cret@[::1]/db", "postgresql://[::1]/db", ("s3cret",)),
        ("postgresql:///db?host=/run/pg&user=u", "postgresql:///db?host=/run/pg", ()),
        ("postgresql://h/db?password=a%2Bb&user=u", "postgresql://h/db", ("a+b", "a%2Bb")),
        ("postgresql://h/db?sslpassword=s3cret", "postgresql://h/db", ("s3cret",)),
    ],
)
def test_a_server_is_told_without_its_user_and_its_secrets(
    tmp_path: Path, url: str, shown: str, secrets: tuple[str, ...]
) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(f'state: {{url: "{url}"}}{REST}')

    loaded = load(file, {})

    place = place_of(loaded.document.state.url, {})
    assert isinstance(place, PostgresPlace)
    assert str(place) == shown
    assert loaded.secrets == secrets
    for secret in secrets:
        assert secret not in repr(place) + repr(loaded.document)

"""`state.valkey`: what may be written, and that nothing of its password is repeated."""

from pathlib import Path

import pytest

from gateway.config.load import Loaded, load
from gateway.config.problems import ConfigError
from gateway.config.valkey import valkey_place

REST = "providers: {c: {kind: chaos}}\nmodels: {m: {targets: [{provider: c, model: echo}]}}\n"
SECRET = "p%40ss-canary"  # noqa: S105 - of nothing.


def loaded(url: str, folder: Path, environ: dict[str, str] | None = None) -> Loaded:
    """Load a file whose `state.valkey` is `url`."""
    path = folder / "config.yaml"
    path.write_text(f'state: {{valkey: "{url}"}}\n{REST}')
    return load(path, environ or {})


@pytest.mark.parametrize(
    "url",
    [
        "redis://localhost",
        "valkey://127.0.0.1:6380/3",
        "rediss://user:pass@[::1]:6379/0?ssl_ca_certs=/etc/ca.pem",
        "valkeys://:pass@host",
        "unix:///run/valkey.sock",
        "unix://:pass@/run/valkey.sock?db=2",
    ],
)
def test_every_way_to_write_it_is_understood(url: str, tmp_path: Path) -> None:
    secret = loaded(url, tmp_path).document.state.valkey

    assert secret is not None
    assert secret.get_secret_value() == url


def test_an_empty_one_is_none(tmp_path: Path) -> None:
    assert loaded("${VALKEY_URL:-}", tmp_path).document.state.valkey is None


@pytest.mark.parametrize(
    "url",
    [
        f"http://u:{SECRET}@host",
        f"redis://u:{SECRET}@",
        f"redis://u:{SECRET}@host:port",
        f"redis://u:{SECRET}@host:0",
        f"redis://u:{SECRET}@host:99999",
        f"redis://u:{SECRET}@host/name",
        f"redis://u:{SECRET}@x@host",
        f"redis://u:{SECRET}/x@host",
        f"redis://u:{SECRET} @host",
        f"redis://u:{SECRET}@host/0?password={SECRET}",
        f"redis://u:{SECRET}@host/0?socket_timeout=9",
        f"redis://u:{SECRET}@host/0#{SECRET}",
        f"redis://u:{SECRET}@[host",
        f"unix://:{SECRET}@host/run/valkey.sock",
        f"unix://:{SECRET}@",
        SECRET,
    ],
)
def test_what_cannot_be_meant_is_refused_without_being_repeated(url: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(url, tmp_path)

    assert "state.valkey" in str(caught.value)
    assert "canary" not in str(caught.value)


def test_the_password_is_a_secret_as_it_is_and_as_it_is_written(tmp_path: Path) -> None:
    url = f"redis://u:{SECRET}@host:6379/0"

    found = loaded(url, tmp_path)

    assert {"p@ss-canary", SECRET} <= set(found.secrets)
    assert "canary" not in repr(found.document)
    assert "canary" not in found.document.model_dump_json()
    assert valkey_place(url) == "redis://host:6379/0"

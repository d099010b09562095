"""What is known of OpenAI-compatible hosts, as rows of data."""

import tomllib
from collections.abc import Mapping
from importlib.resources import files
from typing import Literal

from pydantic import BaseModel, ConfigDict, TypeAdapter

UsageStyle = Literal["stream_options", "always", "none"]


class Host(BaseModel):
    """One row of `hosts.toml`; the columns are explained there."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    base_url: str
    usage: UsageStyle = "stream_options"
    max_tokens_field: str = "max_tokens"
    needs_key: bool = True
    routes_itself: bool | None = None
    prices_of: str | None = None


def hosts() -> Mapping[str, Host]:
    """Return the rows by name."""
    rows = tomllib.loads(files("gateway_openai").joinpath("hosts.toml").read_text("utf-8"))
    return TypeAdapter(dict[str, Host]).validate_python(rows)

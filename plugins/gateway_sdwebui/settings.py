"""The `settings:` of a provider whose `kind:` is `sdwebui`."""

import base64
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

_Side = Annotated[int, Field(ge=64, le=2048)]
_Strength = Annotated[float, Field(ge=0, le=1)]
_Name = Annotated[str, Field(min_length=1, max_length=200)]


class WebuiSettings(BaseModel):
    """Where the webui is (started with `--api`), and how it draws.

    None leaves a knob to the webui. `username` and `password` are those of its `--api-auth`.
    `denoising_strength` is how far an edit may go from its picture, `variation_strength` the same
    for a variation. `batch_size` is how many pictures the GPU may draw at once. `deterministic`
    says that the same seed gives the same picture, which samplers on GPUs do not promise.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    base_url: str = "http://127.0.0.1:7860"
    username: str | None = None
    password: SecretStr | None = None
    steps: Annotated[int, Field(ge=1, le=150)] = 20
    cfg_scale: Annotated[float, Field(ge=1, le=30)] | None = None
    sampler_name: _Name | None = None
    scheduler: _Name | None = None
    negative_prompt: Annotated[str, Field(max_length=10_000)] = ""
    denoising_strength: _Strength = 0.75
    variation_strength: _Strength = 0.4
    width: _Side | None = None
    height: _Side | None = None
    batch_size: Annotated[int, Field(ge=1, le=8)] = 1
    deterministic: bool | None = None

    @field_validator("base_url")
    @classmethod
    def _base_url(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query:
            msg = "write an http or https URL such as http://127.0.0.1:7860"
            raise ValueError(msg)
        if parts.username or parts.password:
            msg = "write the credentials as username and password, not into the URL"
            raise ValueError(msg)
        return value.rstrip("/").removesuffix("/sdapi/v1")

    @model_validator(mode="after")
    def _pairs(self) -> Self:
        if (self.username is None) != (self.password is None):
            msg = "give username and password, or neither"
            raise ValueError(msg)
        if (self.width is None) != (self.height is None):
            msg = "give width and height, or neither"
            raise ValueError(msg)
        if self.username is not None and ":" in self.username:
            msg = "a username has no colon in HTTP's basic authentication"
            raise ValueError(msg)
        return self

    def missing(self) -> str | None:
        """Return why this provider cannot work yet: its password is empty."""
        if self.password is not None and not self.password.get_secret_value():
            return "its password is empty"
        return None

    def secrets(self) -> list[str]:
        """Return the values that must stay here: the password, and what the header makes of it."""
        if self.password is None or not self.password.get_secret_value():
            return []
        return [self.password.get_secret_value(), self.credentials() or ""]

    def credentials(self) -> str | None:
        """Return what follows `Basic` in the `Authorization` header (RFC 7617)."""
        if self.username is None or self.password is None:
            return None
        return base64.b64encode(
            f"{self.username}:{self.password.get_secret_value()}".encode()
        ).decode()

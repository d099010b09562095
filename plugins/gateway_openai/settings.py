"""The `settings:` of a provider whose `kind:` is `openai`."""

from typing import Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, SecretStr, field_validator, model_validator

from gateway_openai.hosts import Host, UsageStyle, hosts


class OpenAISettings(BaseModel):
    """Where an OpenAI-compatible API is and how to be let in.

    `host` names a row of the table of known hosts; `base_url` overrides or replaces it. Leave
    `api_key` out for a server that wants none. `headers` are added to every request.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    host: str | None = None
    base_url: str | None = None
    api_key: SecretStr | None = None
    headers: dict[str, SecretStr] = {}
    usage: UsageStyle | None = None
    max_tokens_field: str | None = None

    @field_validator("host")
    @classmethod
    def _host(cls, value: str | None) -> str | None:
        if value is not None and value not in (known := hosts()):
            msg = f"unknown host; known are {', '.join(sorted(known))}; any other needs base_url"
            raise ValueError(msg)
        return value

    @field_validator("base_url")
    @classmethod
    def _base_url(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            msg = "write an http or https URL such as http://127.0.0.1:8000/v1"
            raise ValueError(msg)
        return value.rstrip("/")

    @field_validator("headers")
    @classmethod
    def _headers(cls, value: dict[str, SecretStr]) -> dict[str, SecretStr]:
        for name, text in value.items():
            if (
                not name.isascii()
                or not name.replace("-", "").isalnum()
                or not text.get_secret_value().isprintable()
            ):
                msg = f"{name!r} is no header that can be sent"
                raise ValueError(msg)
        return {name.lower(): text for name, text in value.items()}

    @model_validator(mode="after")
    def _somewhere(self) -> Self:
        if self.host is None and self.base_url is None:
            msg = "give base_url, or host with the name of a known one"
            raise ValueError(msg)
        return self

    def row(self) -> Host:
        """Return the facts that hold for this provider."""
        row = hosts()[self.host] if self.host else Host(base_url=self.base_url or "")
        own = {
            "base_url": self.base_url,
            "usage": self.usage,
            "max_tokens_field": self.max_tokens_field,
        }
        return row.model_copy(
            update={name: value for name, value in own.items() if value is not None}
        )

    def fetches_links(self) -> bool | None:
        """Return True where a known host out on the internet gets callers' pictures itself."""
        if self.host is None or self.base_url is not None:
            return None
        return None if urlsplit(self.row().base_url).hostname == "127.0.0.1" else True

    def prices_of(self) -> str | None:
        """Return what `genai-prices` calls the host, if it is a known one, by name or by address.

        A server without a key asks for no money.
        """
        if self.api_key is None and not self.headers:
            return None
        rows = hosts()
        if self.base_url is None:
            return rows[self.host].prices_of if self.host else None
        where = urlsplit(self.base_url).hostname
        if where == "127.0.0.1":
            return None
        return next(
            (row.prices_of for row in rows.values() if urlsplit(row.base_url).hostname == where),
            None,
        )

    def routes_itself(self) -> bool | None:
        """Return True where the host chooses models and providers by fields of the request.

        By its name, whatever the address: a proxy before it changes nothing; else by its address.
        """
        rows = hosts()
        if self.host is not None:
            return rows[self.host].routes_itself
        where = urlsplit(self.base_url or "").hostname
        is_known = any(
            row.routes_itself and urlsplit(row.base_url).hostname == where for row in rows.values()
        )
        return True if is_known else None

    def missing(self) -> str | None:
        """Return why this provider cannot work yet: its key is empty, or needed and not there."""
        if self.api_key is not None and not self.api_key.get_secret_value():
            return "its api_key is empty"
        if (
            self.api_key is None
            and self.host is not None
            and self.base_url is None
            and self.row().needs_key
        ):
            return f"{self.host} needs an api_key"
        return None

    def secrets(self) -> list[str]:
        """Return the values that must stay here."""
        values = [text.get_secret_value() for text in self.headers.values()]
        if self.api_key is not None:
            values.append(self.api_key.get_secret_value())
        return [value for value in values if value]

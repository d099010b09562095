"""The shape of `config.yaml`.

Frozen, and unknown keys are errors. Units are part of the names; a rate is written `100/hour`.
"""

import re
from typing import Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_core import PydanticCustomError

from gateway.config.caching import Cache, Idempotency
from gateway.config.callers import Auth, Limits, Plan
from gateway.config.database import check_postgres, is_postgres
from gateway.config.ledger import Ledger
from gateway.config.listeners import Admin, Server
from gateway.config.routing import Health, Retries
from gateway.config.section import Section
from gateway.config.upstreams import Model, Provider
from gateway.config.valkey import check_valkey


class State(Section):
    """`state`: where counts and keys are kept."""

    url: str = Field("memory://", repr=False)
    valkey: SecretStr | None = None
    """A Valkey or Redis for what several processes share; its URL holds a password."""
    on_state_down: Literal["open", "closed", "local_share"] = "closed"
    replicas: int = Field(1, ge=1)
    """How many processes share the limits, for `local_share`."""

    @field_validator("valkey")
    @classmethod
    def _valkey(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None or not value.get_secret_value():
            return None
        check_valkey(value.get_secret_value())
        return value

    @field_validator("url")
    @classmethod
    def _url(cls, value: str) -> str:
        if is_postgres(value):
            check_postgres(value)
        elif value != "memory://" and not re.fullmatch(r"sqlite:///[^\x00?#]*[^\x00?#/]", value):
            msg = (
                "write memory://, sqlite:///path, for example sqlite:///~/dynagate.sqlite, or "
                "postgresql://user:password@host/database"
            )
            raise ValueError(msg)
        return value


class Egress(Section):
    """`egress`: networks, hosts and ports beyond public 80/443 that callers' URLs may reach."""

    allow: tuple[str, ...] = ()


class Keep(Section):
    """`images.keep`: how long, and how many bytes of pictures that answers point to are stored."""

    hours: float = Field(24.0, gt=0, le=24 * 365)
    bytes: int = Field(512 * 1024 * 1024, ge=1024 * 1024)


class Images(Section):
    """`images`: the mark on pictures of the GET API, what is kept, and what callers may send."""

    watermark: str = Field("dynagate", max_length=64)
    keep: Keep = Keep()
    source_bytes: int = Field(10 * 1024 * 1024, ge=1024)
    """The most that one picture of a caller may have, sent or fetched."""
    source_pixels: int = Field(64_000_000, ge=4096)


class FeedHistory(Section):
    """`feeds.history`: what a reader of one feed may ask for; it ends at whichever comes first."""

    events: int = Field(100, ge=0, le=10_000)
    bytes: int = Field(1024 * 1024, ge=1024)


class Feeds(Section):
    """`feeds`: whether anybody may read along what anonymous callers of the GET API generate."""

    enabled: bool | None = None
    """None: on a loopback bind alone."""
    history: FeedHistory = FeedHistory()
    readers: int = Field(1000, ge=1)
    """Of both feeds together."""
    readers_per_address: int = Field(20, ge=1)
    """The same for one client address (IPv6: its /64)."""
    queue: int = Field(64, ge=1)
    """Events that may wait for one reader; one more and it is dropped."""


class Deadlines(Section):
    """`deadlines`: seconds; the defaults are the contract's."""

    first_token_s: float = Field(60.0, gt=0)
    between_tokens_s: float = Field(60.0, gt=0)
    total_s: float = Field(600.0, gt=0)


class Chat(Section):
    """`chat`: models of this file that hear and speak for targets that only read and write."""

    hears_with: str | None = None
    speaks_with: str | None = None


class Plugins(Section):
    """`plugins`: which distributions may bring providers; None is all that are installed."""

    allow: tuple[str, ...] | None = None


class Logs(Section):
    """`logs`: `console` for people, `json` for machines, `auto` by whether a terminal reads."""

    format: Literal["auto", "console", "json"] = "auto"
    level: Literal["debug", "info", "warning", "error"] = "info"


class Document(Section):
    """The whole file."""

    server: Server = Server()
    admin: Admin = Admin()
    auth: Auth = Auth()
    limits: Limits = Limits()
    plans: dict[str, Plan] = Field(default_factory=dict)
    state: State = State()
    ledger: Ledger = Ledger()
    egress: Egress = Egress()
    images: Images = Images()
    feeds: Feeds = Feeds()
    deadlines: Deadlines = Deadlines()
    health: Health = Health()
    retries: Retries = Retries()
    cache: Cache = Cache()
    idempotency: Idempotency = Idempotency()
    logs: Logs = Logs()
    plugins: Plugins = Plugins()
    chat: Chat = Chat()
    providers: dict[str, Provider] = Field(min_length=1)
    models: dict[str, Model] = Field(min_length=1)

    @property
    def has_feeds(self) -> bool:
        """Whether there are feeds: where others can connect, only if the file says so."""
        return self.server.is_loopback if self.feeds.enabled is None else self.feeds.enabled

    @model_validator(mode="after")
    def _open_only_on_purpose(self) -> Self:
        is_open = self.auth.mode == "open" and self.auth.open_to != "world"
        if is_open and not self.server.is_loopback:
            msg = (
                f"{self.server.host} can be reached by others and auth.mode is open: write "
                "`auth: {mode: keys}`, `auth: {mode: open, open_to: world}` to mean it, or bind "
                "127.0.0.1"
            )
            # `at` is where the problem stands in the file; without it, it would be the first line.
            raise PydanticCustomError("open_to_nobody", msg, {"at": ("server", "host")})
        return self

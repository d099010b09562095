"""The shape of `config.yaml`.

Frozen, and unknown keys are errors. Units are part of the names; a rate is written `100/hour`.
"""

import re
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    SecretStr,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from gateway.sdk.providers import ModelCard

_PERIODS_S = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}


class Rate(NamedTuple):
    """`requests` in `period_s` seconds."""

    requests: int
    period_s: int


def _parse_rate(value: object) -> object:
    if isinstance(value, str):
        found = re.fullmatch(r"(\d+)\s*/\s*(second|minute|hour|day)", value.strip())
        if found is None or int(found[1]) < 1:
            msg = "write a rate as <count>/<second|minute|hour|day>, for example 100/hour"
            raise ValueError(msg)
        return Rate(int(found[1]), _PERIODS_S[found[2]])
    return value


RateField = Annotated[
    Rate,
    BeforeValidator(_parse_rate),
    PlainSerializer(lambda rate: f"{rate.requests}/{rate.period_s}s", return_type=str),
]


class Section(BaseModel):
    """What all sections share: frozen, and no unknown key."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, defer_build=True
    )


class Cors(Section):
    """`server.cors`: web pages that may call the API; `["*"]` is any page."""

    origins: tuple[str, ...] = ()


class Bounds(Section):
    """`server.bounds`: what one caller can cost before a request is understood."""

    body_bytes: int = Field(20 * 1024 * 1024, ge=1024)
    request_line_bytes: int = Field(128 * 1024, ge=1024)
    header_bytes: int = Field(16 * 1024, ge=1024)
    headers: int = Field(100, ge=16)
    head_s: float = Field(10.0, gt=0)
    """From the first byte of a connection or request until its headers are complete."""
    body_s: float = Field(60.0, gt=0)
    keepalive_s: float = Field(75.0, gt=0)
    write_s: float = Field(60.0, gt=0)
    """How long one write may wait for a reader that does not read."""
    connections: int | None = Field(None, ge=1)
    """None: half of the process's file descriptors."""
    backlog: int = Field(4096, ge=1)


class Server(Section):
    """`server`: the public listener."""

    host: str = "127.0.0.1"
    port: int = Field(8080, ge=0, le=65535)
    public_url: str | None = None
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = ()
    allowed_hosts: tuple[str, ...] = ()
    cors: Cors = Cors()
    workers: Literal[1] = 1
    drain_s: float = Field(30.0, ge=0)
    bounds: Bounds = Bounds()

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can connect."""
        if self.host == "localhost":
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return False  # Any other name: whoever answers for it decides where it leads.


class Admin(Section):
    """`admin`: the operator's listener, where `/metrics` is; null is none.

    There is no `/admin` yet; `secret` is kept out of logs and errors already.
    """

    listen: str | None = "127.0.0.1:8081"
    secret: SecretStr = SecretStr("")

    @field_validator("listen")
    @classmethod
    def _listen(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r".+:\d{1,5}", value):
            msg = "write host:port, for example 127.0.0.1:8081, or null for no admin listener"
            raise ValueError(msg)
        return value


class Auth(Section):
    """`auth`: who may call. `open_to: world` is needed for `open` on any bind but loopback."""

    mode: Literal["open", "keys"] = "open"
    open_to: Literal["loopback", "world"] = "loopback"


class AnonymousLimits(Section):
    """`limits.anonymous`: for each client address (IPv6: its /64)."""

    requests: RateField = Rate(100, 3600)
    concurrent: int = Field(10, ge=1)


class Limits(Section):
    """`limits`: what callers may use."""

    anonymous: AnonymousLimits = AnonymousLimits()
    tracked_callers: int = Field(100_000, ge=100)
    """How many callers' windows are held; past it the one that ends soonest makes room."""


class Plan(Section):
    """`plans.<name>`: what callers with a key of that plan may use, each key for itself."""

    requests: RateField = Rate(1000, 3600)
    concurrent: int = Field(20, ge=1)
    models: tuple[str, ...] | None = None
    """Names and families of `models`; None is all."""
    max_output_tokens: int | None = Field(None, ge=1)
    private: bool = False
    feed: bool = False
    """What is generated on the GET API may appear in the public feeds."""


class State(Section):
    """`state`: where counts and keys are kept."""

    url: str = "memory://"

    @field_validator("url")
    @classmethod
    def _url(cls, value: str) -> str:
        if value != "memory://" and not re.fullmatch(r"sqlite:///[^\x00?#]*[^\x00?#/]", value):
            msg = "write memory:// or sqlite:///path, for example sqlite:///~/dynagate.sqlite"
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
    queue: int = Field(64, ge=1)
    """Events that may wait for one reader; one more and it is dropped."""


class Deadlines(Section):
    """`deadlines`: seconds; the defaults are the contract's."""

    first_token_s: float = Field(60.0, gt=0)
    between_tokens_s: float = Field(60.0, gt=0)
    total_s: float = Field(600.0, gt=0)


class ProviderHttp(Section):
    """`providers.<name>.http`: how its upstream is reached."""

    proxy: str | None = None
    ca_file: str | None = None
    connect_s: float = Field(5.0, gt=0)
    connections: int = Field(256, ge=1)
    body_bytes: int = Field(16 * 1024 * 1024, ge=1024)


class Pace(Section):
    """`providers.<name>.pace`: how fast calls may start; the rest wait."""

    rate: RateField
    burst: int = Field(1, ge=1)


class Provider(Section):
    """`providers.<name>`: one upstream account or engine."""

    kind: str
    settings: dict[str, Any] = {}  # Any: validated by the kind's own settings model.
    concurrent: int = Field(64, ge=1)
    queue: int = Field(256, ge=0)
    pace: Pace | None = None
    http: ProviderHttp = ProviderHttp()


class Target(Section):
    """`models.<name>.targets[]`: a provider and its own name for the model.

    In a family of names (`stub-*`) the model `*` is the name as the caller wrote it.
    """

    provider: str
    model: str
    card: ModelCard = ModelCard()


class Model(Section):
    """`models.<name>`: a name that callers use, and who answers it, in order."""

    targets: tuple[Target, ...] = Field(min_length=1)
    aliases: tuple[str, ...] = ()
    description: str | None = None


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
    plans: dict[str, Plan] = {}
    state: State = State()
    egress: Egress = Egress()
    images: Images = Images()
    feeds: Feeds = Feeds()
    deadlines: Deadlines = Deadlines()
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

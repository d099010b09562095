"""Where the gateway listens: `server` and `admin`."""

import re
from ipaddress import IPv4Network, IPv6Network, ip_address

from pydantic import Field, SecretStr, field_validator

from gateway.config.section import Section


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
    workers: int = Field(1, ge=1, le=64)
    """Processes that answer callers; more than one share a Valkey."""
    drain_s: float = Field(30.0, ge=0)
    watch: bool = True
    """Whether a file that has changed is read again, as on SIGHUP."""
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
    """`admin`: the operator's listener, where `/metrics` and `/admin` are; null is none.

    Without `secret` there is no `/admin`.
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

    @field_validator("secret")
    @classmethod
    def _secret(cls, value: SecretStr) -> SecretStr:
        # What a header can say, whoever writes it.
        if value and not re.fullmatch(r"[!-~]{16,512}", value.get_secret_value()):
            msg = (
                "write 16 to 512 letters, digits and signs without a space, for example what "
                "`openssl rand -hex 32` prints; an empty one is no /admin"
            )
            raise ValueError(msg)
        return value

    @property
    def host(self) -> str:
        """The host of `listen`, an IPv6 address without its brackets; empty for none."""
        return (self.listen or "").rpartition(":")[0].strip("[]")

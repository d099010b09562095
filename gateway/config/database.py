"""The database that `state.url` names: a file of SQLite, or a PostgreSQL server's."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from gateway.config.places import database_path

_SCHEME: Final = "postgresql://"
_PARAMETERS: Final = (
    "host",
    "port",
    "user",
    "password",
    "dbname",
    "passfile",
    "service",
    "application_name",
    "search_path",
    "target_session_attrs",
    "sslmode",
    "sslnegotiation",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "sslpassword",
    "sslcrl",
    "ssl_min_protocol_version",
    "ssl_max_protocol_version",
)
"""What the driver knows of libpq's parameters, and two settings of a session."""
_SECRET_PARAMETERS: Final = ("password", "sslpassword")


@dataclass(frozen=True, slots=True)
class PostgresPlace:
    """A database of a PostgreSQL server. As a text it is where that is, without user and secrets.

    `url` is as libpq reads it, and holds the password.
    """

    url: str = field(repr=False)

    def __str__(self) -> str:
        """Return what logs and errors may say."""
        parts = urlsplit(self.url)
        query = dict(parse_qsl(parts.query))
        hosts = parts.netloc.rpartition("@")[2] or query.get("host", "")
        if hosts.startswith("/"):
            return f"{_SCHEME}{parts.path or '/'}?host={hosts}"
        return f"{_SCHEME}{hosts}{parts.path}"

    @property
    def secrets(self) -> tuple[str, ...]:
        """The passwords, as they are and as they are written."""
        parts = urlsplit(self.url)
        raw = [_user_info(parts)[1]]
        raw += [
            value
            for name, _, value in (pair.partition("=") for pair in parts.query.split("&"))
            if name in _SECRET_PARAMETERS
        ]
        return tuple(dict.fromkeys(text for one in raw if one for text in (unquote(one), one)))


Place = Path | PostgresPlace
"""Where a database is."""


def place_of(url: str, environ: Mapping[str, str]) -> Place | None:
    """Return where the database of a `state.url` is, None for `memory://`."""
    return PostgresPlace(url) if url.startswith(_SCHEME) else database_path(url, environ)


def is_postgres(url: str) -> bool:
    """Say whether a URL is meant for PostgreSQL."""
    return url.startswith(_SCHEME)


def check_postgres(url: str) -> None:
    """Raise ValueError for a URL that cannot be meant; what it says repeats no part of the URL.

    Else the driver would say it, with pieces of the password.
    """
    try:
        parts = urlsplit(url)
        query = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    except ValueError:
        raise ValueError(_WRITE) from None
    named = dict(query)
    hosts = parts.netloc.rpartition("@")[2]
    user, _ = _user_info(parts)
    is_odd = (
        parts.fragment
        or not url.isprintable()
        or " " in url
        or "@" in user
        or parts.netloc.count("@") > 1
        or "/" in parts.path[1:]
        or not all(_is_host(host) for host in hosts.split(",") if hosts)
    )
    if is_odd:
        raise ValueError(_WRITE)
    if not (parts.path[1:] or named.get("dbname") or named.get("service")):
        msg = f"names no database: {_WRITE}"
        raise ValueError(msg)
    for name, value in query:
        if name not in _PARAMETERS:
            msg = f"a parameter is not known; these are: {', '.join(_PARAMETERS)}"
            raise ValueError(msg)
        if name == "port" and not all(_is_port(port) for port in value.split(",")):
            msg = "port should be a number up to 65535"
            raise ValueError(msg)


def _user_info(parts: SplitResult) -> tuple[str, str]:
    user, _, password = parts.netloc.rpartition("@")[0].partition(":")
    return user, password


def _is_host(text: str) -> bool:
    """Say whether `text` is a host, perhaps with a port; IPv6 stands in brackets."""
    if text.startswith("["):
        address, _, rest = text[1:].partition("]")
        return ":" in address and (not rest or (rest[0] == ":" and _is_port(rest[1:])))
    host, colon, port = text.partition(":")
    return bool(host) and (not colon or _is_port(port))


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and 0 < int(text[:6]) <= 65535  # noqa: PLR2004


_WRITE = (
    "write postgresql://user:password@host/database, with %40, %3A, %2F and %25 for @, :, / and % "
    "in user and password; or ?host=/folder for a Unix socket"
)

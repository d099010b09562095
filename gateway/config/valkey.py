"""The server that `state.valkey` names: how its URL is written, and what of it may be shown."""

from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit

_TCP: Final = {"redis": "redis", "valkey": "redis", "rediss": "rediss", "valkeys": "rediss"}
_OPTIONS: Final = ("db", "ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
_WRITE: Final = (
    "write redis://user:password@host:6379/0, rediss:// for TLS, or unix:///run/valkey.sock, with "
    "%40, %3A, %2F and %25 for @, :, / and % in user and password"
)


def check_valkey(url: str) -> None:
    """Raise ValueError for a URL that cannot be meant; what it says repeats no part of the URL."""
    try:
        parts = urlsplit(url)
        options = parse_qs(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
        port = parts.port
    except ValueError:
        raise ValueError(_WRITE) from None
    is_file = parts.scheme == "unix"
    database = options["db"][-1] if "db" in options else ("" if is_file else parts.path[1:])
    is_odd = (
        (not is_file and parts.scheme not in _TCP)
        or bool(parts.hostname) == is_file
        or (is_file and len(parts.path) <= 1)
        or port == 0
        or parts.fragment
        or parts.netloc.count("@") > 1
        or " " in url
        or not url.isprintable()
    )
    if is_odd:
        raise ValueError(_WRITE)
    if unknown := options.keys() - set(_OPTIONS):
        known = ", ".join(_OPTIONS)
        msg = f"{len(unknown)} of its options are not known; these are: {known}"
        raise ValueError(msg)
    if database and not (database.isascii() and database.isdigit()):
        msg = "the database behind the host should be a number, as in redis://host:6379/0"
        raise ValueError(msg)


def client_url(url: str) -> str:
    """Return the URL in the scheme that the client library knows."""
    scheme, mark, rest = url.partition("://")
    return f"{_TCP.get(scheme, scheme)}{mark}{rest}"


def valkey_place(url: str) -> str:
    """Return the URL as logs and errors may show it: without user, password and options."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def valkey_secrets(url: str) -> tuple[str, ...]:
    """Return the password, as it is and as it is written."""
    written = urlsplit(url).netloc.rpartition("@")[0].partition(":")[2]
    return tuple(dict.fromkeys((unquote(written), written))) if written else ()

"""Who may reach the gateway through a browser: `Host`, `Origin`, CORS, prefetches.

A web page must not spend the operator's money: on a loopback bind any page that the operator visits
could call us.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from ipaddress import ip_address
from urllib.parse import urlsplit

from aiohttp import hdrs
from multidict import istr

from gateway.config.listeners import Admin, Server
from gateway.schema.failure import CallError

_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})
ALLOWED_METHODS = "GET, HEAD, POST, OPTIONS"
ALLOWED_HEADERS = (
    "Authorization, Content-Type, Accept, Last-Event-ID, X-Request-Id, X-Deadline-Ms, "
    "Idempotency-Key, If-None-Match, x-api-key, api-key, anthropic-version, anthropic-beta, "
    "anthropic-dangerous-direct-browser-access, OpenAI-Organization, OpenAI-Project, OpenAI-Beta"
)
EXPOSED_HEADERS = (
    "X-Request-Id, X-Client-Request-Id, X-RateLimit-Limit, X-RateLimit-Remaining, "
    "X-RateLimit-Reset, x-ratelimit-limit-requests, x-ratelimit-remaining-requests, "
    "x-ratelimit-reset-requests, x-ratelimit-limit-tokens, x-ratelimit-remaining-tokens, "
    "x-ratelimit-reset-tokens, RateLimit, RateLimit-Policy, Retry-After, Allow, X-Model, "
    "X-Provider, X-Seed, X-Ignored-Params, X-Dropped-Params, X-Set-Params, "
    "X-Guards, Server-Timing, ETag, Content-Disposition, X-Cache, Age, Idempotency-Replayed, "
    "X-Original-Request-Id"
)
# Looked up in every request: a plain string would be folded to lower case each time.
_SEC_FETCH_SITE = istr("Sec-Fetch-Site")
_SEC_PURPOSE, _PURPOSE = istr("Sec-Purpose"), istr("Purpose")
VARY = "Accept, Authorization, Origin"


class Access:
    """The rules of one configuration.

    With `demands_host` a `Host` must be ours on any bind: where strangers connect too, by a name
    that is configured or by an address, which no name server can move.
    """

    def __init__(self, server: Server, *, demands_host: bool = False) -> None:
        self._demands_host = demands_host or server.is_loopback
        self._takes_addresses = not server.is_loopback
        self._hosts = {*_LOOPBACK_NAMES, *(host.lower() for host in server.allowed_hosts)}
        if server.public_url is not None and (name := urlsplit(server.public_url).hostname):
            self._hosts.add(name.lower())
        self._origins = {origin.lower().rstrip("/") for origin in server.cors.origins}
        if server.public_url is not None:
            self._origins.add(_origin(server.public_url))  # Our own pages.
        self._is_public = "*" in self._origins

    def check(self, headers: Mapping[str, str]) -> None:
        """Raise 421 `wrong_host` or 403 `origin_not_allowed` for what a foreign page may ask."""
        if self._demands_host:
            host = headers.get(hdrs.HOST, "")
            if host not in self._hosts and not self._is_ours(_host_name(host)):
                raise CallError(
                    "wrong_host",
                    "this Host is not ours: use localhost, or add the name to server.allowed_hosts",
                )
        origin = headers.get(hdrs.ORIGIN)
        if origin is not None:
            if self.allows(origin):
                return
            raise CallError(
                "origin_not_allowed",
                "web pages of this origin may not call: add it to server.cors.origins",
            )
        if headers.get(_SEC_FETCH_SITE) == "cross-site" and not self._is_public:
            # Browsers send no Origin for an <img>, but a Referer that no page can make up: it may
            # be left out, and then nobody knows whose page it is.
            if self.allows(_origin_of_page(headers.get(hdrs.REFERER, ""))):
                return
            raise CallError(
                "origin_not_allowed", "another site's page may not call: see server.cors.origins"
            )

    def _is_ours(self, name: str) -> bool:
        return name in self._hosts or (self._takes_addresses and _is_address(name))

    def allows(self, origin: str) -> bool:
        """Say whether pages of `origin` may call."""
        if self._is_public or origin.lower() in self._origins:
            return True
        scheme, _, place = origin.partition("://")
        return scheme in {"http", "https"} and _host_name(place) in _LOOPBACK_NAMES

    def cors_headers(self, origin: str | None) -> dict[str, str]:
        """Return what lets a page of an allowed origin read the answer."""
        if origin is None or not self.allows(origin):
            return {}
        return {
            "Access-Control-Allow-Origin": "*" if self._is_public else origin,
            "Access-Control-Expose-Headers": EXPOSED_HEADERS,
        }

    def preflight_headers(self, origin: str | None, asked: str | None) -> dict[str, str]:
        """Return what a preflight is told; `asked` is `Access-Control-Request-Headers`."""
        headers = self.cors_headers(origin)
        if not headers:
            return {}
        sdk = [name.strip() for name in (asked or "").split(",")]
        stainless = [name for name in sdk if _is_stainless(name)]
        headers["Access-Control-Allow-Methods"] = ALLOWED_METHODS
        headers["Access-Control-Allow-Headers"] = ", ".join([ALLOWED_HEADERS, *stainless[:32]])
        headers["Access-Control-Max-Age"] = "600"
        return headers


def admin_access(admin: Admin, server: Server) -> Access:
    """Return the rules of the operator's listener: its own names, and no page but loopback's."""
    host = admin.host or "127.0.0.1"
    names = (host, *server.allowed_hosts)
    return Access(Server(host=host, allowed_hosts=names), demands_host=True)


def check_prefetch(headers: Mapping[str, str]) -> None:
    """Raise 503 for a browser that only guesses what its user will ask (`Sec-Purpose`)."""
    if "prefetch" in headers.get(_SEC_PURPOSE, "") or headers.get(_PURPOSE) == "prefetch":
        raise CallError("unavailable", "nothing is generated for a prefetch")


def _origin_of_page(referer: str) -> str:
    scheme, _, rest = referer.partition("://")
    return f"{scheme}://{rest.partition('/')[0]}"


def _origin(url: str) -> str:
    parts = urlsplit(url.lower())
    return f"{parts.scheme}://{parts.netloc}"


def _is_stainless(name: str) -> bool:
    lower = name.lower()
    return lower.startswith("x-stainless-") and lower.replace("-", "").isalnum() and name.isascii()


def _is_address(name: str) -> bool:
    try:
        ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True


@lru_cache(maxsize=64)
def _host_name(host: str) -> str:
    """Return the name of `name:port` in lower case, as a whole if that is not what it is."""
    found = _NAME_AND_PORT.fullmatch(host)
    return (host if found is None else found[1]).lower()


_NAME_AND_PORT = re.compile(r"([^:\[\]@/]*|\[[0-9A-Fa-f:.]*\])(?::[0-9]*)?")

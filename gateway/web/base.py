"""Where callers reach us, as URLs in answers say it."""

import re

from aiohttp import hdrs, web

from gateway.web.received import services_of

_HOST = re.compile(
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9._-]{0,251})|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?"
)


def public_base(request: web.Request) -> str:
    """Return scheme and host, and what path there is before ours, without a slash at the end.

    `server.public_url` if it is configured; else what a trusted proxy says that it was asked for;
    else the `Host` of the request, if it is a host's name at all.
    """
    services = services_of(request)
    url = services.document.server.public_url
    if url is not None:
        return url.rstrip("/")
    scheme, host = request.scheme, request.headers.get(hdrs.HOST, "")
    if services.identifier.is_trusted(request.remote or ""):
        scheme = _last(request, hdrs.X_FORWARDED_PROTO) or scheme
        host = _last(request, hdrs.X_FORWARDED_HOST) or host
    if scheme not in {"http", "https"}:
        scheme = "http"
    return f"{scheme}://{host if _HOST.fullmatch(host) else 'localhost'}"


def reached_base(request: web.Request) -> str:
    """Return `public_base` for URLs that others are shown, too: never a name a caller made up.

    On a loopback bind `Host` has been checked, and elsewhere `server.public_url` or a trusted proxy
    says it; failing both, it is the address that the connection was made to.
    """
    services = services_of(request)
    server = services.document.server
    is_known = server.is_loopback or server.public_url is not None
    if is_known or services.identifier.is_trusted(request.remote or ""):
        return public_base(request)
    transport = request.transport
    name = None if transport is None else transport.get_extra_info("sockname")
    host, port = ("localhost", server.port) if name is None else name[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def _last(request: web.Request, name: str) -> str:
    """Return what the nearest proxy wrote: it appends."""
    return ",".join(request.headers.getall(name, ())).rpartition(",")[2].strip().lower()

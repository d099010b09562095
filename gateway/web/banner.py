"""What the terminal says when the gateway is up."""

from collections.abc import Sequence

from gateway.config.callers import AnonymousLimits
from gateway.config.document import Document
from gateway.web.handlers import DEFAULT_TEXT_MODEL
from gateway.web.serving import Serving


def banner(document: Document, addresses: Sequence[tuple[str, int]], serving: Serving) -> str:
    """Return the URLs, the limits in force, and a line to paste."""
    host, port = addresses[0][:2] if addresses else (document.server.host, document.server.port)
    anywhere = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104 - to show, not to bind.
    shown = anywhere.get(host, f"[{host}]" if ":" in host else host)
    base = f"http://{shown}:{port}"
    names = ", ".join(route.name for route in serving.services.router.routes)
    limits = f"{limits_in_words(document.limits.anonymous)}, for each address"
    if document.auth.mode == "keys":
        limits = "a key's plan; without a key nobody may call"
    lines = [
        f"dynagate answers at {base}",
        f"  OpenAI clients   {base}/v1",
        f"  models           {names}",
        f"  limits           {limits}",
    ]
    if document.admin.listen is not None:
        lines.append(f"  metrics          http://{document.admin.listen}/metrics")
    # Who names no model asks this one, which a file of one's own need not have.
    is_there = serving.services.router.has(DEFAULT_TEXT_MODEL)
    path = "/api/generate_response?user_input=Hello" if is_there else "/v1/models"
    lines += ["  try it", f'    curl "{base}{path}"']
    return "\n".join(lines) + "\n"


def limits_in_words(limits: AnonymousLimits) -> str:
    """Return the limits as a sentence says them: `100 requests an hour, 10 at once`."""
    count, period_s = limits.requests
    period = {1: "a second", 60: "a minute", 3600: "an hour", 86400: "a day"}[period_s]
    return f"{count} requests {period}, {limits.concurrent} at once"

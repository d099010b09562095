"""How the tests administer a gateway, and what they put into its configuration for it."""

from typing import Any

from tests.contract.asking import Asker, Reply

SECRET = "canary-admin-secret-0123456789"  # noqa: S105 - a test's.
SQLITE = "sqlite:///$XDG_STATE_HOME/dynagate/state.sqlite"
PLANS = {"team": {"requests": "5000/hour", "concurrent": 50}, "small": {"requests": "2/hour"}}
ADMINISTERED: dict[str, Any] = {
    "admin": {"secret": SECRET},
    "state": {"url": SQLITE},
    "plans": PLANS,
}
"""The sections of a gateway with `/admin`, keys and plans."""
KEYS = "/admin/keys"


async def administer(
    caller: Asker,
    method: str,
    path: str = KEYS,
    document: object = None,
    *,
    secret: str = SECRET,
    **headers: str,
) -> Reply:
    """Ask the admin listener; an underscore in a header's name is a hyphen."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    authorized = {"Authorization": f"Bearer {secret}", **named}
    return await caller.ask(method, path, headers=authorized, json=document, is_admin=True)


async def made(caller: Asker, **fields: object) -> Any:
    """Make a key, and return what is told of it."""
    reply = await administer(caller, "POST", KEYS, {"name": "someone", **fields})
    assert reply.status == 201, reply.text
    return reply.json()

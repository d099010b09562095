"""The keys of the stand-in: made and revoked at `/admin/keys`, demanded where the file says so."""

import secrets
import time

from aiohttp import web

from gateway.state.keys import new_key
from tests.faults.stand_in.errors import refusal
from tests.faults.stand_in.settings import Settings

_A_LETTER_S = 5e-6
"""Far more than code takes to compare a letter, so that a few hundred calls show it."""


class KeyRing:
    """Knows keys by their text."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._known: dict[str, str] = {}
        self._revoked: set[str] = set()

    async def create(self, _request: web.Request) -> web.Response:
        """Make a key."""
        id_, text = f"key_{secrets.token_hex(6)}", new_key()
        self._known[id_] = text
        return web.json_response({"id": id_, "key": text}, status=201)

    async def revoke(self, request: web.Request) -> web.Response:
        """End a key."""
        self._revoked.add(self._known.pop(request.match_info["id"]))
        return web.json_response({"state": "revoked"})

    def refused(self, request: web.Request) -> web.Response | None:
        """Return the 401 of who has no key and needs one."""
        if not self._settings.demands_key:
            return None
        text = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if self._is_known(text):
            return None
        if "tells_revoked" in self._settings.defects and text in self._revoked:
            return refusal(401, "this key was revoked")
        return refusal(401, "this key is unknown, revoked or expired")

    def _is_known(self, text: str) -> bool:
        if "compares_slowly" not in self._settings.defects:
            return text in self._known.values()
        for known in self._known.values():
            for mine, theirs in zip(known, text, strict=False):
                if mine != theirs:
                    break
                time.sleep(_A_LETTER_S)
        return text in self._known.values()

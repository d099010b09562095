"""How the stand-in opens the pictures that callers link to."""

import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from tests.faults.stand_in.settings import Settings


class Links:
    """Opens what the file allows by name and port, and nothing else."""

    def __init__(self, settings: Settings, session: aiohttp.ClientSession) -> None:
        self._settings = settings
        self._session = session

    async def open_all(self, asked: dict[str, Any]) -> None:
        """Fetch every picture of a question; raise `ValueError` for one that is not to be had."""
        for url in _pictures(asked):
            await self._open(url)

    async def _open(self, url: str) -> None:
        parts = urlsplit(url)
        is_open = parts.netloc in self._settings.allowed
        if "trusts_links" in self._settings.defects:
            is_open = is_open or _is_loopback(parts.hostname)
        if parts.scheme != "http" or not is_open:
            msg = "this link is not opened"
            raise ValueError(msg)
        follows = "follows_links" in self._settings.defects
        try:
            async with self._session.get(url, allow_redirects=follows) as picture:
                if picture.status != 200:
                    msg = "there is no picture"
                    raise ValueError(msg)
        except aiohttp.ClientError:
            msg = "the picture cannot be had"
            raise ValueError(msg) from None


def _pictures(asked: dict[str, Any]) -> Iterator[str]:
    for turn in asked["messages"]:
        content = turn.get("content") if isinstance(turn, dict) else None
        for part in content if isinstance(content, list) else ():
            if isinstance(part, dict) and isinstance(link := part.get("image_url"), dict):
                yield str(link.get("url"))


def _is_loopback(host: str | None) -> bool:
    """Say whether a host is this machine in a spelling of IPv4: tests reach no other network."""
    try:
        return socket.inet_aton(host or "")[0] == 127
    except (OSError, UnicodeError):
        return False

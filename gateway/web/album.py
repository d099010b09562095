"""Pictures that answers point to: stored, and opened again by URL without being made anew."""

import asyncio
import hashlib
import hmac
import logging
import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlencode

import orjson

from gateway.config.document import Keep
from gateway.schema.failure import CallError
from gateway.schema.images import Picture
from gateway.sdk.providers import Clock
from gateway.state.folder import FolderObjects
from gateway.state.objects import Objects, Stored

_log = logging.getLogger("dynagate.album")
_SECRET_BYTES, _ID_BYTES = 32, 16
_GONE = "this picture is kept no more; ask for it again"


class Album:
    """Stores pictures under what they are made of, or under a random id that a signed URL names.

    The secret that signs is a file that only this user reads; it is made when it is first needed
    and stays, so that URLs outlive a restart.
    """

    def __init__(self, objects: Objects, secret_file: Path, clock: Clock) -> None:
        self._objects = objects
        self._secret_file = secret_file
        self._clock = clock
        self._secret = b""

    async def keep(self, identity: object, picture: Picture) -> bool:
        """Store a picture that can be made again; say whether that worked. A full disk is no fault.

        `identity` is any JSON value that tells it from all others.
        """
        try:
            await self._objects.put(_key(identity), picture.data, picture.media_type)
        except OSError as error:
            _log.warning("a picture could not be stored: %s", error.strerror)
            return False
        return True

    async def find(self, identity: object) -> Stored | None:
        """Return the picture that was kept as `identity`."""
        return await self._objects.get(_key(identity))

    async def sign(self, picture: Picture) -> str:
        """Store a picture under a random id; return the path and query that open it.

        Raises `CallError`, `unavailable`, when it cannot be stored: nothing else leads to it.
        """
        name = secrets.token_hex(_ID_BYTES)
        try:
            expires_at = await self._objects.put(name, picture.data, picture.media_type)
            expires = int(expires_at)
            signature = await self._signature(name, expires)
        except OSError as error:
            _log.warning("a picture could not be stored: %s", error.strerror)
            message = "the picture could not be stored; ask for its bytes instead of a URL"
            raise CallError("unavailable", message) from error
        return f"/image/-?{urlencode({'id': name, 'exp': expires, 'sig': signature})}"

    async def open(self, query: Mapping[str, str]) -> Stored:
        """Return the picture that a signed URL names.

        Raises `CallError`: `not_found` unless the URL is one of ours, `expired` once it is over.
        """
        name, expires, signature = query.get("id", ""), query.get("exp", ""), query.get("sig", "")
        is_ours = expires.isascii() and expires.isdigit() and len(expires) < len(str(2**64))
        if is_ours:
            expected = await self._signature(name, int(expires))
            is_ours = hmac.compare_digest(signature.encode(), expected.encode())
        if not is_ours:
            raise CallError("not_found", "there is no such picture", param="sig")
        is_over = int(expires) <= self._clock.now().timestamp()
        stored = None if is_over else await self._objects.get(name)
        if stored is None:
            raise CallError("expired", _GONE)
        return stored

    async def _signature(self, name: str, expires: int) -> str:
        if not self._secret:
            self._secret = await asyncio.to_thread(_secret_of, self._secret_file)
        said = f"{name}:{expires}".encode()
        return hmac.new(self._secret, said, hashlib.sha256).hexdigest()


def open_album(keep: Keep, folder: Path, clock: Clock) -> Album:
    """Return the album in the state `folder`, which keeps pictures as the configuration says."""
    objects = FolderObjects(
        folder / "pictures", clock, keep_s=keep.hours * 3600, most_bytes=keep.bytes
    )
    return Album(objects, folder / "signing.key", clock)


def _key(identity: object) -> str:
    return hashlib.sha256(orjson.dumps(identity)).hexdigest()


def _secret_of(file: Path) -> bytes:
    """Return what `file` holds; made whole or not at all, whoever else does so now."""
    with suppress(FileNotFoundError):
        if len(secret := file.read_bytes()) == _SECRET_BYTES:
            return secret
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    own = file.with_name(f"{file.name}.{secrets.token_hex(8)}")
    handle = os.open(own, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as new:
        new.write(secrets.token_bytes(_SECRET_BYTES))
    try:
        with suppress(FileExistsError):
            os.link(own, file)  # Only the first one wins.
    finally:
        own.unlink()
    return file.read_bytes()

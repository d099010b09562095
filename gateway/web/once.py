"""`Idempotency-Key`: one call for all requests with the same key, and its answer for each of them.

After draft-ietf-httpapi-idempotency-key-header-07; but who comes while the call is under way waits
for its answer, and another request under the key is 409 and not 422, which is never used here.
"""

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web

from gateway.background import Background
from gateway.config.caching import Idempotency
from gateway.pipeline.identify import Caller
from gateway.schema.failure import CallError
from gateway.state.cache import Cache
from gateway.web.recording import Head, Recording, Stored
from gateway.web.sameness import IDEMPOTENCY_KEY, LATER, fingerprint_of

Make = Callable[[Recording], Awaitable[None]]
"""Answers the call into a recording, and raises nothing."""
_log = logging.getLogger("dynagate.web")
_MAX_CHARS: Final = 255
_CLAIM_S: Final = 30.0
"""How long a key outlives the process that was making its answer."""
_RENEWALS: Final = 3
_LOOK_S: Final = 0.1
"""Between looks whether another process has the answer."""
_BUSY_S: Final = 1


class Once:
    """The keys in use: those under way in this process, and what is kept."""

    def __init__(self, kept: Cache, settings: Idempotency, background: Background) -> None:
        self._kept = kept
        self._keep_s = settings.keep_hours * 3600
        self._most = settings.answer_bytes
        self._background = background
        self._under_way: dict[str, Recording] = {}

    async def find(
        self, request: web.Request, caller: Caller, request_id: str, make: Make, *, wait_s: float
    ) -> tuple[Recording, bool]:
        """Return the answer to the request, and whether it is another request's.

        One that nobody made yet is begun, in a task that goes on whoever leaves. Raises
        `CallError`: 400 for a key that is none, 409 `idempotency_key_reused` and `conflict`.
        """
        name = _name_of(caller, key_of(request))
        fingerprint = fingerprint_of(request)
        mark = Stored(fingerprint, request_id)
        deadline = asyncio.get_running_loop().time() + wait_s
        while True:
            recording = self._under_way.get(name)
            if recording is not None:
                _check(fingerprint, recording.fingerprint)
                if not recording.can_be_joined:
                    raise _too_large()
                return recording, True
            found = await self._claim(name, mark)
            if found is None:
                return self._begin(name, mark, request, make), False
            _check(fingerprint, found.fingerprint)
            if found.head is not None:
                if found.body is None:
                    raise _too_large()
                return await Recording.again(found, most_bytes=self._most), True
            if asyncio.get_running_loop().time() >= deadline:
                message = "the first request with this Idempotency-Key is still being answered"
                raise CallError("conflict", message, param=IDEMPOTENCY_KEY, retry_after_s=_BUSY_S)
            if name not in self._under_way:
                await asyncio.sleep(_LOOK_S)

    async def _claim(self, name: str, mark: Stored) -> Stored | None:
        """Return what is kept, None once the key is ours."""
        while (data := await self._kept.claim(name, mark.packed(), _CLAIM_S)) is not None:
            found = Stored.unpacked(data)
            if found is not None:
                return found
            self._kept.drop(name)
        return None

    def _begin(self, name: str, mark: Stored, request: web.Request, make: Make) -> Recording:
        most = self._most
        recording = Recording(mark.fingerprint, mark.request_id, most_bytes=most)
        request[LATER] = []
        work = self._run(name, mark, recording, make, request)
        try:
            self._background.start("idempotent call", work)
        except RuntimeError:
            del request[LATER]
            self._kept.drop(name)
            message = "too many answers are being made"
            raise CallError("unavailable", message, retry_after_s=_BUSY_S) from None
        self._under_way[name] = recording
        return recording

    async def _run(
        self,
        name: str,
        mark: Stored,
        recording: Recording,
        make: Make,
        request: web.Request,
    ) -> None:
        claim = _Claim(self._kept, name, mark.packed())
        try:
            await make(recording)
        except Exception:  # noqa: BLE001 - the edge of a task: all who wait are told.
            _log.exception("%s: a bug in the gateway", recording.request_id)
            recording.fail(CallError("internal_error", "something went wrong here"))
        except asyncio.CancelledError:
            recording.fail(CallError("unavailable", "the gateway is stopping"))
            raise
        finally:
            claim.close()
            kept = recording.kept()
            if kept is None:
                self._kept.drop(name)
            else:
                self._kept.put(name, kept.packed(), self._keep_s)
            del self._under_way[name]
            recording.end()
            later = request[LATER]
            del request[LATER]
            for work in later:
                work()


class _Claim:
    """Renews what says that a key's call is under way, until it is closed."""

    def __init__(self, kept: Cache, name: str, packed: bytes) -> None:
        self._kept = kept
        self._name = name
        self._packed = packed
        self._timer = self._later()

    def close(self) -> None:
        """Renew it no more."""
        self._timer.cancel()

    def _renew(self) -> None:
        self._kept.put(self._name, self._packed, _CLAIM_S)
        self._timer = self._later()

    def _later(self) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(_CLAIM_S / _RENEWALS, self._renew)


def key_of(request: web.Request) -> str:
    """Return the request's key. Raises 400 `invalid_parameter` for what is none."""
    given = request.headers.getall(IDEMPOTENCY_KEY)
    key = given[0]
    if len(given) != 1 or not (0 < len(key) <= _MAX_CHARS and key.isascii() and key.isprintable()):
        message = f"Idempotency-Key must be 1 to {_MAX_CHARS} printable ASCII characters, once"
        raise CallError("invalid_parameter", message, param=IDEMPOTENCY_KEY)
    return key


def replayed(head: Head, request_id: str) -> dict[str, str]:
    """Return the headers of an answer that was another request's, without that one's moment."""
    kept = {name: text for name, text in head.headers.items() if not _is_of_moment(name.lower())}
    return {**kept, "Idempotency-Replayed": "true", "X-Original-Request-Id": request_id}


def _is_of_moment(name: str) -> bool:
    """Say whether a header tells of limits, times or attempts, which were the first request's."""
    return name in _OF_MOMENT or name.startswith(("x-ratelimit", "ratelimit", "x-explain"))


_OF_MOMENT = frozenset({"age", "server-timing"})


def _name_of(caller: Caller, key: str) -> str:
    """Return what a caller's key is kept under: a key's own id, or the address."""
    scope = caller.key if caller.held is None else caller.held.id
    return hashlib.sha256(f"{caller.is_anonymous}\n{scope}\n{key}".encode()).hexdigest()


def _check(asked: str, first: str) -> None:
    if asked != first:
        message = "this Idempotency-Key was used for another request: send a new one with it"
        raise CallError("idempotency_key_reused", message, param=IDEMPOTENCY_KEY)


def _too_large() -> CallError:
    message = (
        "the answer to the first request with this Idempotency-Key was too large to be kept; it is "
        "not made again: use another key"
    )
    return CallError("conflict", message, param=IDEMPOTENCY_KEY)

"""One request to the webui, and the end of one that nobody waits for any more."""

import asyncio
from dataclasses import dataclass

import orjson

from gateway.schema.json import JsonObject, read_object
from gateway.sdk import HttpClient, HttpError, Timeouts, UpstreamError
from gateway_sdwebui.failures import refusal, unreachable
from gateway_sdwebui.settings import WebuiSettings

_OK = 200
_ERROR_BYTES = 64 * 1024
_SMALL_BYTES = 4 * 1024 * 1024
_QUICK = Timeouts(connect=5.0, first_byte=10.0, idle=10.0)
_LOOKS = 240
_PAUSE_S = 0.5
_UNKNOWN_LOOKS = 6


@dataclass(frozen=True, slots=True)
class Host:
    """Where the webui is, and what it is told with every request."""

    http: HttpClient
    settings: WebuiSettings

    async def send(self, path: str, document: JsonObject, limit: int, deadline: float) -> bytes:
        """Return what answers the POST, of `limit` bytes at most.

        Raises `UpstreamError`, its cause the `HttpError` where there was no usable answer.
        """
        return await self._ask("POST", path, orjson.dumps(document), limit, deadline=deadline)

    async def look(self, path: str, document: JsonObject | None = None) -> bytes:
        """Return a small answer soon: of a GET, of a POST where there is a `document`."""
        method, body = ("GET", b"") if document is None else ("POST", orjson.dumps(document))
        return await self._ask(method, path, body, _SMALL_BYTES, timeouts=_QUICK)

    async def _ask(
        self,
        method: str,
        path: str,
        body: bytes,
        limit: int,
        *,
        timeouts: Timeouts | None = None,
        deadline: float | None = None,
    ) -> bytes:
        headers = {"content-type": "application/json", "user-agent": "dynagate"}
        if (credentials := self.settings.credentials()) is not None:
            headers["authorization"] = f"Basic {credentials}"
        try:
            async with self.http.request(
                method,
                self.settings.base_url + path,
                headers=headers,
                body=body,
                timeouts=timeouts,
                deadline=deadline,
            ) as answer:
                read = await answer.read(limit if answer.status == _OK else _ERROR_BYTES)
                status = answer.status
        except HttpError as error:
            raise unreachable(error) from error
        if status != _OK:
            raise refusal(status, read)
        return read


async def interrupt(host: Host, task: str, *, pause_s: float = _PAUSE_S) -> None:
    """Interrupt `task` once the webui works on it; give up after two minutes, or 3 s unheard of.

    The webui goes on when its caller has gone. `/internal/progress` tells whose turn it is, and is
    there where its page is; `/sdapi/v1/progress` has no name of a task in its answer (its model
    lacks the field, and the handler fills it from a value imported at the start). Between asking
    and interrupting lies a moment in which another task may begin.
    """
    unknown = 0
    for _ in range(_LOOKS):
        try:
            question = {"id_task": task, "live_preview": False}
            state = read_object(await host.look("/internal/progress", question))
            if state is None or state.get("completed") is True:
                return
            if state.get("active") is True:
                await host.look("/sdapi/v1/interrupt", {})
                return
        except UpstreamError:  # Without its page there is no way to know; nothing is interrupted.
            return
        if state.get("queued") is not True:
            unknown += 1  # It is on its way, or was never taken.
            if unknown == _UNKNOWN_LOOKS:
                return
        await asyncio.sleep(pause_s)

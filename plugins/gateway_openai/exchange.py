"""One request to the host and its answer, its errors in our terms."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType

import orjson

from gateway.schema.failure import Failure
from gateway.schema.json import JsonObject, read_object
from gateway.schema.wires import is_error
from gateway.sdk import Forwarded, HttpClient, HttpError, UpstreamError
from gateway_openai.failures import error_in_stream, refusal, unreachable

REPLY_BYTES = 64 * 1024 * 1024
_OK = 200
_ERROR_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Reached:
    """Where the API is, and what every request to it says."""

    http: HttpClient
    base_url: str
    headers: Mapping[str, str]


class Exchange:
    """One request and its answer; entered when the host has accepted."""

    __slots__ = ("_body", "_headers", "_host", "_path", "_request")

    def __init__(
        self,
        host: Reached,
        path: str,
        document: JsonObject | bytes,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """`document` is a JSON body, or any other with the `headers` that say what it is."""
        self._host = host
        self._path = path
        self._body = document if isinstance(document, bytes) else orjson.dumps(document)
        self._headers = host.headers if headers is None else {**host.headers, **headers}

    async def __aenter__(self) -> Forwarded:
        """Send, and wait for the head; raise `UpstreamError` unless it is a 200."""
        host = self._host
        self._request = host.http.request(
            "POST",
            host.base_url + self._path,
            headers=self._headers,
            body=self._body,
        )
        try:
            answer = await self._request.__aenter__()
        except HttpError as error:
            raise unreachable(error) from error
        if answer.status != _OK:
            try:
                body = await answer.read(_ERROR_BYTES)
            except HttpError:
                body = b""
            finally:
                await self._request.__aexit__(None, None, None)
            raise refusal(answer.status, answer.headers, body)
        self._body = b""  # Sent; a stream may last for minutes.
        return Forwarded({}, aiter(answer), answer.read)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Free the connection."""
        await self._request.__aexit__(kind, error, trace)


async def whole(answer: Forwarded) -> bytes:
    """Return the whole body; raise `UpstreamError`."""
    try:
        return await answer.read(REPLY_BYTES)
    except HttpError as error:
        raise unreachable(error) from error


async def reply_of(exchange: Exchange) -> JsonObject:
    """Return the JSON object that answers; raise `UpstreamError` when it is none, or an error."""
    async with exchange as answer:
        reply = read_object(await whole(answer))
    if reply is None:
        raise UpstreamError(Failure.TRANSIENT, "the answer is not a JSON object")
    if is_error(reply):
        raise error_in_stream(reply)
    return reply

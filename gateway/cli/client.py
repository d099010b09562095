"""A client of the gateway's own `/v1/chat/completions`, on the standard library.

Not urllib: it would send loopback calls through the proxy of the environment.
"""

import http.client
import json
from collections.abc import Generator, Iterator, Mapping, Sequence
from urllib.parse import urlsplit

CONNECT_S = 5.0
SILENCE_S = 90.0
"""The gateway sends a ping each 15 s, so this much silence is a dead connection."""
MAX_ERROR_BYTES = 64 * 1024
MAX_LINE_BYTES = 8 * 1024 * 1024


class ChatError(Exception):
    """An answer that did not come, or not whole; the message is for the user."""


class Client:
    """Speaks to one gateway; a connection for each question."""

    def __init__(self, url: str, key: str | None = None) -> None:
        """Raise `ChatError` unless `url` is http or https with a host."""
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ChatError(f"{url} is not a URL of a gateway: write http://host:port")
        self.url = url
        self._parts = parts
        self._key = key

    def ask(self, model: str, messages: Sequence[Mapping[str, str]]) -> Generator[str]:
        """Yield the answer's text as it comes; closing hangs up. Raises `ChatError`."""
        connection = self._connection()
        try:
            response = self._sent(connection, model, messages)
            if response.status != http.client.OK:
                body = response.read(MAX_ERROR_BYTES)
                raise ChatError(f"{response.status}: {_error_message(body)}")
            yield from _texts(response)
        except (OSError, http.client.HTTPException) as error:
            raise ChatError(f"the answer from {self.url} broke off: {_why(error)}") from None
        finally:
            connection.close()

    def _connection(self) -> http.client.HTTPConnection:
        secure = self._parts.scheme == "https"
        made = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        try:
            connection = made(str(self._parts.hostname), self._parts.port, timeout=CONNECT_S)
            connection.connect()
        except (OSError, ValueError) as error:
            raise ChatError(
                f"no gateway answers at {self.url} ({_why(error)}): "
                "start one with `dynagate serve`, or name another with --url"
            ) from None
        connection.sock.settimeout(SILENCE_S)
        return connection

    def _sent(
        self,
        connection: http.client.HTTPConnection,
        model: str,
        messages: Sequence[Mapping[str, str]],
    ) -> http.client.HTTPResponse:
        headers = {"Content-Type": "application/json", "Accept": "text/event-stream"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        body = json.dumps({"model": model, "messages": list(messages), "stream": True})
        path = f"{self._parts.path.rstrip('/').removesuffix('/v1')}/v1/chat/completions"
        connection.request("POST", path, body.encode(), headers)
        return connection.getresponse()


def _texts(response: http.client.HTTPResponse) -> Iterator[str]:
    from pydantic_core import from_json

    while line := response.readline(MAX_LINE_BYTES):
        if not line.startswith(b"data:"):
            continue
        data = line[5:].strip()
        if data == b"[DONE]":
            return
        try:
            document = from_json(data)
            if "error" in document:
                raise ChatError(_error_message(data))
            texts = [choice["delta"].get("content") or "" for choice in document["choices"]]
            text = "".join(texts)
        except (ValueError, KeyError, TypeError, AttributeError):
            raise ChatError("the answer is not an OpenAI stream: is this a gateway?") from None
        if text:
            yield text
    raise ChatError("the answer broke off")


def _error_message(body: bytes) -> str:
    """Return what an error body says, or its first line."""
    from pydantic_core import from_json

    try:
        return str(from_json(body)["error"]["message"])
    except (ValueError, KeyError, TypeError):
        lines = body.decode(errors="replace").splitlines()
        return lines[0][:200] if lines else "no reason was given"


def _why(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__

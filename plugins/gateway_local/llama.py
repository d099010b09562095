"""One request to the worker: an OpenAI document in, the chunks of its stream out.

Source: llama.cpp's server as bundled by xllamacpp 2026.10, whose errors were read off it.
"""

from collections.abc import AsyncGenerator

import orjson

from gateway.schema.failure import Failure
from gateway.schema.json import JsonObject, read_object
from gateway.schema.sse import DONE, FrameTooLargeError, Splitter, data_of, frames_of
from gateway.schema.wires import error_message
from gateway.sdk import HttpClient, HttpError, Timeouts, UpstreamError
from gateway_local.engine import Endpoint

# The head comes with the first token: reading a long prompt on a busy machine takes a minute. The
# attempt's deadline is the bound.
_TIMEOUTS = Timeouts(connect=5.0, first_byte=None, idle=None)
_ERROR_BYTES = 64 * 1024
_OK = 200
_DONE = data_of(DONE)


async def chunks(
    http: HttpClient, endpoint: Endpoint, path: str, document: JsonObject, deadline: float
) -> AsyncGenerator[JsonObject]:
    """Yield what the worker streams; closing frees its slot at once. Raises `UpstreamError`."""
    headers = {
        "authorization": f"Bearer {endpoint.key}",
        "content-type": "application/json",
        # The server announces keep-alive and hangs up: a connection's second request fails.
        "connection": "close",
    }
    splitter = Splitter()
    try:
        async with http.request(
            "POST",
            endpoint.url + path,
            headers=headers,
            body=orjson.dumps(document),
            timeouts=_TIMEOUTS,
            deadline=deadline,
        ) as answer:
            if answer.status != _OK:
                raise refusal(read_object(await answer.read(_ERROR_BYTES)) or {}, answer.status)
            async for piece in answer:
                for frame in frames_of(splitter.feed(piece)):
                    data = data_of(frame)
                    if data == _DONE:
                        return
                    # Pings are empty; completions begin with `data: null`.
                    if not data or data == b"null":
                        continue
                    yield _chunk(data)
    except HttpError as error:
        failure = Failure.TIMEOUT if error.is_timeout else Failure.TRANSIENT
        raise UpstreamError(failure, f"local: the worker broke off: {error}") from error
    except FrameTooLargeError as error:
        raise UpstreamError(Failure.TRANSIENT, f"local: {error}") from error
    raise UpstreamError(Failure.TRANSIENT, "local: the worker ended its answer too early")


def refusal(document: JsonObject, status: int) -> UpstreamError:
    """Return the error for an answer that is one."""
    error = document.get("error")
    error = error if isinstance(error, dict) else {}
    words = error_message(document)
    if error.get("type") == "exceed_context_size_error":
        return UpstreamError(
            Failure.CONTEXT_LENGTH,
            f"local: the conversation has {error.get('n_prompt_tokens')} tokens; this model is run "
            f"with a context of {error.get('n_ctx')}, answer included",
            status=status,
        )
    if status // 100 != 4 or status == 401:  # noqa: PLR2004 - a key that differs is another worker's
        return UpstreamError(
            Failure.TRANSIENT, f"local: the worker answered {status}", status=status
        )
    if "schema" in words.lower() or "grammar" in words.lower():
        # The words end, for one, in `…: JSON schema error at #/properties/a: unrecognized type`.
        _, _, detail = words.rpartition("Automatic parser generation failed: ")
        return UpstreamError(
            Failure.CALLER_FAULT,
            f"response_format cannot be enforced: {detail}",
            status=status,
            param="response_format",
        )
    return UpstreamError(
        Failure.CALLER_FAULT, f"local: {words or 'the request was refused'}", status=status
    )


def _chunk(data: bytes) -> JsonObject:
    chunk = read_object(data)
    if chunk is None:
        raise UpstreamError(Failure.TRANSIENT, "local: the worker sent no JSON object")
    error = chunk.get("error")
    if error:
        code = error.get("code") if isinstance(error, dict) else None
        raise refusal(chunk, code if isinstance(code, int) else 500)
    for choice in chunk.get("choices") or ():
        # The vocabulary's numbers are no part of OpenAI's token entries.
        for entry in (choice.get("logprobs") or {}).get("content") or ():
            entry.pop("id", None)
            for other in entry.get("top_logprobs") or ():
                other.pop("id", None)
    return chunk

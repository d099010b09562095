"""Callers' query strings, forms and path prompts, decoded without guessing.

Our own because `urllib.parse` and aiohttp put U+FFFD where bytes are not UTF-8, and the contract is
to say so. An escape that is none (`100%`, `%zz`) stays as it is, as everywhere on the web.
"""

import re

from gateway.dialects.fields import shown
from gateway.schema.failure import CallError

MAX_PARAMETERS = 256


def parse_query(raw: str) -> dict[str, str]:
    """Return the parameters of `raw`, a query string without its `?`, as it stood in the request.

    In the order of their first appearance; of a repeated one the last counts; one without `=` is
    empty. `raw` may hold undecoded bytes as surrogate escapes, which is how aiohttp reads a request
    line. Raises `invalid_parameter` for bytes that are not UTF-8, NUL and too many parameters.
    """
    return _parse(_as_bytes(raw))


def parse_form(body: bytes) -> dict[str, str]:
    """Return the parameters of an `application/x-www-form-urlencoded` body, like `parse_query`."""
    return _parse(body)


def decode_path(raw: str) -> str:
    """Return the prompt that is the rest of a path, as it stood in the request.

    Slashes and plus signs are part of it. Raises `invalid_parameter`, naming `user_input`, for
    bytes that are not UTF-8 and for NUL.
    """
    return _text(_unescape(_as_bytes(raw)), "user_input")


def _parse(raw: bytes) -> dict[str, str]:
    pieces = raw.replace(b"+", b" ").split(b"&", MAX_PARAMETERS)
    if len(pieces) > MAX_PARAMETERS:
        raise CallError(
            "invalid_parameter", f"There are more than {MAX_PARAMETERS} parameters; send fewer."
        )
    given: dict[str, str] = {}
    for piece in pieces:
        if not piece:
            continue
        name, _, value = piece.partition(b"=")
        key = _text(_unescape(name), None)
        given[key] = _text(_unescape(value), key)
    return given


def _unescape(raw: bytes) -> bytes:
    """Return `raw` without escapes; a run of them costs one call, and a script is all runs."""
    return _ESCAPES.sub(_run, raw) if b"%" in raw else raw


def _run(escapes: re.Match[bytes]) -> bytes:
    return bytes.fromhex(escapes[0].replace(b"%", b"").decode("ascii"))


def _text(raw: bytes, name: str | None) -> str:
    """Return `raw` as text; `name` is whose value it is, None where it is itself a name."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        fault = "is not UTF-8 once its escapes are decoded"
        text = raw.decode("ascii", "backslashreplace")
    else:
        if "\0" not in text:
            return text
        fault = "holds a NUL character"
    param = text if name is None else name
    subject = (
        f"The parameter name {shown(param)}" if name is None else f"The value of {shown(name)}"
    )
    raise CallError("invalid_parameter", f"{subject} {fault}.", param=param[:_PARAM_CHARS])


def _as_bytes(raw: str) -> bytes:
    try:
        return raw.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        # A surrogate that escapes no byte: encoded as it is, it is refused where it stands.
        return raw.encode("utf-8", "surrogatepass")


_ESCAPES = re.compile(rb"(?:%[0-9A-Fa-f]{2})+")
_PARAM_CHARS = 64

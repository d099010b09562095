"""What a refusal of the webui means, in failure classes.

Source: `api_middleware` of `modules/api/api.py`, and FastAPI's own errors.
"""

from types import MappingProxyType

from gateway.schema.failure import Failure
from gateway.schema.json import read_object
from gateway.sdk import HttpError, UpstreamError

_NO_API = "the webui has no API there: start it with --api"
_PLAIN = MappingProxyType(
    {
        401: (Failure.CREDENTIAL, "the webui wants the username and password of its --api-auth"),
        403: (Failure.CREDENTIAL, "the webui lets nobody in with these credentials"),
        405: (Failure.MODEL_GONE, _NO_API),
        413: (Failure.UNSUPPORTED, "what stands before the webui takes no request this large"),
        504: (Failure.TIMEOUT, "what stands before the webui has waited in vain"),
    }
)
_SERVER_ERRORS = range(500, 600)


def refusal(status: int, body: bytes) -> UpstreamError:
    """Return the error for an answer whose status is not 200."""
    if status in _PLAIN:
        failure, message = _PLAIN[status]
        return UpstreamError(failure, message, status=status)
    document = read_object(body) or {}
    detail = document.get("detail")
    said = detail if isinstance(detail, str) else ""
    kind = document.get("error")
    if said == "Invalid encoded image":  # A 500, although it is the picture that it cannot read.
        failure, message = Failure.UNSUPPORTED, "the webui cannot read this type of picture"
        return UpstreamError(failure, message, status=status, param="image")
    if said.endswith("not found"):  # A sampler, scheduler or script of the configuration.
        return UpstreamError(Failure.MODEL_GONE, f"the webui says: {said}", status=status)
    if status == 404:  # noqa: PLR2004 - FastAPI's, for a path that nobody serves.
        return UpstreamError(Failure.MODEL_GONE, _NO_API, status=status)
    if status in _SERVER_ERRORS:
        why = kind if isinstance(kind, str) and kind else "an error without words"
        message = f"the webui failed: {why[:200]}"
        if "OutOfMemory" in message:
            message = "the webui's GPU has too little memory for this"
        return UpstreamError(Failure.TRANSIENT, message, status=status)
    # A 422 is about our document: what callers can ask for has been looked at before.
    return UpstreamError(Failure.UNKNOWN, f"the webui answered {status}", status=status)


def unreachable(error: HttpError) -> UpstreamError:
    """Return the error for a request that got no usable answer."""
    failure = Failure.TIMEOUT if error.is_timeout else Failure.TRANSIENT
    return UpstreamError(failure, str(error))

"""What aiohttp raises, as `HttpError`: a phase, and a sentence without path, headers or body."""

import errno
import os
import ssl
from typing import Final, Literal

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError

from gateway.sdk.http import HttpError
from gateway.transport.guard import REFUSED

Phase = Literal["pool", "guard", "connect", "head", "body"]

UNSENT: Final[frozenset[Phase]] = frozenset({"pool", "guard", "connect"})
"""The phases in which no byte of a request has left."""

FAILURES: Final = (aiohttp.ClientError, HttpProcessingError, OSError, RuntimeError, ValueError)
"""All that aiohttp is known to raise.

ValueError is a URL or header that cannot be sent, RuntimeError a pool that was closed.
"""

_DROPPED: Final = frozenset({errno.ECONNRESET, errno.EPIPE, errno.ECONNABORTED})


class RefusedError(OSError):
    """The guard's refusal, as what aiohttp takes for an address that cannot be connected to.

    So the other addresses of the same name are tried.
    """


class UrlError(ValueError):
    """What was to be reached is not named by a URL of http or https."""


def to_http_error(error: Exception, *, phase: Phase, where: str, resent: bool) -> HttpError:
    """Return what to raise `from None`: aiohttp's own texts hold URLs, and so would the chain.

    `resent` says that the request had been sent before this try, which cannot make it unsent.
    """
    phase = _phase(error, phase)
    return HttpError(
        f"{where}: {_reason(error)}", phase=phase, unsent=phase in UNSENT and not resent
    )


def is_dropped(error: Exception) -> bool:
    """Whether the server closed or reset the connection before any byte of an answer."""
    if isinstance(error, aiohttp.ServerDisconnectedError):
        # Otherwise it carries the head that had begun.
        return isinstance(error.message, str)
    return isinstance(error, ConnectionError) or (
        isinstance(error, OSError) and error.errno in _DROPPED
    )


def _phase(error: Exception, phase: Phase) -> Phase:
    if _is_refused(error):
        return "guard"
    # Only time runs out in the pool: what fails that early is the URL or a header.
    return "connect" if phase == "pool" else phase


def _is_refused(error: Exception) -> bool:
    return isinstance(error, aiohttp.ClientConnectorError) and isinstance(
        error.os_error, RefusedError
    )


def _reason(error: Exception) -> str:
    if _is_refused(error):
        return REFUSED
    for kind, sentence in _SENTENCES:
        if isinstance(error, kind):
            return sentence.format(detail=_detail(error))
    return "the connection was closed"


_SENTENCES: Final[tuple[tuple[type[Exception], str], ...]] = (
    (aiohttp.ClientConnectorDNSError, "the name could not be resolved"),
    (aiohttp.ClientConnectorCertificateError, "the certificate is not trusted: {detail}"),
    (aiohttp.ClientConnectorSSLError, "the TLS handshake failed"),
    (aiohttp.ClientProxyConnectionError, "the proxy cannot be reached: {detail}"),
    (aiohttp.ClientHttpProxyError, "the proxy answered {detail} to CONNECT"),
    (aiohttp.ClientConnectorError, "cannot connect: {detail}"),
    (aiohttp.ServerDisconnectedError, "the connection was closed before the answer"),
    (aiohttp.ClientResponseError, "the head of the answer is malformed or too large"),
    (aiohttp.ClientPayloadError, "the body ended early or is malformed"),
    (HttpProcessingError, "the head of the answer is malformed or too large"),
    (UrlError, "the URL is not one of http or https"),
    (aiohttp.InvalidURL, "the URL is not one of http or https"),
    (OSError, "the connection broke: {detail}"),
    (ValueError, "the URL or a header cannot be sent"),
)
"""The narrowest kinds first."""


def _detail(error: Exception) -> str:
    match error:
        case aiohttp.ClientConnectorCertificateError(certificate_error=cause):
            if isinstance(cause, ssl.SSLCertVerificationError):
                return cause.verify_message
        case aiohttp.ClientHttpProxyError():
            return str(error.status)
        case OSError() if error.errno:
            # The system's own words: `strerror` of an error of aiohttp's may hold a URL.
            return os.strerror(error.errno)
    return "unknown reason"

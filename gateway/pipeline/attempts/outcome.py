"""What a failed attempt means for the caller, read from its failure class alone."""

from gateway.pipeline.call import Services
from gateway.schema.ask import Ask
from gateway.schema.failure import CallError, Failure
from gateway.sdk.errors import UpstreamError

_CODES = {
    Failure.CALLER_FAULT: "upstream_rejected",
    Failure.CONTEXT_LENGTH: "context_length_exceeded",
    Failure.UNSUPPORTED: "unsupported_feature",
    Failure.RATE_LIMIT: "upstream_rate_limited",
    Failure.QUOTA: "upstream_rate_limited",
    Failure.NOT_READY: "unavailable",
    Failure.TIMEOUT: "deadline_exceeded",
}
_REASONS = {
    Failure.CREDENTIAL: "the operator's credential was refused",
    Failure.MODEL_ACCESS: "the operator may not use this model there",
    Failure.QUOTA: "the operator's quota is used up",
    Failure.MODEL_GONE: "the model is not there",
    Failure.REGION_BLOCKED: "it does not serve the operator's region",
    Failure.RATE_LIMIT: "it takes no more calls for now",
    Failure.TIMEOUT: "it did not answer in time",
    Failure.TRANSIENT: "it broke off, or its answer could not be read",
    Failure.UNKNOWN: "it failed",
}
_SHOWN = {
    Failure.CALLER_FAULT,
    Failure.CONTEXT_LENGTH,
    Failure.UNSUPPORTED,
    Failure.NOT_READY,
}
"""Failures whose message is the caller's to read."""
_MESSAGE_CHARS, _PARAM_CHARS = 500, 200


def is_final(failure: Failure) -> bool:
    """Say whether no other target can do better."""
    return failure is Failure.CALLER_FAULT


def call_error(error: UpstreamError, provider: str, ask: Ask, services: Services) -> CallError:
    """Return what the caller is told of the attempt that settled the call."""
    code = _CODES.get(error.failure, "upstream_failed")
    if error.failure in _SHOWN:
        message = services.redact(error.message)[:_MESSAGE_CHARS]
    else:
        message = f"{provider} could not answer for {ask.model[:80]!r}: {_REASONS[error.failure]}"
    return CallError(
        code,
        message,
        param=None if error.param is None else services.redact(error.param)[:_PARAM_CHARS],
        retry_after_s=error.retry_after if code == "upstream_rate_limited" else None,
        failure=error.failure,
    )

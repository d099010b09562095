"""The one error that a provider raises."""

from gateway.schema.failure import Failure


class UpstreamError(Exception):
    """An attempt that failed, and why.

    `status` is what the upstream answered, if it did; `retry_after` seconds it asked to wait. The
    message may be shown to the caller for `caller_fault`, `context_length` and `unsupported`: it
    must hold no secret (known ones are redacted all the same). `param` names the caller's parameter
    at fault.
    """

    def __init__(
        self,
        failure: Failure,
        message: str,
        *,
        status: int | None = None,
        retry_after: float | None = None,
        param: str | None = None,
    ) -> None:
        super().__init__(message)
        self.failure = failure
        self.message = message
        self.status = status
        self.retry_after = retry_after
        self.param = param

"""What a call used, where nobody told: made out of lengths, and flagged as such."""

from contextlib import suppress
from dataclasses import replace

from gateway.pipeline.call import Call, Services
from gateway.pipeline.limits.lengths import WRITES, output_ceiling
from gateway.schema.ask import Feature
from gateway.schema.estimate import input_tokens
from gateway.schema.failure import CallError
from gateway.schema.usage import Usage

_COUNTED = WRITES | {Feature.EMBEDDING}


def count(call: Call, services: Services) -> None:
    """Settle `call.usage`: what the upstream said, else an estimate of what there was.

    A call that no target began to answer used nothing; neither does one that is counted in
    something else than tokens. One whose caller left is counted as `ledger.aborted` says.
    """
    policy = services.document.ledger.aborted
    is_presumed = call.is_aborted and policy == "estimate" and call.target is not None
    if call.usage is not None or call.ask.needs.isdisjoint(_COUNTED):
        return
    has_begun = call.written.pieces > 0 or (call.error is None and not call.is_aborted)
    if not (has_begun or is_presumed):
        return
    usage = Usage(input_tokens=_read(call), is_estimated=True)
    if not call.ask.needs.isdisjoint(WRITES):
        written = call.written.tokens
        if is_presumed:
            written = max(written, call.output_ceiling or output_ceiling(call.ask)[1])
        usage = replace(usage, output_tokens=written)
    call.usage = usage


def _read(call: Call) -> int:
    if call.input_tokens is not None:
        return call.input_tokens
    with suppress(CallError):  # Its caller may have left before anybody read it as a whole.
        return input_tokens(call.ask)
    return 0

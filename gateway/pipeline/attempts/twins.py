"""A second record of one call, for an attempt that is made beside another.

Attempts write what they learn into their call. Two at once would write over each other, so that
each has its own; the call becomes what the winner's says, and is billed for the other as well.
"""

from dataclasses import replace

from gateway.pipeline.accounting.count import count
from gateway.pipeline.accounting.prices import FREE, Cost
from gateway.pipeline.call import Call, Lost, Services
from gateway.schema.meter import Written
from gateway.schema.usage import Usage

_LEARNT = (
    "target",
    "dropped_params",
    "dropped_fields",
    "usage",
    "written",
    "model",
    "path",
    "request",
    "voice",
    "images",
    "audio_s",
    "fetched",
    "input_tokens",
    "output_ceiling",
    "queue_s",
    "upstream_s",
)
"""What an attempt finds out."""


def twin_of(call: Call) -> Call:
    """Return a record of the same request in which nothing has been tried.

    Its `ask` is its own, since whoever is answered drops the document. What it settles is settled
    for `call`.
    """
    return replace(
        call,
        ask=replace(call.ask),
        target=None,
        tried=[],
        attempts=0,
        queue_s=None,
        usage=None,
        written=Written(),
        model=None,
        images=0,
        audio_s=0.0,
        held=None,
        twin_of=call,
    )


def adopt(call: Call, twin: Call) -> None:
    """Let `call` be what its twin has become, until the ledger has it."""
    if call.kept is not None:
        return
    for name in _LEARNT:
        setattr(call, name, getattr(twin, name))
    call.ask.document = twin.ask.document


def lose(call: Call, loser: Call, services: Services) -> None:
    """Bill `call` for an attempt that was given up for another's answer.

    It is counted as a call whose caller left: see `ledger.aborted`.
    """
    loser.is_aborted = True
    count(loser, services)
    call.lost = Lost(loser.usage, services.prices.cost(loser))


def both(lost: Lost, usage: Usage | None, cost: Cost) -> tuple[Usage | None, Cost]:
    """Return what two attempts have used together; what nobody knows of one is not known of both.

    Where both have a price it is the winner's version that is named.
    """
    if lost.usage is not None:
        usage = lost.usage if usage is None else usage + lost.usage
    if lost.cost == FREE:
        return usage, cost
    known = None not in (cost.usd_micros, lost.cost.usd_micros)
    micros = (cost.usd_micros or 0) + (lost.cost.usd_micros or 0) if known else None
    return usage, Cost(micros, cost.version or lost.cost.version)

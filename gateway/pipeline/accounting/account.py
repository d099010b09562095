"""The last step: what the call was, for the ledger, the metrics and the log.

All but `settle` never wait, since they also run under cancellation.
"""

from gateway.pipeline.accounting.count import count
from gateway.pipeline.accounting.prices import FREE, Cost
from gateway.pipeline.attempts.twins import adopt, both
from gateway.pipeline.call import Call, Services
from gateway.schema.json import JsonObject
from gateway.schema.usage import Usage
from gateway.state.ledger import Entry

_NO_USAGE = Usage()


async def settle(call: Call, services: Services) -> None:
    """Wait until the ledger has the call, 0.1 s at most: what ends its answer is sent after this.

    Called when all that is known of the answer stands in `call`, inside of `run` or after it.
    """
    record(call, services)
    if call.kept is not None:
        await call.kept


def record(call: Call, services: Services) -> None:
    """Give the ledger the call's entry, once; a call that was not admitted has none."""
    if call.twin_of is not None:
        adopt(call.twin_of, call)
        record(call.twin_of, services)
        call.kept = call.twin_of.kept
    elif call.kept is None and call.lease is not None:
        if call.recall is not None and call.recall.is_free:
            call.cost = FREE
        else:
            count(call, services)
            call.cost = services.prices.cost(call)
            if call.lost is not None:
                call.usage, call.cost = both(call.lost, call.usage, call.cost)
        call.kept = services.ledger.record(_entry(call, services, call.cost))


def record_shadow(call: Call, services: Services) -> None:
    """Give the ledger the entry of a copy: a row of its own, which is in no caller's account."""
    count(call, services)
    call.cost = services.prices.cost(call)
    services.ledger.record(_entry(call, services, call.cost))


def account(call: Call, services: Services) -> None:
    """Record the call, count it and write its line."""
    record(call, services)
    now = services.clock.monotonic()
    usage = call.usage
    target = call.target
    provider = target.connected.label if target else "-"
    status = _status(call)
    tokens = (usage.total_in, usage.total_out) if usage else (0, 0)
    first_s = None if call.first_at is None else call.first_at - call.started
    _note_speed(call, tokens, now)
    ask = call.ask
    services.metrics.called(
        (ask.dialect, call.route_name or "-", provider, status), now - call.started, first_s, tokens
    )
    _measure(call, services)
    fields: JsonObject = {
        "event": "call",
        "request_id": call.request_id,
        "dialect": ask.dialect,
        "model": ask.model[:80],
        "target": target.label if target else None,
        "status": status,
        "total_ms": round((now - call.started) * 1000, 1),
        "path": call.path,
        "is_stream": ask.is_stream,
        "address": call.caller.address if call.caller else call.presented.address,
    }
    if call.caller is not None and call.caller.held is not None:
        fields["key_id"] = call.caller.held.id
    if first_s is not None:
        fields["first_token_ms"] = round(first_s * 1000, 1)
    if usage is not None:
        fields["input_tokens"], fields["output_tokens"] = tokens
    if call.cost is not None:
        _note_bill(fields, usage, call.cost)
    _note_besides(fields, call)
    if call.error is not None:
        fields["code"], fields["failure"] = call.error.code, call.error.failure
    if call.is_aborted:
        fields["is_aborted"] = True
    if call.client_request_id is not None:
        fields["client_request_id"] = call.client_request_id
    services.log.write(fields)


def _measure(call: Call, services: Services) -> None:
    if call.recall is not None:
        services.metrics.besides.recalled(call.route_name, call.recall.result)
    if call.hedged:
        services.metrics.besides.hedged(call.route_name, call.hedged)
    for name, action in call.guards.items():
        services.metrics.besides.guarded(call.route_name, name, action)
    for tried in call.tried:
        services.metrics.failed(tried.target.connected.label, tried.failure)


def _note_besides(said: JsonObject, call: Call) -> None:
    """Add what there is to say of the cache, of guards, and of further attempts."""
    if call.recall is not None:
        said["cache"] = call.recall.result
        if call.recall.shared_with:
            said["shared_with"] = call.recall.shared_with
    if call.guards:
        said["guards"] = list(call.guards)
    if call.tried:
        said["failed_attempts"] = [f"{t.target.label}: {t.failure}" for t in call.tried]
    if call.hedged:
        said["hedged"] = call.hedged


def _note_speed(call: Call, tokens: tuple[int, int], now: float) -> None:
    """Note how fast the target wrote a stream that nobody read aloud meanwhile."""
    if call.first_at is None or call.target is None or call.error is not None:
        return
    if call.voice is None:
        _read, written = tokens
        call.target.health.wrote(written, now - call.first_at)


def _note_bill(said: JsonObject, usage: Usage | None, cost: Cost) -> None:
    """Add what there is to say of a call's cost; nothing of one that is free."""
    if usage is not None and usage.is_estimated:
        said["is_estimated"] = True
    if cost.version:
        said["cost_usd_micros"] = cost.usd_micros


def _status(call: Call) -> int:
    # 499 is what proxies log for a caller that left before the answer's end.
    return 499 if call.is_aborted else call.error.status if call.error else 200


def _entry(call: Call, services: Services, cost: Cost) -> Entry:
    clock, ask, error = services.clock, call.ask, call.error
    total_s = clock.monotonic() - call.started
    held = call.caller.held if call.caller is not None else None
    recall = call.recall
    return Entry(
        request_id=call.request_id,
        at=clock.now().timestamp() - total_s,
        key_id="" if held is None else held.id,
        model=ask.model,
        target=call.target.label if call.target is not None and call.attempts else "",
        dialect=ask.dialect,
        status=_status(call),
        failure="" if error is None else error.failure or error.code,
        attempts=call.attempts,
        usage=call.usage or _NO_USAGE,
        images=call.images,
        audio_s=call.audio_s,
        cost_usd_micros=cost.usd_micros,
        price_version=cost.version,
        queue_s=call.queue_s,
        first_token_s=None if call.first_at is None else call.first_at - call.started,
        total_s=total_s,
        is_stream=ask.is_stream,
        is_aborted=call.is_aborted,
        cache="" if recall is None else recall.result,
        shared_with="" if recall is None else recall.shared_with,
    )

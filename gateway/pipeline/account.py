"""The last step: what the call was, for the metrics and the log.

It never waits, since it also runs under cancellation.
"""

from gateway.pipeline.call import Call, Services
from gateway.pipeline.prices import Cost
from gateway.schema.json import JsonObject
from gateway.schema.usage import Usage


def account(call: Call, services: Services) -> None:
    """Count the call and write its line."""
    now = services.clock.monotonic()
    usage = call.usage
    target = call.target
    cost = services.prices.cost(call)
    provider = target.connected.name if target else "-"
    # 499 is what proxies log for a caller that left before the answer's end.
    status = 499 if call.is_aborted else call.error.status if call.error else 200
    tokens = (usage.total_in, usage.total_out) if usage else (0, 0)
    first_s = None if call.first_at is None else call.first_at - call.started
    ask = call.ask
    services.metrics.called(
        (ask.dialect, call.route_name or "-", provider, status), now - call.started, first_s, tokens
    )
    for tried in call.tried:
        services.metrics.failed(tried.target.connected.name, tried.failure)
    fields: JsonObject = {
        "event": "call",
        "request_id": call.request_id,
        "dialect": ask.dialect,
        "model": ask.model[:80],
        "target": target.name if target else None,
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
    fields |= _bill(usage, cost)
    if call.tried:
        fields["failed_attempts"] = [f"{t.target.name}: {t.failure}" for t in call.tried]
    if call.error is not None:
        fields["code"], fields["failure"] = call.error.code, call.error.failure
    if call.is_aborted:
        fields["is_aborted"] = True
    if call.client_request_id is not None:
        fields["client_request_id"] = call.client_request_id
    services.log.write(fields)


def _bill(usage: Usage | None, cost: Cost) -> JsonObject:
    """Return what there is to say of a call's cost; nothing of one that is free."""
    bill: JsonObject = {"is_estimated": True} if usage and usage.is_estimated else {}
    if cost.version:
        bill["cost_usd_micros"] = cost.usd_micros
    return bill

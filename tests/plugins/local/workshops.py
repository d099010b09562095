"""The workshop as `kind: local` has it, for tests that ask one engine."""

from typing import Any

from gateway.sdk import Deps
from gateway.sdk.workshop import Workshop


def make_workshop(deps: Deps, orders: dict[str, dict[str, Any]]) -> Workshop:
    """Return the workshop of the bundled engines."""
    return Workshop(
        name="local",
        package="gateway_local.engines",
        orders=orders,
        idle_s=60.0,
        memory_bytes=1 << 30,
        clock=deps.clock,
        log=deps.log,
    )

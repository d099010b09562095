"""What is done when a call is over, whoever is there to see it."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from gateway.pipeline.accounting.account import account, settle
from gateway.pipeline.attempts.visiting import is_telling
from gateway.pipeline.call import Call, Services
from gateway.pipeline.limits import quota
from gateway.schema.sse import DONE


async def end(call: Call, services: Services) -> None:
    """Free the caller's place and the provider, and settle the account."""
    # The caller's place is free before anything that may take time.
    quota.leave(call, services)
    services.metrics.in_flight -= 1
    try:
        await release(call, is_whole=call.error is None and not call.is_aborted)
    finally:
        account(call, services)
        quota.settle(call)


async def release(call: Call, *, is_whole: bool) -> None:
    """Free what a streamed answer holds, and tell the target's health how it ended.

    One that is neither whole nor failed was left by its caller, and says nothing of its target.
    """
    held, call.held = call.held, None
    if held is None:
        return
    if is_whole:
        held.visit.answered()
    elif (
        call.error is not None
        and call.error.failure is not None
        and is_telling(call, call.error.failure)
    ):
        held.visit.failed(call.error.failure)
    await held.release()


async def settled(
    frames: AsyncGenerator[bytes], call: Call, services: Services
) -> AsyncGenerator[bytes]:
    """Yield `frames`, whose `[DONE]` comes once the ledger has the call."""
    async with aclosing(frames):
        async for piece in frames:
            if not piece.endswith(DONE):
                yield piece
                continue
            if before := piece.removesuffix(DONE):
                yield before
            await settle(call, services)
            yield DONE

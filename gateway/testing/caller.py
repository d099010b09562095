"""Asks a provider as the gateway would."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from gateway.schema.chat import ChatRequest
from gateway.schema.events import StreamEvent
from gateway.sdk import Attempt, ChatProvider, Clock

_DEADLINE_S = 60.0


class Caller:
    """Asks one connected provider; each call has `patience_s` seconds."""

    def __init__(self, provider: ChatProvider, clock: Clock, *, patience_s: float) -> None:
        self.provider = provider
        self._clock = clock
        self._patience_s = patience_s
        self._calls = 0

    def stream(
        self, request: ChatRequest, *, is_stream: bool = True
    ) -> AsyncGenerator[StreamEvent]:
        """Begin an attempt; the one who asks closes the generator."""
        self._calls += 1
        deadline = self._clock.monotonic() + _DEADLINE_S
        attempt = Attempt(f"conformance-{self._calls}", 1, deadline, is_stream=is_stream)
        return self.provider.chat(request, attempt)

    async def whole(self, request: ChatRequest, *, is_stream: bool = True) -> list[StreamEvent]:
        """Return all events of an answer."""
        async with (
            asyncio.timeout(self._patience_s),
            aclosing(self.stream(request, is_stream=is_stream)) as events,
        ):
            return [event async for event in events]

    async def first(self, request: ChatRequest) -> StreamEvent:
        """Return the first event and close the generator at once."""
        async with asyncio.timeout(self._patience_s):
            events = self.stream(request)
            try:
                return await anext(events)
            finally:
                await events.aclose()

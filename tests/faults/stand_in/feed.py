"""The feed of the stand-in: what callers of the GET API generate, for everybody to read."""

import asyncio
import json

from aiohttp import web

from tests.faults.stand_in.settings import Settings

_QUEUE = 64


class Feed:
    """Hands events to its readers; who falls behind by `_QUEUE` is dropped."""

    def __init__(self, settings: Settings) -> None:
        self._defects = settings.defects
        self._readers: dict[asyncio.Queue[bytes | None], web.StreamResponse] = {}
        self._events = 0

    async def read(self, request: web.Request) -> web.StreamResponse:
        """Answer one reader until it is gone."""
        answer = web.StreamResponse()
        answer.content_type = "text/event-stream"
        await answer.prepare(request)
        await answer.write(b"retry: 3000\n\n")
        queue: asyncio.Queue[bytes | None] = asyncio.Queue(_QUEUE)
        self._readers[queue] = answer
        try:
            while (frame := await queue.get()) is not None:
                await answer.write(frame)
        except ConnectionError:
            return answer  # It has left.
        finally:
            self._readers.pop(queue, None)
        return answer

    async def publish(self, prompt: str, words: str, *, is_private: bool) -> None:
        """Tell every reader of a generation."""
        if is_private and "shows_private" not in self._defects:
            return
        self._events += 1
        turns = [{"role": "user", "content": prompt}]
        event = {"response": words, "model": "openai", "messages": turns, "parameters": {}}
        data = json.dumps(event, separators=(",", ":"))
        if "forges_events" in self._defects:
            data = data.replace(json.dumps(prompt)[1:-1], prompt)
        frame = f"id: {self._events}\ndata: {data}\n\n".encode()
        for queue, answer in list(self._readers.items()):
            if "waits_for_readers" in self._defects:
                await answer.write(frame)
            elif queue.full():
                queue.get_nowait()
                queue.put_nowait(None)
                del self._readers[queue]
            else:
                queue.put_nowait(frame)

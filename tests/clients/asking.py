"""Whom the tests of real clients ask, what, and how they read a stream."""

from collections.abc import Sequence

from openai import AsyncOpenAI
from openai.types.chat import ChatCompletionChunk, ChatCompletionMessageParam

KEY = "Th3-C0der"
"""What the published page tells callers to send: any text, since the SDK insists on some."""

CONFIG = """
logs: {{format: json}}
providers:
  up: {{kind: openai, settings: {{base_url: "{url}/v1", api_key: sk-canary-upstream}}}}
  chaos: {{kind: chaos}}
models:
  openai: {{targets: [{{provider: up, model: upstream-model}}], aliases: [openai-large]}}
  chaos/*: {{targets: [{{provider: chaos, model: "*"}}]}}
"""

SAID = "six words that come back again"
TURNS: list[ChatCompletionMessageParam] = [
    {"role": "system", "content": "You are an echo."},
    {"role": "user", "content": SAID},
]


async def chunks_of(client: AsyncOpenAI, model: str, **more: object) -> list[ChatCompletionChunk]:
    """Return all chunks of a streamed answer to `TURNS`; `more` joins the body."""
    async with await client.chat.completions.create(
        model=model, messages=TURNS, stream=True, extra_body=more
    ) as stream:
        return [chunk async for chunk in stream]


def text_of(received: Sequence[ChatCompletionChunk], index: int = 0) -> str:
    """Return the words of one choice."""
    choices = [choice for chunk in received for choice in chunk.choices if choice.index == index]
    return "".join(choice.delta.content or "" for choice in choices)

"""What a row of the table of paths says."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


Schema = Literal[
    "Text", "Chat", "Completion", "Embedding", "Feed", "Image", "Moderation", "Picture", "Speech"
]


@dataclass(frozen=True, slots=True)
class Path:
    """One path: its methods, who handles it, what it is, the schema of its parameters or body."""

    methods: tuple[str, ...]
    path: str
    handler: Handler
    summary: str
    schema: Schema | None = None


TABLE = web.AppKey("table", tuple[Path, ...])


def table_of(request: web.Request) -> tuple[Path, ...]:
    """Return the table that `request` was matched against."""
    return request.app[TABLE]

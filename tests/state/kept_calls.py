"""Calls to put into the ledger's table."""

import itertools
from typing import Any

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.state.sql.tables import TOKENS, calls

DAY_S = 86400.0
_numbers = itertools.count()


def kept_call(**fields: Any) -> dict[str, Any]:
    """Return a row of a call that succeeded, with a request id of its own."""
    return {
        "request_id": f"req-{next(_numbers)}",
        "at": 0.0,
        "key_id": "",
        "model": "m",
        "target": "p/m",
        "dialect": "openai_chat",
        "status": 200,
        "failure": "",
        "attempts": 1,
        **dict.fromkeys(TOKENS, 0),
        "images": 0,
        "audio_s": 0.0,
        "is_estimated": False,
        "cost_usd_micros": 0,
        "price_version": "",
        "queue_s": None,
        "first_token_s": None,
        "total_s": 0.1,
        "is_stream": False,
        "is_aborted": False,
        **fields,
    }


async def keep(connection: AsyncConnection, *rows: dict[str, Any]) -> None:
    """Put rows into the table."""
    await connection.execute(insert(calls), list(rows))

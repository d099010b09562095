"""The table of the ledger on each database."""

from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.config.database import Place
from gateway.state.sql.database import transact
from gateway.state.sql.inserting import insert_into
from gateway.state.sql.tables import TOKENS, calls
from tests.state.contract.databases import made

ROW = {
    "request_id": "req_1",
    "at": 1704067200.123,
    "key_id": "",
    "model": "größe 😀",
    "target": "up/model",
    "dialect": "dynaspark",
    "status": 200,
    "failure": "",
    "attempts": 2,
    **dict.fromkeys((*TOKENS, "images"), 2**40),
    "audio_s": 1.25,
    "is_estimated": True,
    "cost_usd_micros": None,
    "price_version": "",
    "queue_s": None,
    "first_token_s": 0.001,
    "total_s": 3.5,
    "is_stream": False,
    "is_aborted": True,
    "cache": "shared",
    "shared_with": "req_0",
}


async def test_a_row_comes_back_as_it_went_in(place: Place) -> None:
    await made(place)

    await transact(place, lambda one: one.execute(insert(calls), [ROW]))

    found = await transact(place, lambda one: one.execute(select(calls)))
    assert [dict(row) for row in found.mappings()] == [ROW]


async def test_a_row_that_is_given_again_is_kept_once(place: Place) -> None:
    await made(place)
    rows = [{**ROW, "request_id": f"req_{number}"} for number in range(500)]

    async def keep(connection: AsyncConnection) -> None:
        await connection.execute(insert_into(connection, calls).on_conflict_do_nothing(), rows)

    await transact(place, keep)
    await transact(place, keep)

    count = await transact(place, lambda one: one.scalar(select(func.count()).select_from(calls)))
    assert count == 500

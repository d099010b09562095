"""Windows in the database."""

from collections.abc import Sequence

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.state.counters import Saved
from gateway.state.sql.inserting import insert_into
from gateway.state.sql.tables import windows

_SAVED = select(*(windows.c[name] for name in Saved._fields))


async def read_windows(connection: AsyncConnection) -> list[Saved]:
    """Return every window that was kept, those that have ended too."""
    return [Saved(*row) for row in await connection.execute(_SAVED)]


async def find_windows(connection: AsyncConnection, keys: Sequence[str]) -> list[Saved]:
    """Return the windows that were kept under `keys`, those that have ended too."""
    wanted = _SAVED.where(windows.c.key.in_(keys))
    return [Saved(*row) for row in await connection.execute(wanted)]


async def write_windows(connection: AsyncConnection, changed: Sequence[Saved], now: float) -> None:
    """Keep `changed`, and drop what has ended by `now`, in Unix time."""
    await connection.execute(delete(windows).where(windows.c.ends_at <= now))
    upsert = insert_into(connection, windows)
    new = {"used": upsert.excluded.used, "ends_at": upsert.excluded.ends_at}
    upsert = upsert.on_conflict_do_update(index_elements=list(windows.primary_key), set_=new)
    await connection.execute(upsert, [window._asdict() for window in changed])

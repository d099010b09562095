"""Writes the ledger's rows into a file, batch by batch."""

import csv
import os
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from gateway.state.usage_csv import harmless

Column = tuple[str, type]
Row = tuple[object, ...]
Put = Callable[[Sequence[Row]], None]
Writer = Callable[[Path, Sequence[Column]], AbstractContextManager[Put]]


class ExportError(Exception):
    """A file that cannot be written so; the message says what to do."""


def writer_for(path: Path, *, is_forced: bool) -> Writer:
    """Return what writes such a file; raise `ExportError` if it cannot be written."""
    begin = _WRITERS.get(path.suffix.lower())
    if begin is None:
        message = f"{path}: the name must end in {' or '.join(_WRITERS)}"
        raise ExportError(message)
    if path.exists() and not is_forced:
        message = f"{path} is there already: --force overwrites it"
        raise ExportError(message)
    return begin


async def write(
    path: Path, begin: Writer, columns: Sequence[Column], batches: AsyncIterator[Sequence[Row]]
) -> int:
    """Write all rows to `path`, for this user alone; return how many there were.

    The file has its name once it is whole. Raises `ExportError`, and `OSError`.
    """
    part = path.with_name(f"{path.name}.part")
    count = 0
    try:
        with begin(part, columns) as put:
            async for rows in batches:
                put(rows)
                count += len(rows)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return count


@contextmanager
def _csv(path: Path, columns: Sequence[Column]) -> Iterator[Put]:
    with os.fdopen(_private(path), "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([name for name, _ in columns])

        def put(rows: Sequence[Row]) -> None:
            for row in rows:
                writer.writerow([harmless(cell) if isinstance(cell, str) else cell for cell in row])

        yield put


@contextmanager
def _parquet(path: Path, columns: Sequence[Column]) -> Iterator[Put]:
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError:
        message = "Parquet needs pyarrow: pip install 'dynagate[parquet]', or export to FILE.csv"
        raise ExportError(message) from None
    types: dict[type, pa.DataType] = {
        str: pa.string(),
        int: pa.int64(),
        float: pa.float64(),
        bool: pa.bool_(),
    }
    schema = pa.schema([(name, types[kind]) for name, kind in columns])
    os.close(_private(path))
    with parquet.ParquetWriter(path, schema) as writer:

        def put(rows: Sequence[Row]) -> None:
            arrays = [
                pa.array(values, type=field.type)
                for values, field in zip(zip(*rows, strict=True), schema, strict=True)
            ]
            writer.write_batch(pa.record_batch(arrays, schema=schema))

        yield put


def _private(path: Path) -> int:
    """Return the descriptor of a new file that only this user can read."""
    path.unlink(missing_ok=True)
    return os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)


_WRITERS: dict[str, Writer] = {
    ".csv": _csv,
    ".parquet": _parquet,
}

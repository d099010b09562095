"""Reports of what the ledger of a gateway that keeps nothing still holds."""

import asyncio
from collections.abc import Sequence

from gateway.state.key_fields import FieldError
from gateway.state.ledger import Entry
from gateway.state.memory_ledger import MemoryLedger
from gateway.state.usage import MAX_LINES, NOBODY, Group, Report, Sums, Wanted, arranged, day_name


class MemoryReports:
    """See `Reports`: of the newest calls, and without keys, which a database has."""

    def __init__(self, ledger: MemoryLedger) -> None:
        self._ledger = ledger

    async def report(self, wanted: Wanted, key: str | None) -> Report:
        """See `Reports`."""
        if key is not None and key != NOBODY:
            raise FieldError("key", "there are no keys, since state.url is memory://; - is nobody")
        # In a thread: ten thousand calls take as many microseconds and more.
        return await asyncio.to_thread(_made, self._ledger.entries, wanted)


def _made(entries: Sequence[Entry], wanted: Wanted) -> Report:
    begin, end = wanted.since, wanted.until
    total = Sums()
    found: dict[tuple[str, ...], Sums] = {}
    for entry in entries:
        if (begin is None or entry.at >= begin) and (end is None or entry.at < end):
            sums = _sums(entry)
            total += sums
            names = tuple(_label(entry, group) for group in wanted.by)
            found[names] = found.get(names, Sums()) + sums
    return arranged(wanted.by, found if wanted.by else {}, total, MAX_LINES)


def _label(entry: Entry, group: Group) -> str:
    match group:
        case Group.DAY:
            return day_name(int(entry.at // 86_400))
        case Group.MODEL:
            return entry.model or NOBODY
        case Group.TARGET:
            return entry.target or NOBODY
        case Group.KEY:
            return entry.key_id or NOBODY
        case Group.OWNER | Group.TAG:
            return NOBODY


def _sums(entry: Entry) -> Sums:
    usage = entry.usage
    return Sums(
        calls=1,
        failures=int(bool(entry.failure)),
        tokens_in=usage.input_tokens + usage.cache_write_tokens + usage.audio_in_tokens,
        cached_tokens_in=usage.cached_input_tokens,
        tokens_out=usage.output_tokens + usage.reasoning_tokens + usage.audio_out_tokens,
        images=entry.images,
        audio_s=entry.audio_s,
        cost_usd_micros=entry.cost_usd_micros or 0,
        unpriced_calls=int(entry.cost_usd_micros is None),
        estimated_calls=int(usage.is_estimated),
    )

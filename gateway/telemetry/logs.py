"""The log: one line a call, and what else there is to say."""

import asyncio
import logging
import sys
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, Protocol

import orjson

from gateway.config.document import Logs
from gateway.sdk.providers import Clock
from gateway.telemetry.redact import Redactor

ADMIN = "dynagate.admin"
"""The logger of what the operator changes while the gateway runs."""
_FLUSH_S = 0.05
_MAX_PENDING = 1000


class Sink(Protocol):
    """Where finished lines go."""

    def write(self, data: bytes) -> object:
        """Take whole lines."""

    def flush(self) -> object:
        """Pass them on."""


class CallLog:
    """Writes one line for each call, gathered for up to 50 ms so that a line costs no system call.

    JSON for machines; for people the same fields, shortened.
    """

    def __init__(self, sink: Sink, clock: Clock, *, is_json: bool) -> None:
        self._sink = sink
        self._clock = clock
        self.is_json = is_json
        self._pending: list[bytes] = []
        self._timer: asyncio.TimerHandle | None = None

    def write(self, fields: dict[str, Any]) -> None:  # Any: JSON values.
        """Add a line; never waits, never raises."""
        fields["time"] = self._clock.now()
        line = orjson.dumps(fields, option=_LINE) if self.is_json else _for_people(fields)
        self._pending.append(line)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_FLUSH_S, self.flush)
        elif len(self._pending) >= _MAX_PENDING:
            self.flush()

    def flush(self) -> None:
        """Write what has gathered; a sink that is gone loses it."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        lines, self._pending = self._pending, []
        try:
            self._sink.write(b"".join(lines))
            self._sink.flush()
        except (OSError, ValueError):
            return


_LINE = orjson.OPT_APPEND_NEWLINE | orjson.OPT_UTC_Z | orjson.OPT_OMIT_MICROSECONDS


class _JsonFormatter(logging.Formatter):
    def __init__(self, redact: Callable[[str], str]) -> None:
        super().__init__()
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        fields = {
            "time": datetime.fromtimestamp(record.created, UTC),
            "level": record.levelname.lower(),
            "event": self._redact(record.getMessage()),
            "logger": record.name,
        }
        if record.exc_info:
            fields["trace"] = self._redact(self.formatException(record.exc_info))
        return orjson.dumps(fields, default=str, option=_LINE).decode().rstrip()


class _PlainFormatter(logging.Formatter):
    def __init__(self, redact: Callable[[str], str]) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(message)s", datefmt="%H:%M:%S")
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        return self._redact(super().format(record))

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the library's name.
        # What is logged may repeat a caller's words; a trace keeps its lines.
        return _one_line(super().formatMessage(record))


def begin(section: Logs, secrets: Iterable[str]) -> tuple[Redactor, bool]:
    """Log as the configuration says; return what takes secrets out, and whether lines are JSON."""
    redact = Redactor(secrets)
    is_json = _is_json(section)
    set_up(section.level, is_json=is_json, redact=redact)
    return redact, is_json


def adjust(section: Logs, redact: Callable[[str], str], calls: CallLog | None = None) -> None:
    """Go on with what a reload says of the log."""
    is_json = _is_json(section)
    set_up(section.level, is_json=is_json, redact=redact)
    if calls is not None:
        calls.is_json = is_json


def _is_json(section: Logs) -> bool:
    return section.format == "json" or (section.format == "auto" and not sys.stderr.isatty())


def set_up(level: str, *, is_json: bool, redact: Callable[[str], str]) -> None:
    """Send everything that is logged to standard error, without secrets, in the format chosen."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonFormatter(redact) if is_json else _PlainFormatter(redact))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    # Who changed what is said at any level, as calls are.
    logging.getLogger(ADMIN).setLevel(logging.INFO)


def _for_people(fields: dict[str, Any]) -> bytes:  # Any: JSON values.
    time = fields["time"].astimezone().strftime("%H:%M:%S")
    words = [
        f"{time} {fields['status']} {fields['dialect']} {fields['model']}",
        f"by {fields.get('target') or 'nobody'}",
        f"{fields['total_ms']:.0f} ms",
    ]
    if fields.get("output_tokens"):
        words.append(f"{fields['output_tokens']} tokens")
    words += [str(fields[name]) for name in ("code", "failure") if fields.get(name)]
    if fields.get("is_aborted"):
        words.append("caller left")
    line = _one_line(" · ".join([*words, str(fields["request_id"])]))
    return (line + "\n").encode(errors="replace")


def _one_line(text: str) -> str:
    """Return `text` without what could end a line or speak to a terminal: escaped, it is kept."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )

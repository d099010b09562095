"""What PostgreSQL says when it refuses, and what an operator can do about it."""

import re
from typing import Final

from sqlalchemy.exc import DBAPIError

_ELSEWHERE: Final = "name another database in state.url, or write memory://"
_RUNS: Final = f"see that it runs, or {_ELSEWHERE}"
_ADVICE: Final = {
    "08": _RUNS,
    "28": "put user and password of state.url right, or the server's pg_hba.conf",
    "3D000": "make it with `createdb`, or name another one in state.url",
    "3F": "make the schema, or name another one as search_path in state.url",
    "42501": "make the user of state.url the database's owner, or grant it what is missing",
    "42P01": "it is damaged: restore it from a copy, or name another one in state.url",
    "53300": "raise the server's max_connections: a gateway uses at most 6",
    "57P": "wait until the server has started",
}
"""By SQLSTATE, or how it begins (PostgreSQL's appendix A)."""
_MAX_CHARS: Final = 300


def explained(error: Exception, waited_s: float) -> tuple[str, str]:
    """Return what was said, in one line, and what to do. `waited_s` is how long it could take."""
    original = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(original, TimeoutError):
        return f"it did not answer within {waited_s:g} s", _RUNS
    said = _said(original)
    code = getattr(original, "sqlstate", None) or ""
    for start, advice in _ADVICE.items():
        if code.startswith(start):
            return said, advice
    if isinstance(original, ConnectionError) and original.errno is None:
        return said, "put the parameters of state.url right"  # The driver's own objections.
    if isinstance(original, OSError):
        return f"it cannot be reached ({said})", _RUNS
    return said, _ELSEWHERE


def _said(error: BaseException | None) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    # SQLAlchemy puts the driver's class in front.
    text = re.sub(r"^<class '[^']*'>: ", "", str(error) or type(error).__name__)
    return " ".join(text.split())[:_MAX_CHARS]

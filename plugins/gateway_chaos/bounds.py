"""Numbers and lengths within the bounds of a JSON schema."""

import math
from collections.abc import Mapping
from typing import Any

MAX_LENGTH = 10_000
"""The longest string or list that is made."""


class UnsatisfiableError(Exception):
    """No value could be made up for a schema; the message says which part is beyond this."""


def number(schema: Mapping[str, Any], *, is_whole: bool) -> int | float:
    """Return a number near 0 that the bounds of `schema` allow; raise `UnsatisfiableError`."""
    step = schema.get("multipleOf", 1 if is_whole else 0)
    low, high = schema.get("minimum", -math.inf), schema.get("maximum", math.inf)
    above = schema.get("exclusiveMinimum", -math.inf)
    below = schema.get("exclusiveMaximum", math.inf)
    if not all(isinstance(bound, int | float) for bound in (low, high, above, below, step)):
        msg = "the bounds of a number must be numbers"
        raise UnsatisfiableError(msg)
    try:
        for found in _candidates(max(low, above), min(high, below), step):
            is_inside = low <= found <= high and above < found < below
            if is_inside and (not is_whole or found == int(found)):
                return int(found) if is_whole else found
    except OverflowError:  # A bound beyond any float.
        pass
    msg = "no number was found within the bounds"
    raise UnsatisfiableError(msg)


def length(schema: Mapping[str, Any], keyword: str) -> int:
    """Return the least length that `minLength` or `minItems` allows; raise `UnsatisfiableError`."""
    low = schema.get(keyword, 0)
    high = schema.get(keyword.replace("min", "max"), MAX_LENGTH)
    if (
        not isinstance(low, int)
        or not isinstance(high, int)
        or not 0 <= low <= min(high, MAX_LENGTH)
    ):
        msg = f"{keyword!r} must be from 0 to its maximum and to {MAX_LENGTH}"
        raise UnsatisfiableError(msg)
    return low


def _candidates(low: float, high: float, step: float) -> list[float]:
    """Return numbers to try, those near 0 first; with a `step` above 0 they are its multiples."""
    if low < 0 < high:
        return [0]
    end = low if low >= 0 else high
    if step > 0:
        steps = math.floor(end / step)
        return [(steps + more) * step for more in (0, 1, -1)]
    middle = (low + high) / 2 if math.isfinite(low + high) else end
    return [end, middle, end + 1, end - 1]

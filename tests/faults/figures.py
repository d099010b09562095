"""How figures are made and written."""

from collections.abc import Sequence

MIB = 1024 * 1024


def share_of(values: Sequence[float], share: float) -> float:
    """Return the value that so many of all (0 to 1) don't exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def p99(values: Sequence[float]) -> float:
    """Return what 99 of 100 values don't exceed."""
    return share_of(values, 0.99)


def quiet_p99(values: Sequence[float], rounds: int = 5) -> float:
    """Return the p99 of the quietest of so many rounds: of the others the machine had a part."""
    size = max(1, len(values) // rounds)
    return min(p99(values[at : at + size]) for at in range(0, len(values) - size + 1, size))


def ms(seconds: float) -> str:
    """Write seconds as milliseconds."""
    return f"{seconds * 1000:.0f} ms" if seconds >= 0.01 else f"{seconds * 1000:.1f} ms"


def mib(size_bytes: float) -> str:
    """Write bytes as MB, with their sign."""
    return f"{size_bytes / MIB:+.1f} MB"

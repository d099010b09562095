"""What the stand-in takes from the file of a gateway."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

_PERIODS_S = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
_LARGE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Settings:
    """The sections that it knows, and its defects."""

    defects: frozenset[str]
    urls: tuple[str, ...]
    """Of its upstreams, in order."""
    key: str
    """Which the upstreams are shown."""
    body_s: float | None
    body_bytes: int
    asked_bytes: int
    """What a caller may send: it is parsed in one go."""
    idle_s: float | None
    """Between words; None is for ever, as below."""
    first_s: float | None
    """Until an answer begins."""
    failures: int
    """After so many in a row a target rests for `cooldown_s`."""
    cooldown_s: float
    requests: int
    """What a caller may ask in `period_s`."""
    period_s: int
    concurrent: int
    demands_key: bool
    allowed: frozenset[str]
    """Hosts with their ports that callers' links may lead to."""
    database: str
    """The path of the ledger; empty is none."""
    valkey: str
    """Where several of them count together; empty is nowhere."""

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Self:
        """Read the file; its `defects` are a list of names."""
        defects = frozenset(document.get("defects", ()))
        providers = [one["settings"] for one in document["providers"].values()]
        is_patient = "no_idle" in defects
        bounds = document["server"].get("bounds", {})
        deadlines = document.get("deadlines", {})
        health = {"failures": 5, "cooldown_s": 5.0, **document.get("health", {})}
        limits = document["limits"]["anonymous"]
        count, _, period = limits["requests"].partition("/")
        state = document.get("state", {})
        url = state.get("url", "")
        body_bytes = bounds.get("body_bytes", 20 * _LARGE)
        return cls(
            defects=defects,
            urls=tuple(one["base_url"] for one in providers),
            key=providers[0].get("api_key", ""),
            body_s=None if "no_body_timeout" in defects else bounds.get("body_s", 60),
            body_bytes=body_bytes,
            asked_bytes=body_bytes if defects & {"blocks", "inflates"} else _LARGE,
            idle_s=None if is_patient else deadlines.get("between_tokens_s", 60),
            first_s=None if is_patient else deadlines.get("first_token_s", 60),
            failures=health["failures"],
            cooldown_s=health["cooldown_s"],
            requests=int(count),
            period_s=_PERIODS_S[period],
            concurrent=limits["concurrent"],
            allowed=frozenset(document.get("egress", {}).get("allow", ())),
            database=url.removeprefix("sqlite:///") if url.startswith("sqlite:///") else "",
            valkey="" if "counts_alone" in defects else state.get("valkey") or "",
            demands_key=document.get("auth", {}).get("mode") == "keys",
        )

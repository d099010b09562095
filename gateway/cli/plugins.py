"""`dynagate plugins`."""

import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from gateway.cli.options import JsonOption
from gateway.cli.report import print_json, print_table

if TYPE_CHECKING:
    from gateway.registry import Offer, Registry

LOAD_WITHIN_S = 60
"""A plugin that takes longer to import is called broken."""


def plugins(as_json: JsonOption = False) -> None:
    """List the installed plugins, and whether each one loads.

    Every plugin is loaded in a process of its own: one that crashes says nothing about the others.
    """
    from gateway.registry import Registry

    registry = Registry.discover()
    rows = [_row(registry, offer) for offer in registry.offers]
    if as_json:
        print_json(rows)
        return
    header = ("KIND", "DISTRIBUTION", "VERSION", "API", "STATE")
    print_table(header, [_cells(row) for row in rows])


def _row(registry: "Registry", offer: "Offer") -> dict[str, Any]:  # Any: what is printed as JSON.
    api, reason = _probed(offer)
    clash = registry.clash(offer.kind)
    return {
        "kind": offer.kind,
        "distribution": offer.distribution,
        "version": offer.version,
        "api": api,
        "state": "ok" if (clash or reason) is None else "quarantined",
        "reason": clash or reason,
    }


def _cells(row: dict[str, Any]) -> tuple[str, ...]:  # Any: as above.
    state = row["state"] if row["reason"] is None else f"{row['state']}: {row['reason']}"
    api = "?" if row["api"] is None else str(row["api"])
    return row["kind"], row["distribution"], row["version"], api, state


def _probed(offer: "Offer") -> tuple[int | None, str | None]:
    """Load `offer` in a child; return the API it speaks, and why it is quarantined."""
    from pydantic_core import from_json

    command = [sys.executable, "-m", "gateway.cli.plugins_probe", offer.kind, offer.distribution]
    try:
        child = subprocess.run(  # noqa: S603 - our own module; the names come from metadata.
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=LOAD_WITHIN_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return None, f"does not load within {LOAD_WITHIN_S} s"
    if not child.stdout:
        return None, f"crashes the interpreter: {_ended(child.returncode)}"
    answer = from_json(child.stdout)
    return answer["api"], answer["reason"]


def _ended(code: int) -> str:
    """Return how a process ended, from the code that `subprocess` gives."""
    return f"exit code {code}" if code >= 0 else signal.Signals(-code).name

"""Loads one plugin and says what became of it.

Run as `python -m gateway.cli.plugins_probe KIND DISTRIBUTION`: a process of its own, so
that what the plugin does to the interpreter ends with it.
"""

import json
import os
import sys

from gateway.registry import QuarantineError, Registry, load_offer


def main() -> None:
    """Write `{"api": …, "reason": …}` to standard output, whatever the plugin prints there."""
    kind, distribution = sys.argv[1:]
    answer_fd = os.dup(1)
    os.dup2(2, 1)
    answer: dict[str, int | str | None] = {"api": None, "reason": None}
    for offer in Registry.discover().offers:
        if (offer.kind, offer.distribution) == (kind, distribution):
            try:
                answer["api"] = load_offer(offer).api
            except QuarantineError as error:
                answer["reason"] = str(error)
    with os.fdopen(answer_fd, "w") as stream:
        json.dump(answer, stream)


if __name__ == "__main__":
    main()

"""What is kept of each call: `ledger`."""

from typing import Literal

from gateway.config.section import Section


class Ledger(Section):
    """`ledger`: what a call is billed whose caller leaves before the end.

    `streamed`: what had come by then; `estimate`: as if the answer had been as long as it could
    be; `free`: nothing.
    """

    aborted: Literal["streamed", "estimate", "free"] = "streamed"

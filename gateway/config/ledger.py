"""What is kept of each call, how safely, and for how long: `ledger`."""

from typing import Literal

from pydantic import Field

from gateway.config.section import Section


class Ledger(Section):
    """`ledger`: how safely calls are kept, for how long, and what one is billed that was left.

    `aborted` says that of a call whose caller leaves before the end. `streamed`: what had come by
    then; `estimate`: as if the answer had been as long as it could be; `free`: nothing.
    """

    durability: Literal["normal", "full"] = "normal"
    """Both outlive the process, however it ends; `full` a machine that loses power, too."""
    spool_bytes: int = Field(64 * 1024 * 1024, ge=64 * 1024)
    retention_days: int | None = Field(None, ge=1)
    """None: for ever."""
    aborted: Literal["streamed", "estimate", "free"] = "streamed"

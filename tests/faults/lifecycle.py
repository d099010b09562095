"""Rows L: gateways that are killed, stopped, starved or kept busy."""

from tests.faults.ground import Ground
from tests.faults.kill import kill
from tests.faults.row import Reached, Row

_SEED = 7


async def _l01(ground: Ground) -> Reached:
    """Kill it under load, again and again; `python -m tests.faults.kill` does it more often."""
    outcome = await kill(ground.folder, ground.times(10), _SEED)
    is_met = not (outcome.lost or outcome.doubled or outcome.phantom) and bool(outcome.acknowledged)
    return Reached(outcome.said(), is_met)


ROWS = (
    Row(
        "L01",
        "SIGKILL at random moments under load, 10 times",
        "0 lost, 0 doubled, 0 phantom",
        _l01,
        most_s=180,
    ),
)

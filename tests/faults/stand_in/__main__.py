"""`python -m tests.faults.stand_in CONFIG PORT`: the stand-in by a process of its own."""

import asyncio
import json
import signal
import sys
from pathlib import Path

from tests.faults.stand_in.application import application, listening


async def _main(path: Path, port: int) -> None:
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    document = json.loads(path.read_text("utf-8"))
    async with listening(application(document), document, port):
        await stopping.wait()


if __name__ == "__main__":
    asyncio.run(_main(Path(sys.argv[1]), int(sys.argv[2])))

"""What has the file read again without being asked by HTTP: SIGHUP, and a file that has changed."""

import asyncio
import logging
import os
import signal
from typing import Final

from gateway.config.problems import ConfigError
from gateway.config.stamps import look_at
from gateway.snapshots.reloads import Reloads

_log = logging.getLogger("dynagate")
WATCH_S: Final = 1.0
"""Between two looks at the file. Once it has changed it must stay the same from one to the next."""


def on_hangup(hangup: asyncio.Event, stopping: asyncio.Event) -> None:
    """Set `hangup` on SIGHUP from now on, where there is such a signal.

    The same signal says that the terminal is gone in which the gateway was started: then it is
    `stopping`, as every other program does.
    """
    had_terminal = _has_terminal()

    def hung_up() -> None:
        (stopping if had_terminal and not _has_terminal() else hangup).set()

    if hasattr(signal, "SIGHUP"):
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, hung_up)


def _has_terminal() -> bool:
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True


async def reload_on(hangup: asyncio.Event, reloads: Reloads) -> None:
    """Reload each time that `hangup` is set, once for those that come meanwhile."""
    while True:
        await hangup.wait()
        hangup.clear()
        await _reload(reloads, "SIGHUP")


async def watch(reloads: Reloads, *, every_s: float = WATCH_S) -> None:
    """Reload when the file has changed and does so no more, as long as `server.watch` says so.

    The same holds for files that the environment names, which hold secrets. A file is looked at by
    its path, so a link that leads elsewhere now is seen as well, and so is one in its folder's own
    path. While there is no file nothing is done.
    """
    seen = reloads.tried
    while True:
        await asyncio.sleep(every_s)
        loaded = reloads.loaded
        if not loaded.document.server.watch:
            continue
        before, seen = seen, await asyncio.to_thread(look_at, loaded.source.stamps)
        is_in_force = seen == loaded.source.stamps and reloads.standing.failed is None
        if seen.get(loaded.path) is None or seen != before or seen == reloads.tried or is_in_force:
            continue
        await _reload(reloads, "the file has changed")


async def _reload(reloads: Reloads, why: str) -> None:
    try:
        outcome = await reloads.reload(why)
    except ConfigError:
        return  # It is in the log, and in what `/admin/config` tells.
    if outcome is None:
        _log.warning("the configuration was not reloaded (%s): others wait for that already", why)

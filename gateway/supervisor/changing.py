"""One process of several as the configuration changes: it does what the supervisor says of that."""

import asyncio
import logging
import socket
from collections.abc import Callable
from itertools import count
from pathlib import Path

from gateway.app import Gateway
from gateway.config.load import Loaded
from gateway.config.problems import ConfigError, Problem
from gateway.config.reload import Outcome
from gateway.crew.link import LinkError
from gateway.snapshots.reloads import providers_of
from gateway.snapshots.snapshots import Prepared
from gateway.supervisor.words import (
    Abandon,
    Answer,
    Ask,
    Commit,
    Prepare,
    Ready,
    Reload,
    Stands,
    frame,
)

_MOST_ASKED = 32
_log = logging.getLogger("dynagate")


class Changing:
    """Hears the supervisor, and asks it. `hear` may be called from any thread."""

    def __init__(self, gateway: Gateway, loaded: Loaded, channel: socket.socket) -> None:
        self.path: Path = loaded.path.absolute()
        self._gateway = gateway
        self._channel = channel
        self._loop = asyncio.get_running_loop()
        self._heard: asyncio.Queue[Ask] = asyncio.Queue()
        self._prepared: Prepared | None = None
        self._tickets = count(1)
        self._asked: dict[int, asyncio.Future[object]] = {}

    def hear(self, word: Ask | Answer) -> None:
        """Take what the supervisor said."""
        self._loop.call_soon_threadsafe(self._take, word)

    def ready(self, said: str) -> None:
        """Say that the process does its work, and do from now on what is asked."""
        self._gateway.background.start("reload", self._keep())
        self._send(Ready(said))

    async def reload(self, why: str, *, is_trial: bool = False) -> Outcome | None:
        """Have the file read for all processes. See `Reloads.reload`."""
        if len(self._asked) >= _MOST_ASKED:
            return None
        ticket = next(self._tickets)
        answered = self._asked[ticket] = self._loop.create_future()
        try:
            self._send(Ask(ticket, Reload(why, is_trial)))
            answer = await answered
        finally:
            del self._asked[ticket]
        if isinstance(answer, tuple):
            raise ConfigError(answer)
        return answer if isinstance(answer, Outcome) else None

    def _take(self, word: Ask | Answer) -> None:
        match word:
            case Ask():
                self._heard.put_nowait(word)
            case Answer():
                asked = self._asked.get(word.ticket)
                if asked is not None and not asked.done():
                    asked.set_result(word.value)

    async def _keep(self) -> None:
        while True:
            ask = await self._heard.get()
            self._send(Answer(ask.ticket, await self._do(ask)))

    async def _do(self, ask: Ask) -> tuple[Problem, ...] | bool:
        snapshots, serving = self._gateway.snapshots, self._gateway.serving
        match ask.word:
            case Prepare():
                return await self._prepare(ask.word)
            case Commit(standing):
                if self._prepared is None:
                    return False
                snapshots.commit(self._prepared)
                self._prepared = None
                serving.stands(standing)
            case Abandon():
                self._forget()
            case Stands(standing):
                serving.stands(standing)
            case Reload():
                return False  # That is for the supervisor.
        return True

    async def _prepare(self, word: Prepare) -> tuple[Problem, ...]:
        self._forget()
        loaded = word.loaded
        learn: Callable[..., None] = self._gateway.redact.learn
        try:
            learn(loaded.secrets)
            providers = await asyncio.to_thread(providers_of, loaded)
            learn(secret for one in providers.values() for secret in one.secrets)
            snapshots = self._gateway.snapshots
            self._prepared = await snapshots.prepare(loaded, providers, word.generation)
        except ConfigError as error:
            return error.problems
        except LinkError as error:
            return (Problem(str(loaded.path), "", f"what is run once cannot be reached: {error}"),)
        except Exception as error:  # noqa: BLE001 - the supervisor must be answered.
            _log.exception("the next configuration could not be made")
            why = f"could not be made: {type(error).__name__}; the log says why"
            return (Problem(str(loaded.path), "", why),)
        return ()

    def _forget(self) -> None:
        if self._prepared is not None:
            self._gateway.snapshots.abandon(self._prepared)
            self._prepared = None

    def _send(self, word: Ready | Ask | Answer) -> None:
        # A few hundred bytes, which the supervisor takes at once; it never waits for us.
        self._channel.sendall(frame(word))

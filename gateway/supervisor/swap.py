"""One configuration for all processes: each makes the next one, and only if all can, all swap."""

import asyncio
import logging
from collections.abc import Sequence

from gateway.config.load import Loaded
from gateway.config.problems import ConfigError, Problem
from gateway.config.reload import Standing
from gateway.supervisor.child import Child
from gateway.supervisor.talk import EndedError, Talk
from gateway.supervisor.words import Abandon, Commit, Prepare, Stands

_PREPARE_S = 120.0
_COMMIT_S = 10.0
_log = logging.getLogger("dynagate.supervisor")


class Swap:
    """Between `prepare` and `commit` nothing has changed for anybody.

    `host` comes first: workers ask it what its providers can do, the new ones too.
    """

    def __init__(self, host: Child, workers: Sequence[Child]) -> None:
        self._host = host
        self._workers = workers
        self._prepared: dict[Child, Talk] = {}

    async def prepare(self, loaded: Loaded, generation: int) -> None:
        """Have all processes make it that are there. Raises `ConfigError`; then none has it."""
        word = Prepare(loaded, generation)
        failed = await self._ask([self._host], word)
        if failed is None:
            failed = await self._ask([one for one in self._workers if one.talk is not None], word)
        if failed is not None:
            await self.abandon()
            raise failed

    async def commit(self, standing: Standing) -> None:
        """Put it in force: whoever did not make it, or cannot swap, is started again with it."""
        prepared, self._prepared = self._prepared, {}
        if self._host in prepared:
            await self._swap(self._host, prepared[self._host], standing)
        async with asyncio.TaskGroup() as group:
            for worker in self._workers:
                if worker in prepared:
                    group.create_task(self._swap(worker, prepared[worker], standing))
        for child in (self._host, *self._workers):
            if child not in prepared:
                child.renew()

    async def abandon(self) -> None:
        """Have all forget it."""
        prepared, self._prepared = self._prepared, {}
        for child, talk in prepared.items():
            try:
                await talk.ask(Abandon(), _COMMIT_S)
            except EndedError:
                child.renew()

    async def stands(self, standing: Standing) -> None:
        """Let the operator's listener know of a reload that failed."""
        talk = self._host.talk
        if talk is not None:
            try:
                await talk.ask(Stands(standing), _COMMIT_S)
            except EndedError as error:
                _log.warning("the host was not told how the configuration stands: %s", error)

    async def _ask(self, children: Sequence[Child], word: Prepare) -> ConfigError | None:
        """Have them make it at once; return what is wrong, which all find alike."""
        async with asyncio.TaskGroup() as group:
            asked = [group.create_task(self._problems(child, word)) for child in children]
        found = next((task.result() for task in asked if task.result()), None)
        return ConfigError(found) if found else None

    async def _problems(self, child: Child, word: Prepare) -> tuple[Problem, ...]:
        talk, path = child.talk, str(word.loaded.path)
        if talk is None:
            return (Problem(path, "", f"{child.name} is being started: try again"),)
        self._prepared[child] = talk
        try:
            problems = await talk.ask(word, _PREPARE_S)
        except EndedError as error:
            del self._prepared[child]
            child.renew()
            return (Problem(path, "", f"{child.name}: {error}; try again"),)
        return problems if isinstance(problems, tuple) else ()

    async def _swap(self, child: Child, talk: Talk, standing: Standing) -> None:
        try:
            if await talk.ask(Commit(standing), _COMMIT_S) is True:
                return
            _log.warning("%s has forgotten what it prepared", child.name)
        except EndedError as error:
            _log.warning("%s did not take the configuration: %s", child.name, error)
        child.renew()

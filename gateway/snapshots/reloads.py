"""Reads the file again when somebody asks for it, one after another."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from gateway.config.load import Loaded
from gateway.config.problems import ConfigError, Problem
from gateway.config.reload import Failed, Outcome, Standing, read_next, summary
from gateway.config.stamps import Stamps, look_at
from gateway.registry import ConfiguredProvider, Registry, configured_providers
from gateway.sdk.providers import Clock
from gateway.telemetry.logs import ADMIN

Providers = Mapping[str, ConfiguredProvider]
_MOST_WAITING = 16
_MOST_LOGGED = 20
_log = logging.getLogger(ADMIN)


class Reloads:
    """The one way to another configuration, whoever asks for it.

    `swap` puts it in force, wherever it must be, or raises `ConfigError`; `learn` is told the
    secrets of a file before anything else is done with them, `tell` how it stands after each try.
    """

    def __init__(
        self,
        loaded: Loaded,
        providers: Providers,
        environ: Mapping[str, str],
        clock: Clock,
        *,
        swap: Callable[[Loaded, Providers, Standing], Awaitable[None]],
        learn: Callable[[Iterable[str]], None],
        tell: Callable[[Standing], Awaitable[None]],
    ) -> None:
        self.loaded = loaded
        self.standing = Standing(1, clock.now().timestamp())
        self.tried: Stamps = loaded.source.stamps
        """The versions of the files that were read last, whatever came of it."""
        self._providers = providers
        self._environ = environ
        self._clock = clock
        self._swap = swap
        self._learn = learn
        self._tell = tell
        self._lock = asyncio.Lock()
        self._waiting = 0

    @property
    def path(self) -> Path:
        """The file."""
        return self.loaded.path.absolute()

    async def reload(self, why: str, *, is_trial: bool = False) -> Outcome | None:
        """Put what the file says now in force, or with `is_trial` say what that would change.

        `why` is for the log. None is that too many wait for that already. Raises `ConfigError`, and
        then nothing has changed.
        """
        if self._waiting >= _MOST_WAITING:
            return None
        self._waiting += 1
        try:
            async with self._lock:
                return await self._reload(why, is_trial=is_trial)
        finally:
            self._waiting -= 1

    async def _reload(self, why: str, *, is_trial: bool) -> Outcome:
        before = self.loaded
        try:
            if not is_trial:
                self.tried = await asyncio.to_thread(look_at, before.source.stamps)
            loaded, found = await asyncio.to_thread(read_next, before, self._environ)
            self._learn(loaded.secrets)
            providers = await asyncio.to_thread(providers_of, loaded)
            self._learn(secret for one in providers.values() for secret in one.secrets)
            if is_trial:
                return Outcome(self.standing, found)
            is_new = bool(found) or _are_other(self._providers, providers)
            standing = replace(self.standing, failed=None)
            if is_new:
                now = self._clock.now().timestamp()
                standing = Standing(self.standing.generation + 1, now)
                await self._swap(loaded, providers, standing)
        except ConfigError as error:
            if not is_trial:
                await self._failed(why, error)
            raise
        except Exception as error:
            _log.exception("reloading the configuration failed")
            message = f"could not be put in force: {type(error).__name__}; the log says why"
            told = ConfigError([Problem(str(before.path), "", message)])
            await self._failed(why, told)
            raise told from error
        self.loaded, self._providers, self.standing = loaded, providers, standing
        await self._tell(standing)
        if is_new:
            what = summary(found) or "providers"
            _log.info("configuration %d is in force (%s): %s", standing.generation, why, what)
        else:
            _log.info("the configuration was read again (%s): nothing has changed", why)
        return Outcome(standing, found)

    async def _failed(self, why: str, error: ConfigError) -> None:
        failed = Failed(self._clock.now().timestamp(), why, error.problems)
        self.standing = replace(self.standing, failed=failed)
        _log.error(
            "the configuration was not reloaded (%s), configuration %d goes on:",
            why,
            self.standing.generation,
        )
        for problem in error.problems[:_MOST_LOGGED]:
            _log.error("%s", problem)
        await self._tell(self.standing)


def providers_of(loaded: Loaded) -> Providers:
    """Import what the file needs; blocks. Raises `ConfigError`."""
    return configured_providers(loaded, Registry.discover(loaded.document.plugins.allow))


def _are_other(before: Providers, after: Providers) -> bool:
    """Say whether a provider lacks something else now, or presents another secret."""

    def of(providers: Providers) -> dict[str, object]:
        return {name: (one.missing, one.secrets) for name, one in providers.items()}

    return of(before) != of(after)

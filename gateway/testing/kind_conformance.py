"""The part of the suite that holds for every kind, whatever its providers do."""

import asyncio
from collections.abc import Awaitable, Sequence

import pytest
from pydantic import ValidationError

from gateway.sdk import API, HealthProbe, UpstreamError
from gateway.testing.provider_under_test import ProviderUnderTest, require, skip_unless

_LOOK_S = 5.0


class KindConformance(ProviderUnderTest):
    """Inherit as `Test…` and set `kind`, for a provider without `chat`."""

    pytestmark = pytest.mark.asyncio

    async def test_its_kind_is_found_and_speaks_this_api(self) -> None:
        """The hook returns a kind whose name is that of the entry point."""
        kind = self.load_kind()

        require(kind.name == self.kind, f"the kind is called {kind.name!r}, not {self.kind!r}")
        require(kind.api == API, f"api is {kind.api}: this gateway speaks {API}")

    async def test_its_settings_refuse_what_they_do_not_know(self) -> None:
        """A misspelt key of the configuration is an error, not a silence."""
        kind = self.load_kind()

        async with self.configured() as settings:
            try:
                kind.settings.model_validate({**settings, "no_such_setting": 1})
            except ValidationError as error:
                kinds = {found["type"] for found in error.errors(include_input=False)}
                if "extra_forbidden" in kinds:
                    return

        pytest.fail(f'{kind.settings.__name__}: add model_config = ConfigDict(extra="forbid")')

    async def test_its_settings_are_frozen_and_survive_a_round_trip(self) -> None:
        """Snapshots share settings and compare them to see what a reload has changed."""
        kind = self.load_kind()

        async with self.configured() as settings:
            parsed = kind.settings.model_validate(settings)
            again = kind.settings.model_validate(parsed.model_dump(exclude_unset=True))

        name = kind.settings.__name__
        require(
            parsed.model_config.get("frozen") is True,
            f"{name}: add model_config = ConfigDict(frozen=True)",
        )
        require(parsed == again, f"{name}: dumped and validated again, the settings differ")

    async def test_its_settings_keep_their_secrets(self) -> None:
        """Nothing that `secrets` names can be read in a log of the settings."""
        kind = self.load_kind()

        async with self.configured() as settings:
            parsed = kind.settings.model_validate(settings)
            secrets: Sequence[object] = kind.secrets(parsed)
            reason = kind.missing(parsed)

        shown = f"{parsed!r} {parsed}"
        for secret in secrets:
            require(isinstance(secret, str), "secrets() returns plain strings: get_secret_value()")
            require(str(secret) not in shown, "a secret can be read in the settings: use SecretStr")
        require(reason is None, f"`missing` says of the settings under test: {reason}")

    async def test_its_free_look_finds_nothing_wrong(self) -> None:
        """Where the provider answers calls, `probe` returns, in a few seconds."""
        async with self.plugged() as (provider, _):
            if not isinstance(provider, HealthProbe):
                pytest.skip("it has no method probe()")
            try:
                async with asyncio.timeout(_LOOK_S):
                    await provider.probe(self.model)
            except UpstreamError as error:
                pytest.fail(f"probe() finds fault where calls are answered: {error}")
            except TimeoutError:
                pytest.fail(f"probe() takes over {_LOOK_S:g} s, and is given up then")

    async def test_its_free_look_fails_as_calls_do(self) -> None:
        """What is wrong is an `UpstreamError`; not to see it is no fault."""
        self.skip_unless_failing()
        async with self.plugged(self.failing_settings) as (provider, _):
            if not isinstance(provider, HealthProbe):
                pytest.skip("it has no method probe()")
            try:
                await provider.probe(self.failing_model or self.model)
            except UpstreamError:
                return
            except Exception as error:  # noqa: BLE001 - any other class is what this looks for.
                pytest.fail(f"probe() raises UpstreamError, not {type(error).__name__}: {error}")

    def skip_unless_failing(self) -> None:
        """Skip the test where the author names nothing that fails."""
        is_set = self.failing_model is not None or self.failing_settings is not None
        skip_unless(is_set, "set failing_model or failing_settings to test this")

    async def require_upstream_error(self, call: Awaitable[object]) -> None:
        """Fail unless `call` raises `UpstreamError` without a secret of the failing settings."""
        try:
            await call
        except UpstreamError as error:
            message = f"{error} {error.message}"
        except Exception as error:  # noqa: BLE001 - any other class is what this looks for.
            pytest.fail(f"raise UpstreamError, not {type(error).__name__}: {error}")
        else:
            pytest.fail("the call was to fail, and did not")
        if self.failing_settings is not None:
            kind = self.load_kind()
            secrets = kind.secrets(kind.settings.model_validate(self.failing_settings))
            require(not any(secret in message for secret in secrets), "the error shows a secret")

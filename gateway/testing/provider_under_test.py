"""The provider that a conformance suite is run on: how it is found, connected and asked."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any, ClassVar

import pytest

from gateway.registry import Offer, QuarantineError, Registry, load_offer
from gateway.schema.chat import ChatRequest, Message, Sampling, TextPart
from gateway.schema.events import StreamEvent
from gateway.sdk import CardSource, ChatProvider, Deps, ModelCard, ProviderKind
from gateway.sdk.hooks import GROUP
from gateway.testing.caller import Caller
from gateway.testing.deps import make_deps
from gateway.testing.event_rules import broken_rules


class ProviderUnderTest:
    """What an author sets, and what the tests need."""

    kind: ClassVar[str]
    """The name of the kind, and of its entry point."""
    plugin: ClassVar[str | None] = None
    """The module with the hook, if it is not installed; None looks for the entry point."""
    model: ClassVar[str] = "any"
    """The upstream's name of a model to ask."""
    settings: ClassVar[Mapping[str, Any]] = {}  # Any: the kind's own.
    """What stands under `settings:` in the configuration."""
    failing_model: ClassVar[str | None] = None
    """A model that fails, if the provider's errors are to be tested."""
    failing_settings: ClassVar[Mapping[str, Any] | None] = None  # Any: as above.
    """Settings that make every call fail, such as an address where nobody listens."""
    patience_s: ClassVar[float] = 30.0
    """How long one call may take."""

    folder: Path

    @asynccontextmanager
    async def configured(self) -> AsyncGenerator[Mapping[str, Any]]:
        """Yield the settings; override it to start a `FakeUpstream` around the yield."""
        yield self.settings

    def deps(self, folder: Path) -> AbstractAsyncContextManager[Deps]:
        """Return what the provider is given; override it for a `cache_dir` that holds weights."""
        return make_deps(self.kind, folder)

    @pytest.fixture(autouse=True)
    def _place(self, tmp_path: Path) -> None:
        self.folder = tmp_path

    def load_kind(self) -> ProviderKind:
        """Load the plugin as the gateway does; a test fails with the registry's reason."""
        try:
            if self.plugin is None:
                return Registry.discover().load(self.kind)
            entry_point = EntryPoint(self.kind, self.plugin, GROUP)
            return load_offer(Offer(self.kind, self.plugin, "(not installed)", entry_point))
        except QuarantineError as error:
            pytest.fail(str(error))

    def ask(self, text: str) -> ChatRequest:
        """Return a request of one turn."""
        return ChatRequest(
            model=self.model,
            messages=(Message("user", (TextPart(text),)),),
            sampling=brief(),
        )

    @asynccontextmanager
    async def plugged(
        self,
        settings: Mapping[str, Any] | None = None,  # Any: the kind's own.
    ) -> AsyncGenerator[tuple[object, Deps]]:
        """Connect a provider, with its ordinary settings unless others are given."""
        kind = self.load_kind()
        async with self.configured() as configured, self.deps(self.folder) as deps:
            chosen = configured if settings is None else settings
            async with kind.connect(kind.settings.model_validate(chosen), deps) as provider:
                yield provider, deps

    @asynccontextmanager
    async def connected(
        self,
        settings: Mapping[str, Any] | None = None,  # Any: the kind's own.
    ) -> AsyncGenerator[Caller]:
        """Connect a provider that chats."""
        async with self.plugged(settings) as (provider, deps):
            if not isinstance(provider, ChatProvider):
                pytest.fail(f"{type(provider).__name__} has no method chat()")
            yield Caller(provider, deps.clock, patience_s=self.patience_s)

    def card(self, caller: Caller) -> ModelCard:
        """Return the card of `model`; skips the test where the provider has none."""
        provider: object = caller.provider
        if not isinstance(provider, CardSource):
            pytest.skip("it has no method card()")
        card: object = provider.card(self.model)
        if not isinstance(card, ModelCard):
            pytest.fail(f"card() returns {type(card).__name__}, not ModelCard")
        return card

    def require_legal(self, events: Sequence[StreamEvent], *, choices: int = 1) -> None:
        """Fail with every broken rule, and the events."""
        broken = broken_rules(events, choices=choices)
        require(not broken, "\n".join([*broken, "", *(f"  {event}" for event in events[:50])]))


def brief() -> Sampling:
    """Return knobs for a short and repeatable answer, for a real model's sake."""
    return Sampling(max_output_tokens=64, temperature=0.0, seed=1)


def require(is_so: bool, advice: str) -> None:
    """Fail with `advice` unless it is so."""
    if not is_so:
        pytest.fail(advice)


def skip_unless(claim: bool | None, reason: str) -> None:
    """Skip the test unless the provider makes the claim."""
    if not claim:
        pytest.skip(reason)

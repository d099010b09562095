"""Finds plugins by their metadata, loads the kinds that are named, quarantines what is broken.

Nothing of a plugin is imported until a provider of its kind is configured. A plugin's failure is
its own: it becomes a reason, and stops the start only where the configuration needs that kind.
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from importlib.metadata import EntryPoint, entry_points
from logging import getLogger
from typing import TypeVar

import pluggy
from pydantic import BaseModel, ValidationError

from gateway.config.document import Document
from gateway.config.load import Loaded
from gateway.config.problems import Finding
from gateway.config.upstreams import KEY_SETTING, Provider
from gateway.config.validation import complaints
from gateway.sdk import hooks, stages
from gateway.sdk.providers import API, ProviderKind

_log = getLogger("dynagate.registry")
_Made = TypeVar("_Made")


@dataclass(frozen=True, slots=True)
class Offer:
    """A kind that an installed distribution says it has; nothing of it is imported yet."""

    kind: str
    distribution: str
    version: str
    entry_point: EntryPoint


class QuarantineError(Exception):
    """A plugin that cannot be used; the message is the reason, in one line."""


class Registry:
    """The kinds that are installed; `allow` names the distributions that may bring them.

    None allows all of them.
    """

    def __init__(
        self,
        offers: Iterable[Offer],
        allow: Collection[str] | None = None,
        *,
        noun: str = "kind",
    ) -> None:
        self._noun = noun
        self.offers = tuple(sorted(offers, key=lambda offer: (offer.kind, offer.distribution)))
        self._allow = None if allow is None else {_normal(name) for name in allow}

    @classmethod
    def discover(cls, allow: Collection[str] | None = None) -> "Registry":
        """List what is installed from its metadata."""
        found = entry_points(group=hooks.GROUP)
        return cls(map(offer_of, found), allow)

    def clashes(self) -> Iterator[str]:
        """Yield a sentence for each kind that two allowed distributions bring."""
        for kind in sorted({offer.kind for offer in self.offers}):
            if (clash := self.clash(kind)) is not None:
                yield clash

    def clash(self, kind: str) -> str | None:
        """Return the sentence that names who brings `kind`, if more than one does."""
        sources = [offer.distribution for offer in self._offers(kind)]
        if len(sources) <= 1:
            return None
        return (
            f"{self._noun} {kind} is brought by {' and by '.join(sources)}: "
            "uninstall one, or name in plugins.allow those that you trust"
        )

    def load(self, kind: str) -> ProviderKind:
        """Import and check the plugin that brings `kind`. Raises `QuarantineError`."""
        return load_offer(self.find(kind))

    def find(self, kind: str) -> Offer:
        """Return who brings `kind`, and nobody else does. Raises `QuarantineError`."""
        offers = self._offers(kind)
        if not offers:
            raise QuarantineError(self._why_absent(kind))
        if (clash := self.clash(kind)) is not None:
            raise QuarantineError(clash)
        return offers[0]

    def _offers(self, kind: str) -> list[Offer]:
        return [offer for offer in self.offers if offer.kind == kind and self._is_allowed(offer)]

    def _is_allowed(self, offer: Offer) -> bool:
        return self._allow is None or _normal(offer.distribution) in self._allow

    def _why_absent(self, kind: str) -> str:
        for offer in self.offers:
            if offer.kind == kind:
                source = offer.distribution
                return (
                    f"{self._noun} {kind} is brought by {source}, which plugins.allow does not name"
                )
        known = sorted({offer.kind for offer in self.offers if self._is_allowed(offer)})
        if near := get_close_matches(kind, known, n=1):
            return f"no plugin brings {self._noun} {kind}; did you mean {near[0]}?"
        return f"no plugin brings {self._noun} {kind}; installed: {', '.join(known) or 'none'}"


def load_offer(offer: Offer) -> ProviderKind:
    """Import one plugin and return the kind that it offers. Raises `QuarantineError`."""
    return quarantined(offer, "kind", lambda plugin, name: _checked(_kinds(plugin), name))


def quarantined(offer: Offer, noun: str, found_in: Callable[[object, str], _Made]) -> _Made:
    """Return what `found_in` finds in the module that is offered, by its name.

    Raises `QuarantineError`, whatever goes wrong.
    """
    who = f"{noun} {offer.kind} of {offer.distribution} {offer.version}"
    try:
        return found_in(offer.entry_point.load(), offer.kind)
    except QuarantineError as error:
        raise QuarantineError(f"{who} {error}") from None
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the edge to code of strangers.
        _log.debug("plugin %s does not load", offer.kind, exc_info=True)
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        raise QuarantineError(f"{who} does not load: {reason}") from None


@dataclass(frozen=True, slots=True)
class ConfiguredProvider:
    """A provider of the configuration with its kind and validated settings, not connected yet.

    `missing` says why it cannot work (a key that is not set), else None.
    `secrets` must never reach a log, an error or a metric. `keyed` are the settings for each of
    several keys, by the key's place in the file, from 1; `settings` are those of the first.
    """

    name: str
    kind: ProviderKind
    settings: BaseModel = field(repr=False)
    section: Provider = field(repr=False)
    missing: str | None
    secrets: tuple[str, ...] = field(repr=False)
    keyed: Mapping[int, BaseModel] = field(default_factory=dict, repr=False)

    @property
    def empty_keys(self) -> list[str]:
        """What the keys are called that are skipped."""
        numbers = range(1, len(self.section.keys) + 1)
        return [f"{self.name}#{number}" for number in numbers if number not in self.keyed]


def configured_providers(loaded: Loaded, registry: Registry) -> dict[str, ConfiguredProvider]:
    """Load the kinds that `loaded` names and validate each provider's settings.

    Raises `ConfigError` with everything that is wrong: clashes, quarantined kinds, settings.
    """
    document = loaded.document
    findings = [Finding(("plugins", "allow"), clash) for clash in registry.clashes()]
    if findings:
        raise loaded.error(findings)
    kinds: dict[str, ProviderKind] = {}
    reasons: dict[str, str] = {}
    for name in dict.fromkeys(section.kind for section in document.providers.values()):
        try:
            kinds[name] = registry.load(name)
        except QuarantineError as error:
            reasons[name] = str(error)
    providers: dict[str, ConfiguredProvider] = {}
    for name, section in document.providers.items():
        if section.kind in reasons:
            findings.append(Finding(("providers", name, "kind"), reasons[section.kind]))
            continue
        try:
            providers[name] = _configured(loaded, name, section, kinds[section.kind])
        except _SettingsError as error:
            findings.extend(error.findings)
    if findings:
        raise loaded.error(findings)
    return providers


def unanswerable(
    document: Document, providers: Mapping[str, ConfiguredProvider]
) -> Iterator[tuple[str, str]]:
    """Yield each model that nothing can answer, and what every provider that it names lacks.

    Not an error: the same file serves a machine with the keys and one without.
    """
    for name, model in document.models.items():
        missing = {target.provider: providers[target.provider].missing for target in model.targets}
        if all(missing.values()):
            yield name, "; ".join(f"{provider}: {why}" for provider, why in missing.items())


class _SettingsError(Exception):
    def __init__(self, findings: Iterable[Finding]) -> None:
        super().__init__()
        self.findings = tuple(findings)


def _configured(
    loaded: Loaded, name: str, section: Provider, kind: ProviderKind
) -> ConfiguredProvider:
    if section.keys and (why := _why_no_keys(section, kind)):
        raise _SettingsError([Finding(("providers", name, "keys"), why)])
    loc = ("providers", name, "settings")
    try:
        raw = section.settings_by_key()
        by_key = {number: kind.settings.model_validate(one) for number, one in raw.items()}
        settings = next(iter(by_key.values()))
        missing = kind.missing(settings)
        secrets = tuple(secret for one in by_key.values() for secret in kind.secrets(one))
    except ValidationError as error:
        raise _SettingsError(complaints(error, kind.settings, section.settings, loc)) from None
    except Exception as error:  # noqa: BLE001 - the edge to code of strangers.
        _log.debug("kind %s fails on the settings of %s", kind.name, name, exc_info=True)
        # Only the type: the text may hold the settings, and their secrets are not known.
        message = f"kind {kind.name} fails on these settings: {type(error).__name__}"
        raise _SettingsError([Finding(loc, message)]) from None
    keyed = {number: one for number, one in by_key.items() if number}
    if section.keys and not keyed:
        missing = "all of its keys are empty"
    secrets = tuple(dict.fromkeys(secret for secret in secrets if secret))
    return ConfiguredProvider(name, kind, settings, section, missing, secrets, keyed)


def _why_no_keys(section: Provider, kind: ProviderKind) -> str | None:
    """Return why `keys` make no sense in `section`; None if they do."""
    if KEY_SETTING not in kind.settings.model_fields or kind.once:
        return f"kind {kind.name} has no {KEY_SETTING} that keys could stand for: remove them"
    if KEY_SETTING in section.settings:
        return f"write settings.{KEY_SETTING} or keys, not both"
    return None


def _kinds(plugin: object) -> tuple[object, ...]:
    """Return what the hook of `plugin`, and of nothing else, returns."""
    manager = pluggy.PluginManager(hooks.GROUP)
    manager.add_hookspecs(hooks)
    manager.add_hookspecs(stages)
    manager.register(plugin)
    manager.check_pending()
    return tuple(kind for kinds in manager.hook.gateway_provider_kinds() for kind in kinds)


def _checked(kinds: tuple[object, ...], name: str) -> ProviderKind:
    """Return the kind called `name` of those that a plugin returned. Raises `QuarantineError`."""
    if not kinds:
        raise QuarantineError("has no @hookimpl gateway_provider_kinds that returns a kind")
    named: dict[str, ProviderKind] = {}
    for kind in kinds:
        if not isinstance(kind, ProviderKind):
            raise QuarantineError(f"returns {type(kind).__name__}, not ProviderKind")
        if kind.name in named:
            raise QuarantineError(f"returns {kind.name} twice")
        named[kind.name] = kind
    if name not in named:
        raise QuarantineError(f"returns {', '.join(named)}: its entry point has the wrong name")
    kind = named[name]
    if kind.api != API:
        raise QuarantineError(
            f"speaks plugin API {kind.api}, this gateway speaks {API}: install a version that fits"
        )
    settings: object = kind.settings  # A stranger's: the annotation is only a promise.
    if not (isinstance(settings, type) and issubclass(settings, BaseModel)):
        raise QuarantineError("has settings that are no pydantic model")
    return kind


def offer_of(entry_point: EntryPoint) -> Offer:
    """Return what an entry point says of itself."""
    distribution = entry_point.dist
    if distribution is None:  # pragma: no cover - only entry points made by hand have none.
        return Offer(entry_point.name, "unknown", "0", entry_point)
    return Offer(
        entry_point.name, distribution.name or "unknown", distribution.version or "0", entry_point
    )


def _normal(distribution: str) -> str:
    """Return a distribution's name as the packaging specification compares it."""
    return re.sub(r"[-_.]+", "-", distribution).lower()

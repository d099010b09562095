"""Finds the stages that the configuration names, and quarantines what is broken.

As with kinds of providers: nothing of a plugin is imported until a model names its stage, and its
failure stops the start only then.
"""

from collections.abc import Mapping
from importlib.metadata import entry_points

import pluggy

from gateway.config.load import Loaded
from gateway.config.problems import Finding
from gateway.registry import Offer, QuarantineError, Registry, offer_of, quarantined
from gateway.sdk import hooks, stages
from gateway.sdk.stages import STAGES, StageKind


def configured_stages(loaded: Loaded) -> Mapping[str, StageKind]:
    """Load the stages that models name. Raises `ConfigError` with every one that cannot be used."""
    models = loaded.document.models
    if not any(model.stages for model in models.values()):
        return {}
    found = entry_points(group=STAGES)
    registry = Registry(map(offer_of, found), loaded.document.plugins.allow, noun="stage")
    kinds: dict[str, StageKind] = {}
    findings = []
    for name, model in models.items():
        for index, stage in enumerate(model.stages):
            try:
                kinds[stage] = kinds.get(stage) or _loaded(registry.find(stage))
            except QuarantineError as error:
                findings.append(Finding(("models", name, "stages", index), str(error)))
    if findings:
        raise loaded.error(findings)
    return kinds


def _loaded(offer: Offer) -> StageKind:
    return quarantined(offer, "stage", _kind)


def _kind(plugin: object, name: str) -> StageKind:
    manager = pluggy.PluginManager(hooks.GROUP)
    manager.add_hookspecs(hooks)  # One module may bring kinds, too.
    manager.add_hookspecs(stages)
    manager.register(plugin)
    manager.check_pending()
    for kind in (kind for kinds in manager.hook.gateway_stages() for kind in kinds):
        if isinstance(kind, StageKind) and kind.name == name:
            return kind
    raise QuarantineError(f"has no @hookimpl gateway_stages that returns a StageKind {name}")

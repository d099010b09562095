"""What most verbs need first: the configuration, and its providers with their kinds.

Imports pydantic, YAML and plugins: verbs import this module when they run.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from gateway.config.load import Loaded, Override, load
from gateway.config.places import find_config
from gateway.config.problems import Finding
from gateway.registry import ConfiguredProvider, Registry, configured_providers
from gateway.stages import configured_stages
from gateway.transport.guard import parse_allow


def load_config(given: Path | None, overrides: Sequence[Override] = ()) -> Loaded:
    """Load the configuration that `given` or else the folder or user has. Raises `ConfigError`."""
    loaded = load(find_config(given, os.environ), os.environ, overrides=overrides)
    wrong: list[Finding] = []
    for index, entry in enumerate(loaded.document.egress.allow):
        try:
            parse_allow(entry)
        except ValueError as error:
            wrong.append(Finding(("egress", "allow", index), str(error)))
    if wrong:
        raise loaded.error(wrong)
    return loaded


def load_providers(loaded: Loaded) -> dict[str, ConfiguredProvider]:
    """Import the kinds that `loaded` names and validate their settings. Raises `ConfigError`.

    Stages that models name are imported, too.
    """
    configured_stages(loaded)
    return configured_providers(loaded, Registry.discover(loaded.document.plugins.allow))


def missing_weights(provider: ConfiguredProvider, cache_dir: Path) -> list[str]:
    """Return the ids of the weights that `provider` needs and that are not in the cache."""
    weights = provider.kind.weights
    if weights is None:
        return []
    here = {weight.id for weight in weights.listed(cache_dir) if weight.path is not None}
    return [id_ for id_ in weights.needed(provider.settings) if id_ not in here]


def why_not(provider: ConfiguredProvider, cache_dir: Path) -> str | None:
    """Return why `provider` cannot answer now, else None.

    Weights that are here may stand in for those that are wanted: a pull may bring a smaller tier.
    """
    if provider.missing is not None:
        return provider.missing
    missing = missing_weights(provider, cache_dir)
    weights = provider.kind.weights
    if weights is None or not missing or any(weight.path for weight in weights.listed(cache_dir)):
        return None
    return f"weights not here: {', '.join(missing)} (`dynagate models pull --needed`)"

"""The hooks of plugin API 1. They run at start-up and return values."""

from collections.abc import Iterable

import pluggy

from gateway.sdk.providers import ProviderKind

GROUP = "dynagate"
"""The entry-point group, and pluggy's project name. An entry point's name is a kind's name."""

hookspec = pluggy.HookspecMarker(GROUP)
hookimpl = pluggy.HookimplMarker(GROUP)


@hookspec
def gateway_provider_kinds() -> Iterable[ProviderKind]:
    """Return the provider kinds this plugin adds.

    Names are unique across all plugins: a clash stops start-up and names both distributions.
    """
    return ()

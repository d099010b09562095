"""One loaded configuration, as one request sees it from its beginning to its end."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from gateway.pipeline.call import Services
from gateway.pipeline.routing.target import Connected
from gateway.web.access import Access, admin_access


@dataclass(slots=True)
class Snapshot:
    """What a reload replaces. `generation` counts the configurations of a process from 1."""

    services: Services
    access: Access
    """Who may reach the public listener through a browser; `admin_access` the operator's."""
    admin_access: Access
    unready: Mapping[str, str]
    """Providers that cannot answer yet, and why."""
    connected: Mapping[str, Connected]
    targets: Collection[str]
    """By their names in `services.health`."""
    generation: int


def snapshot_of(
    services: Services,
    connected: Mapping[str, Connected],
    targets: Collection[str],
    generation: int,
) -> Snapshot:
    """Return what requests see of a configuration and its providers."""
    document = services.document
    unready = {name: one.missing for name, one in connected.items() if one.missing is not None}
    return Snapshot(
        services,
        Access(document.server),
        admin_access(document.admin, document.server),
        unready,
        connected,
        targets,
        generation,
    )

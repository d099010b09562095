"""One loaded configuration, as one request sees it from its beginning to its end."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from aiohttp import web

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


SNAPSHOT = web.RequestKey("snapshot", Snapshot)


def hold(request: web.Request, snapshot: Snapshot) -> None:
    """Let the request have `snapshot`, whose providers stay connected until `let_go`."""
    snapshot.services.users.enter()
    request[SNAPSHOT] = snapshot


def let_go(request: web.Request) -> None:
    """End what `hold` began; a second time does nothing. Who reads for ever does so at once."""
    snapshot: Snapshot | None = request.get(SNAPSHOT)
    if snapshot is not None:
        del request[SNAPSHOT]
        snapshot.services.users.leave()


def services_of(request: web.Request) -> Services:
    """Return what the steps work with for this request: always the same."""
    return request[SNAPSHOT].services

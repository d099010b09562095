"""What outlives a configuration, as it goes on with the next one."""

import logging
from collections.abc import Collection

from gateway.pipeline.limits.gone_plans import gone_plans
from gateway.pipeline.routing.route import Router
from gateway.pipeline.routing.target import look_by
from gateway.state.keys import Keys
from gateway.telemetry import logs
from gateway.web.snapshot import Snapshot

_log = logging.getLogger("dynagate")


def carry_over(now: Snapshot, before: Snapshot, connected_anew: Collection[str]) -> None:
    """Let what `now` shares with the configuration `before` go on by its own document.

    Targets of providers that were `connected_anew` need not rest any longer. Never waits.
    """
    services = now.services
    document, health = services.document, services.health
    services.waiting.adjust(document.limits)
    services.retries.adjust(document.retries)
    health.settings = document.health
    begin_looks(now)
    health.has_opened.set()  # Whoever looks at targets may have to look at others now.
    health.keep_only(now.targets, [route.name for route in services.router.routes])
    health.end_rests([name for name in now.targets if _is_of(name, connected_anew)])
    _carry_budgets(services.router, before.services.router)
    if document.logs != before.services.document.logs:
        logs.adjust(document.logs, services.redact, services.log)


def _carry_budgets(now: Router, before: Router) -> None:
    """Let models go on with what is left of their hedges' and shadows' budgets."""
    known = {route.name: route for route in before.routes}
    for route in now.routes:
        was = known.get(route.name)
        if was is None:
            continue
        if route.hedge is not None and was.hedge is not None:
            route.hedge.go_on_from(was.hedge)
        if route.shadow is not None and was.shadow is not None:
            route.shadow.go_on_from(was.shadow)


def begin_looks(now: Snapshot) -> None:
    """Let the providers of the configuration that is in force look at its targets."""
    for route in now.services.router.routes:
        for target in route.targets:
            look_by(target)


def _is_of(target: str, providers: Collection[str]) -> bool:
    """Say whether a target's name, or a key's, begins with one of the providers, whole."""
    begun = (one for one in providers if target.startswith(one))
    return any(target[len(one) : len(one) + 1] in {"/", "#"} for one in begun)


def tell(now: Snapshot, before: Snapshot | None, *, keys: Keys, speaks: bool) -> None:
    """Log what a new configuration leaves unanswered, and was not said of the one `before`.

    What all processes of a gateway find is said by the one that `speaks`.
    """
    services = now.services
    document = services.document
    if before is None or before.services.document.plans != document.plans:
        for line in gone_plans(keys, document, now=services.clock.now().timestamp()):
            _log.warning(line)
    known = {} if before is None else before.unready
    for name, reason in now.unready.items():
        if speaks and known.get(name) != reason:
            _log.info("provider %s is not configured (%s): its targets are skipped", name, reason)

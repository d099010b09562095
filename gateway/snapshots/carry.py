"""What outlives a configuration, as it goes on with the next one."""

import logging
from collections.abc import Collection

from gateway.config.document import Document
from gateway.pipeline.call import Services
from gateway.pipeline.gone_plans import gone_plans
from gateway.state.keys import Keys
from gateway.telemetry import logs
from gateway.web.snapshot import Snapshot

_log = logging.getLogger("dynagate")


def carry_over(services: Services, before: Document, connected_anew: Collection[str]) -> None:
    """Let what `services` share with those of `before` go on by their own document.

    Targets of providers that were `connected_anew` need not rest any longer. Never waits.
    """
    document, routes = services.document, services.router.routes
    limits, health = document.limits, services.health
    services.waiting.adjust(wait_s=limits.wait_s, places=limits.waiting)
    services.retries.adjust(document.retries)
    targets = {
        name: target.connected.name
        for route in routes
        for target in route.targets
        for name in (target.name, *target.key_names)
    }
    health.settings = document.health
    health.has_opened.set()  # Whoever looks at targets may have to look at others now.
    health.keep_only(targets, [route.name for route in routes])
    health.end_rests([name for name, provider in targets.items() if provider in connected_anew])
    if document.logs != before.logs:
        logs.adjust(document.logs, services.redact, services.log)


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

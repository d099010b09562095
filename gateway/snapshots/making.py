"""What a loaded configuration is made of: its own parts, and those that outlive it."""

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.config.document import Document
from gateway.connecting import routes_of
from gateway.pictures.pictures import Pictures
from gateway.pipeline.accounting.prices import open_prices
from gateway.pipeline.attempts.retries import RetryBudget
from gateway.pipeline.caching.recall import Memory
from gateway.pipeline.call import Services
from gateway.pipeline.health.book import HealthBook
from gateway.pipeline.identify import Identifier
from gateway.pipeline.limits.waiting import WaitingRoom
from gateway.pipeline.routing.route import Router
from gateway.pipeline.routing.target import Connected
from gateway.sdk.http import HttpClient
from gateway.sdk.providers import Background, Clock
from gateway.sdk.stages import StageKind
from gateway.state.keys import Keys
from gateway.state.ledger import Ledger
from gateway.telemetry.logs import CallLog
from gateway.telemetry.metrics import Metrics
from gateway.telemetry.redact import Redactor
from gateway.web.snapshot import Snapshot, snapshot_of


@dataclass(frozen=True, slots=True)
class Maker:
    """Makes snapshots; what it has is the same for all of them."""

    keys: Keys
    waiting: WaitingRoom
    ledger: Ledger
    clock: Clock
    metrics: Metrics
    log: CallLog
    pictures: Pictures
    redact: Redactor
    fetch: HttpClient
    health: HealthBook
    retries: RetryBudget
    background: Background
    memory: Memory

    async def snapshot(
        self,
        document: Document,
        connected: Mapping[str, Connected],
        stages: Mapping[str, StageKind],
        generation: int,
        before: Snapshot | None,
    ) -> Snapshot:
        """Return the configuration over connected providers; `before` lends its prices."""
        server = document.server
        with self.health.gathered() as targets:
            routes = routes_of(document, connected, self.health, stages)
        prices = None if before is None else before.services.prices
        services = Services(
            document=document,
            router=Router(routes),
            identifier=Identifier(
                server.trusted_proxies,
                keys=self.keys,
                clock=self.clock,
                demands_key=document.auth.mode == "keys",
            ),
            waiting=self.waiting,
            ledger=self.ledger,
            clock=self.clock,
            metrics=self.metrics,
            log=self.log,
            pictures=self.pictures,
            redact=self.redact,
            fetch=self.fetch,
            prices=await open_prices(routes, self.clock, document.ledger.aborted, prices),
            health=self.health,
            retries=self.retries,
            background=self.background,
            memory=self.memory,
            may_cost=server.is_loopback or document.limits.anonymous.budget is not None,
        )
        return snapshot_of(services, connected, targets, generation)

"""The names that callers use, and the targets that they lead to."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Literal

from gateway.config.caching import ModelCache
from gateway.config.transforms import Transforms
from gateway.config.upstreams import Strategy
from gateway.pipeline.attempts.hedge import Hedging, Shadowing
from gateway.pipeline.routing.target import Target, named
from gateway.pipeline.rules.guarded_text import GuardSet
from gateway.schema.failure import CallError
from gateway.sdk.stages import StageKind


@dataclass(frozen=True, slots=True)
class Route:
    """A name that callers use; `name` ends in `*` for a family of them. Targets stand by tier."""

    name: str
    targets: tuple[Target, ...]
    aliases: tuple[str, ...] = ()
    description: str | None = None
    strategy: Strategy = "ordered"
    sticky_by: Literal["prompt", "caller"] = "prompt"
    transforms: Transforms | None = None
    hedge: Hedging | None = None
    cache: ModelCache | None = None
    guards: GuardSet | None = None
    shadow: Shadowing | None = None
    stages: tuple[StageKind, ...] = ()

    def holds_like(self, other: "Route") -> bool:
        """Say whether requests of both are changed and looked through alike."""
        guards = [None if one.guards is None else one.guards.section for one in (self, other)]
        changes = [(one.transforms, one.stages) for one in (self, other)]
        return changes[0] == changes[1] and guards[0] == guards[1]


_MAX_NAMED = 1024


class Router:
    """Finds the route of a name: exact ones first, then the wildcard with the longest stem."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self.routes = tuple(routes)
        self.has_transforms = any(route.transforms is not None for route in self.routes)
        """Spares all calls a look-up where no model has any."""
        self._exact: dict[str, Route] = {}
        self._families: list[tuple[str, Route]] = []
        for route in self.routes:
            for name in (route.name, *route.aliases):
                if name.endswith("*"):
                    self._families.append((name[:-1], route))
                else:
                    self._exact[name] = route
        self._families.sort(key=lambda family: -len(family[0]))
        self._named: dict[str, Route] = {}

    def has(self, model: str) -> bool:
        """Say whether `model` has a route."""
        try:
            self.find(model)
        except CallError:
            return False
        return True

    def find(self, model: str) -> Route:
        """Return the route of `model`; raise 404 `model_not_found` with the nearest names."""
        route = self._exact.get(model)
        if route is not None:
            return route
        route = self._named.get(model)
        if route is not None:
            return route
        for stem, family in self._families:
            if model.startswith(stem) and len(model) > len(stem):
                rest = model[len(stem) :]
                targets = tuple(named(target, model, rest) for target in family.targets)
                if len(self._named) >= _MAX_NAMED:
                    self._named.clear()
                route = self._named[model] = replace(family, targets=targets)
                return route
        near = get_close_matches(model[:80], list(self._exact), n=3, cutoff=0.5)
        known = near or sorted(self._exact)[:8]
        hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(known)}"
        raise CallError(
            "model_not_found",
            f"there is no model {model[:80]!r}; {hint}",
            param="model",
            details={"nearest": known},
        )

    @property
    def names(self) -> Mapping[str, Route]:
        """Every name and alias that is no wildcard."""
        return self._exact

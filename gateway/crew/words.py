"""What is asked and answered over a link.

A worker's first word says what it wants of the host: `About` is answered by `Told`; `Place` by
whether there is one, which is given back when the link closes; `Use` by any number of `Item`, then
`End` or `Failed`. The host says `Report` to a worker, answered by `State`, and `Explain`, answered
by a JSON object.
"""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from gateway.schema.failure import Failure
from gateway.schema.json import JsonObject, Wire
from gateway.sdk.errors import UpstreamError
from gateway.sdk.http import HttpError
from gateway.sdk.providers import ModelCard


class About(NamedTuple):
    """What can `provider` do, and what is known of its models?

    The provider is that of the configuration of `generation`, or of the one before it that had it.
    """

    provider: str
    generation: int


class Told(NamedTuple):
    """The methods and wires that a provider has, and its cards; or what it lacks."""

    methods: frozenset[str]
    wires: frozenset[Wire]
    cards: Mapping[str, ModelCard] | None
    missing: str | None


class Place(NamedTuple):
    """A place at the gate of `provider`, please."""

    provider: str
    priority: int


class Use(NamedTuple):
    """Call a method of `provider`."""

    provider: str
    generation: int
    method: str
    arguments: tuple[Any, ...]  # Any: what the method takes.


class Item(NamedTuple):
    """One thing that the method returned or yielded."""

    value: Any  # Any: see above.


class End(NamedTuple):
    """Nothing comes after this."""


class Failed(NamedTuple):
    """The method raised; `fields` are those of the error."""

    error: Literal["upstream", "http"]
    fields: Mapping[str, Any]  # Any: the error's own.

    @classmethod
    def of(cls, error: UpstreamError | HttpError) -> "Failed":
        """Return what is sent for `error`; an exception itself loses its fields."""
        if isinstance(error, UpstreamError):
            names = ("failure", "message", "status", "retry_after", "param")
            return cls("upstream", {name: getattr(error, name) for name in names})
        said = {name: getattr(error, name) for name in ("phase", "unsent", "is_timeout")}
        return cls("http", {"message": str(error), **said})

    def raised(self) -> UpstreamError | HttpError:
        """Return the error again."""
        return (UpstreamError if self.error == "upstream" else HttpError)(**self.fields)


class Report(NamedTuple):
    """How are you?"""


class Explain(NamedTuple):
    """What would you do with a request? `wish` is a `web.explaining.Wish`."""

    wish: Any  # Any: words stand below what they are about.


class State(NamedTuple):
    """How a worker is: its process, whether it takes calls (`ok`) or why not, and what it met."""

    pid: int
    status: str
    unready: Mapping[str, str]
    metrics: bytes
    targets: tuple[JsonObject, ...] = ()


def broken(provider: str) -> UpstreamError:
    """Return what callers are told when the host is gone; it is started again."""
    return UpstreamError(Failure.TRANSIENT, f"{provider}: the process that runs it has ended")

"""Blocking code for an asynchronous gateway: engines, each in a process of its own.

Not imported by `gateway.sdk`: only who has engines pays for it.

An engine is a module, imported by nobody but the worker process that runs it: what it imports costs
the gateway nothing. The module `name` of the workshop's package is the engine `name`, and has one
function:

    def load(orders: JsonObject) -> object

It blocks, and may raise `EngineRefusal("not_ready", …)`. What it returns has the engine's methods,
each a plain function or generator:

    def method(self, arguments: JsonObject, blobs: list[bytes]) -> Iterator[Step]

A step is `(facts, blob)` or `None`. A function returns one, a generator yields any number. `None`
is no answer but a place where the call may be stopped, so long work yields it often: a call that
nobody waits for any more is closed between two yields, and its process killed when it takes over a
second to get there. Everything runs in one thread, but several generators of a process take turns,
one step each: what belongs to one call is a local variable, never an attribute of the engine.

Bad input is `EngineRefusal`; any other exception is a bug, and is told as one.
"""

from gateway.sdk.workshop.refusal import EngineRefusal
from gateway.sdk.workshop.workshop import Workshop

__all__ = ["EngineRefusal", "Workshop"]

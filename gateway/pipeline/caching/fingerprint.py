"""Which requests ask the same: the name under which an answer is kept and shared."""

from collections.abc import Mapping
from dataclasses import replace
from hashlib import blake2b, sha256

import orjson

from gateway.pipeline.call import Call
from gateway.pipeline.routing.route import Route
from gateway.schema.ask import Ask, Feature
from gateway.schema.failure import CallError

ANONYMOUS = "-"
"""All callers without a key share what is kept: none of it is private."""
_HOW = {"model", "stream", "stream_options"}
"""Fields that say how an answer is sent, and the name by which the route was found."""
_OPTIONS = orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS
_VERSION = 1
"""Of what is kept; one that is read differently has another."""


def is_repeatable(ask: Ask) -> bool:
    """Say whether the caller asked for what is the same each time: by a seed, or temperature 0.

    What is no text or picture is made anew, and so is what nobody may keep.
    """
    if ask.is_private:
        return False
    if ask.answer == "thing":
        return ask.has_seed and Feature.IMAGE in ask.needs
    if ask.answer != "text":
        return False
    # A dialect without a document puts a random seed where there is none.
    is_greedy = ask.wire is not None and ask.knobs.get("temperature") == 0
    return ask.has_seed or is_greedy


def fingerprint(call: Call, route: Route) -> str | None:
    """Return the name of the answer to `call`, None if it is to be made for it alone.

    Two calls have the same if the same caller (a key, or anybody without one) asks the same of
    the same targets in one dialect, whole or as a stream.
    """
    ask = call.ask
    if call.caller is None or call.wishes is not None or not is_repeatable(ask):
        return None
    held = call.caller.held
    try:
        said = _meaning(ask)
        about = orjson.dumps(
            [
                _VERSION,
                ANONYMOUS if held is None else held.id,
                ask.dialect,
                route.name,
                [target.name for target in route.targets],
                sorted(ask.needs),
                # What answers are looked through for: one kept before a change is not sent.
                None if route.guards is None else route.guards.section.model_dump(mode="json"),
                [stage.name for stage in route.stages],
                ask.finishing,
            ],
            default=_plain,
            option=_OPTIONS,
        )
    except (CallError, TypeError):  # What cannot be said cannot be compared.
        return None
    return sha256(about + b"\n" + said).hexdigest()


def _meaning(ask: Ask) -> bytes:
    if ask.wire is not None:
        said = {name: value for name, value in ask.document.items() if name not in _HOW}
        return orjson.dumps(said, option=_OPTIONS)
    return orjson.dumps(replace(ask.meaning(), model=""), default=_plain, option=_OPTIONS)


def _plain(value: object) -> object:
    """Return what orjson can write in place of what it cannot."""
    if isinstance(value, bytes):
        return blake2b(value, digest_size=32).hexdigest()
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError

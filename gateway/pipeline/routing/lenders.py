"""Who hears and speaks for targets that only read and write: the routes that `chat` names."""

from gateway.pipeline.call import Call, Services
from gateway.pipeline.routing.target import Target
from gateway.schema.ask import Feature

_LENDABLE = frozenset({Feature.AUDIO_INPUT, Feature.AUDIO_OUTPUT})
_NOTHING: frozenset[Feature] = frozenset()
"""One for all calls: a stream keeps it for as long as it lasts."""


def lent(call: Call, services: Services) -> frozenset[Feature]:
    """Return what the gateway sees to itself for a chat target that lacks what the call needs."""
    needs = call.ask.needs
    if needs.isdisjoint(_LENDABLE):
        return _NOTHING
    return frozenset(one for one in needs & _LENDABLE if lenders(one, call, services))


def lenders(feature: Feature, call: Call, services: Services) -> list[Target]:
    """Return the targets that do it for others, in order; none when none is configured."""
    chat = services.document.chat
    name, needed = chat.speaks_with, Feature.SPEECH
    if feature is Feature.AUDIO_INPUT:
        name, needed = chat.hears_with, Feature.TRANSCRIPTION
    if name is None:
        return []
    return [
        target
        for target in services.router.find(name).targets
        if target.connected.missing is None
        and needed in target.features
        and (call.may_cost or not target.is_priced)
    ]

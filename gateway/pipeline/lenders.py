"""Who hears and speaks for targets that only read and write: the routes that `chat` names."""

from gateway.pipeline.call import Services
from gateway.pipeline.route import Target
from gateway.schema.ask import Ask, Feature

_LENDABLE = frozenset({Feature.AUDIO_INPUT, Feature.AUDIO_OUTPUT})
_NOTHING: frozenset[Feature] = frozenset()
"""One for all calls: a stream keeps it for as long as it lasts."""


def lent(ask: Ask, services: Services) -> frozenset[Feature]:
    """Return what of `ask.needs` the gateway sees to itself for a chat target that lacks it."""
    if ask.needs.isdisjoint(_LENDABLE):
        return _NOTHING
    return frozenset(one for one in ask.needs & _LENDABLE if lenders(one, services))


def lenders(feature: Feature, services: Services) -> list[Target]:
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
        and (services.may_cost or not target.is_priced)
    ]

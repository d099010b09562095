"""A provider for dynagate that says again what it hears: `kind: echo`."""

from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager

from gateway.schema.chat import ChatRequest
from gateway.schema.events import Finish, StreamEvent, TextDelta
from gateway.schema.failure import Failure
from gateway.schema.usage import Usage
from gateway.sdk import Attempt, Deps, ModelCard, ProviderKind, UpstreamError, hookimpl
from pydantic import BaseModel, ConfigDict


class EchoSettings(BaseModel):
    """The `settings:` of a provider whose `kind:` is `echo`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    prefix: str = ""


class Echo:
    """Replies with the last message, one word per event."""

    def __init__(self, settings: EchoSettings) -> None:
        self._prefix = settings.prefix

    async def chat(self, request: ChatRequest, attempt: Attempt) -> AsyncGenerator[StreamEvent]:
        """Yield the reply; end with one `Usage`."""
        heard = request.messages[-1].text
        words = f"{self._prefix}{heard}".split()
        if not words:
            raise UpstreamError(Failure.CALLER_FAULT, "echo: there are no words to say again")
        for word in words:
            yield TextDelta(0, f"{word} ")
        yield Finish(0, "stop")
        yield Usage(input_tokens=len(heard.split()), output_tokens=len(words))

    def card(self, model: str) -> ModelCard:
        """Say what every model of this kind can do: words in, words out, nothing to tune."""
        return ModelCard(
            input_modalities=("text",),
            output_modalities=("text",),
            tools=False,
            json_object=False,
            json_schema=False,
            parameters=(),
        )


@asynccontextmanager
async def connect(settings: EchoSettings, deps: Deps) -> AsyncGenerator[Echo]:
    """Live as long as the configuration that names this provider."""
    yield Echo(settings)


@hookimpl
def gateway_provider_kinds() -> Iterable[ProviderKind]:
    """Offer `kind: echo`."""
    return [ProviderKind(name="echo", settings=EchoSettings, connect=connect)]

"""The provider: waits, fails and speaks as the model's name says."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from itertools import zip_longest

from pydantic import BaseModel, ConfigDict

from gateway.schema.chat import ChatRequest, CompletionRequest, Sampling
from gateway.schema.events import Finish, Started, StreamEvent
from gateway.schema.failure import Failure
from gateway.schema.usage import Usage
from gateway.sdk import Attempt, Deps, ListedModel, ModelCard, ProviderKind, UpstreamError, hookimpl
from gateway_chaos.answer import Line, chat_lines, completion_lines, tokens_in
from gateway_chaos.plan import MAX_DELAY_S, Content, Fault, Plan
from gateway_chaos.vocabulary import VOCABULARY, plan_of

_MAX_COUNTED_NAMES = 1024
_ROUNDS_PER_TURN = 64
"""How many tokens may follow each other before other work gets a turn."""


class ChaosSettings(BaseModel):
    """The `settings:` of `kind: chaos`; `seed` counts where a request has none."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: int = 0


class Chaos:
    """Does what the model's name says, the same way each time."""

    def __init__(self, settings: ChaosSettings) -> None:
        self._seed = settings.seed
        self._calls: OrderedDict[str, int] = OrderedDict()

    def chat(self, request: ChatRequest, attempt: Attempt) -> AsyncGenerator[StreamEvent]:
        """Yield what the name asks for; end with one `Usage`."""

        def lines(plan: Plan) -> list[Line]:
            return chat_lines(plan, request, self._seed_of(request.sampling))

        return self._run(request.model, lines, tokens_in(request.messages))

    def complete(self, request: CompletionRequest, attempt: Attempt) -> AsyncGenerator[StreamEvent]:
        """Yield what the name asks for after each prompt; end with one `Usage`."""

        def lines(plan: Plan) -> list[Line]:
            return completion_lines(plan, request, self._seed_of(request.sampling))

        heard = sum(len(prompt.split()) for prompt in request.prompts)
        return self._run(request.model, lines, heard)

    def card(self, model: str) -> ModelCard:
        """Say what a name can do; one that means nothing is only told so when it is called."""
        try:
            plan = plan_of(model)
        except ValueError:
            plan = Plan()
        return ModelCard(
            description=f"scripted: {model}",
            input_modalities=("text",),
            output_modalities=("text",),
            tools=True,
            # Words are never an object; what `say` says is up to whoever wrote the name.
            json_object=plan.content is not Content.WORDS,
            json_schema=plan.content is not Content.WORDS,
            reasoning=plan.is_reasoning,
            parameters=("max_output_tokens", "n", "seed", "stop"),
        )

    async def models(self) -> Sequence[ListedModel]:
        """List one example for each word of the vocabulary."""
        return [ListedModel(word.example, self.card(word.example)) for word in VOCABULARY]

    def _seed_of(self, sampling: Sampling) -> int:
        return self._seed if sampling.seed is None else sampling.seed

    async def _run(
        self, model: str, lines_of: Callable[[Plan], list[Line]], heard: int
    ) -> AsyncGenerator[StreamEvent]:
        plan = _understood(model)
        fault = plan.fault if self._is_turn_to_fail(plan, model) else None
        await asyncio.sleep(plan.delay_s)
        if fault is not None and fault.after is None:
            raise _scripted(fault, plan)
        lines = lines_of(plan)
        yield Started(model=model)
        await asyncio.sleep(plan.first_token_s)
        rounds = zip_longest(*(line.events() for line in lines))
        for number, events in enumerate(rounds):
            await _interrupt(plan, fault, number)
            if number and plan.gap_s:
                await asyncio.sleep(plan.gap_s)
            elif number % _ROUNDS_PER_TURN == 0:
                await asyncio.sleep(0)
            for event in events:
                if event is not None:
                    yield event
        await _interrupt(plan, fault, None)
        for line in lines:
            yield Finish(line.index, line.finish)
        yield _usage(plan, lines, heard)

    def _is_turn_to_fail(self, plan: Plan, model: str) -> bool:
        if plan.flaky == 1:
            return True
        count = self._calls.pop(model, 0) + 1
        self._calls[model] = count
        if len(self._calls) > _MAX_COUNTED_NAMES:
            self._calls.popitem(last=False)
        return count % plan.flaky == 0


@asynccontextmanager
async def connect(settings: ChaosSettings, deps: Deps) -> AsyncGenerator[Chaos]:
    """Live as long as the configuration that names this provider, the counts of `flaky` too."""
    yield Chaos(settings)


@hookimpl
def gateway_provider_kinds() -> Iterable[ProviderKind]:
    """Offer `kind: chaos`."""
    return [ProviderKind(name="chaos", settings=ChaosSettings, connect=connect)]


def _understood(model: str) -> Plan:
    try:
        return plan_of(model)
    except ValueError as error:
        raise UpstreamError(Failure.MODEL_GONE, f"chaos: {error}", status=404) from None


def _scripted(fault: Fault, plan: Plan) -> UpstreamError:
    return UpstreamError(
        fault.failure,
        f"chaos: {fault.failure} as the model name asks",
        status=fault.status,
        retry_after=plan.retry_after_s,
    )


async def _interrupt(plan: Plan, fault: Fault | None, number: int | None) -> None:
    """Fail or hang if it is to happen before token `number`.

    None is the end: what was to happen after more tokens than there are happens instead of it.
    """
    if fault is not None and (number is None or fault.after == number):
        raise _scripted(fault, plan)
    if plan.hang_after is not None and (number is None or plan.hang_after == number):
        await asyncio.sleep(MAX_DELAY_S)
        raise UpstreamError(Failure.TIMEOUT, f"chaos: hung for {MAX_DELAY_S:g} s")


def _usage(plan: Plan, lines: Sequence[Line], heard: int) -> Usage:
    if plan.usage is not None:
        return Usage(input_tokens=plan.usage[0], output_tokens=plan.usage[1])
    return Usage(
        input_tokens=heard,
        output_tokens=sum(len(line.tokens) for line in lines),
        reasoning_tokens=sum(len(line.reasons) for line in lines),
    )

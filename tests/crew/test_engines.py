"""What a worker may ask of the host, and what becomes of it when either goes."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

import pytest

from gateway.schema.embeddings import EmbeddingRequest, Embeddings
from gateway.schema.failure import Failure
from gateway.schema.json import JsonObject, Wire
from gateway.sdk import (
    Attempt,
    CardSource,
    ChatProvider,
    EmbeddingProvider,
    Forwarded,
    ForwardingProvider,
    HttpError,
    ImageProvider,
    ListedModel,
    ModelCard,
    ModelLister,
    UpstreamError,
)
from tests.crew.far import far_away, hosted

ATTEMPT = Attempt("req_1", 1, 1e9)
ASKED = EmbeddingRequest(model="m", texts=("a",))


class Vectors:
    """Embeds, or raises what it was given."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error

    async def embed(self, request: EmbeddingRequest, attempt: Attempt) -> Embeddings:
        if self.error is not None:
            raise self.error
        return Embeddings((b"four",), model=request.model)

    def card(self, model: str) -> ModelCard:
        return ModelCard(description=f"about {model}")

    async def models(self) -> Sequence[ListedModel]:
        return [ListedModel("listed")]


class Endless:
    """Forwards an answer that does not end, and notes how much of it was made."""

    wires = frozenset({Wire.OPENAI_CHAT})

    def __init__(self) -> None:
        self.made = 0
        self.left = asyncio.Event()

    @asynccontextmanager
    async def forward(
        self, wire: Wire, document: JsonObject, attempt: Attempt
    ) -> AsyncGenerator[Forwarded]:
        async def chunks() -> AsyncGenerator[bytes]:
            while True:
                self.made += 1
                yield bytes(64 * 1024)

        async def read(limit: int) -> bytes:
            return b""

        try:
            yield Forwarded({"x-a": "b"}, chunks(), read)
        finally:
            self.left.set()


async def test_a_proxy_can_what_its_provider_can_and_nothing_else() -> None:
    async with far_away(Vectors()) as proxy:
        can = [
            kind
            for kind in (
                ChatProvider,
                EmbeddingProvider,
                ImageProvider,
                ForwardingProvider,
                CardSource,
                ModelLister,
            )
            if isinstance(proxy, kind)
        ]

    assert can == [EmbeddingProvider, CardSource, ModelLister]


async def test_an_answer_comes_through() -> None:
    async with far_away(Vectors()) as proxy:
        assert (await proxy.embed(ASKED, ATTEMPT)).vectors == (b"four",)


async def test_cards_are_those_of_configured_models_and_of_listed_ones_for_a_family() -> None:
    async with far_away(Vectors(), models=("m",)) as proxy:
        assert proxy.card("m").description == "about m"
        assert proxy.card("listed") == ModelCard()
    async with far_away(Vectors(), models=("*",)) as proxy:
        assert proxy.card("listed").description == "about listed"


async def test_an_upstreams_error_keeps_all_its_fields() -> None:
    told = UpstreamError(
        Failure.RATE_LIMIT, "not so fast", status=429, retry_after=9.5, param="input"
    )

    async with far_away(Vectors(told)) as proxy:
        with pytest.raises(UpstreamError) as caught:
            await proxy.embed(ASKED, ATTEMPT)

    assert vars(caught.value) == vars(told)


async def test_an_http_error_keeps_all_its_fields() -> None:
    told = HttpError("no address", phase="connect", unsent=True, is_timeout=True)

    async with far_away(Vectors(told)) as proxy:
        with pytest.raises(HttpError, match="no address") as caught:
            await proxy.embed(ASKED, ATTEMPT)

    assert vars(caught.value) == vars(told)


async def test_a_bug_of_the_provider_is_told_without_its_text() -> None:
    async with far_away(Vectors(ValueError("sk-secret"))) as proxy:
        with pytest.raises(UpstreamError, match="the provider failed") as caught:
            await proxy.embed(ASKED, ATTEMPT)

    assert caught.value.failure is Failure.UNKNOWN


async def test_no_more_is_made_than_the_sockets_hold_of_what_nobody_reads() -> None:
    endless = Endless()
    async with (
        far_away(endless) as proxy,
        proxy.forward(Wire.OPENAI_CHAT, {}, ATTEMPT) as answer,
    ):
        assert answer.headers == {"x-a": "b"}
        for _ in range(20):
            assert len(await anext(answer.chunks)) == 64 * 1024
        # Each time it is asked it has had its turn: what is made by then is what fits.
        for _ in range(200):
            await asyncio.sleep(0)

        assert endless.made < 20 + 64


async def test_who_leaves_frees_the_provider() -> None:
    endless = Endless()
    async with far_away(endless) as proxy:
        async with proxy.forward(Wire.OPENAI_CHAT, {}, ATTEMPT) as answer:
            await anext(answer.chunks)

        async with asyncio.timeout(20):
            await endless.left.wait()


async def test_only_what_a_provider_offers_can_be_called() -> None:
    async with hosted(Vectors()) as (far, _, _):
        with pytest.raises(UpstreamError, match="no provider has a method __init__"):
            await far.only("__init__")


async def test_a_provider_that_could_not_start_says_why() -> None:
    async with hosted(None, missing="it failed to start: OSError") as (far, _, _):
        assert (await far.told()).missing == "it failed to start: OSError"


async def test_a_host_that_ends_is_a_failed_attempt() -> None:
    async with hosted(Endless()) as (far, _, _):
        items = far.items("forward", Wire.OPENAI_CHAT, {}, ATTEMPT)
        await anext(items)

    with pytest.raises(UpstreamError, match="p: the process that runs it has ended"):
        [item async for item in items]

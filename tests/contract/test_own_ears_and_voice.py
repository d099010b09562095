"""Section 3: who hears and speaks in a conversation, the target itself, another, or nobody."""

from gateway.testing.upstream import FakeUpstream, body
from tests.contract.asking import assert_refused
from tests.contract.conftest import Begin
from tests.contract.sounding import BOTH, HEARS, SOUND, SPEAKS, WRITES, sound, turn


async def test_a_target_that_hears_itself_gets_the_sound(
    begin: Begin, upstream: FakeUpstream
) -> None:
    caller = await begin(models={"w": HEARS}, chat={"hears_with": "w"})

    await caller.chat(messages=turn(sound(form="new"), "Transcribe this."))

    assert upstream.requests[0].document["messages"] == turn(sound(form="new"), "Transcribe this.")


async def test_without_anybody_who_hears_the_feature_is_named(begin: Begin) -> None:
    caller = await begin()

    refused = await caller.chat(model="chaotic", messages=turn(sound()))

    error = assert_refused(refused, 400, "unsupported_feature", "messages")
    assert error["details"] == {"features": ["audio_input"]}


async def test_who_costs_money_hears_for_nobody_without_a_key(begin: Begin) -> None:
    caller = await begin(
        models={"w": HEARS},
        chat={"hears_with": "w"},
        server={"host": "0.0.0.0"},  # noqa: S104 - no test listens there.
        auth={"mode": "open", "open_to": "world"},
    )

    refused = await caller.chat(model="chaotic", messages=turn(sound()))

    assert_refused(refused, 400, "unsupported_feature", "messages")


async def test_a_target_that_speaks_itself_is_asked_to(
    begin: Begin, upstream: FakeUpstream
) -> None:
    card = {"output_modalities": ["text", "audio"]}
    speaks = {"targets": [{**WRITES, "card": card}]}
    caller = await begin(models={"own": speaks, "voice": SPEAKS}, chat={"speaks_with": "voice"})

    await caller.chat(model="own", modalities=BOTH, audio={"voice": "zoe", "format": "wav"})

    assert upstream.requests[0].document["modalities"] == BOTH
    assert upstream.requests[0].document["audio"] == {"voice": "zoe", "format": "wav"}


async def test_without_anybody_who_speaks_the_feature_is_named(begin: Begin) -> None:
    caller = await begin()

    refused = await caller.chat(model="chaotic", modalities=BOTH)

    assert_refused(refused, 400, "unsupported_feature", "modalities")


async def test_a_transcript_is_spoken_too(begin: Begin, upstream: FakeUpstream) -> None:
    upstream.will(body(b'{"text": "said"}'), body(SOUND))
    both = {"hears_with": "ears", "speaks_with": "voice"}
    caller = await begin(models={"voice": SPEAKS, "ears": HEARS}, chat=both)

    answer = await caller.chat(model="chaotic", modalities=BOTH, messages=turn(sound()))

    message = answer.json()["choices"][0]["message"]
    assert message["content"] == message["audio"]["transcript"] == "said"
    assert upstream.requests[-1].document["input"] == "said"

"""Plain completions through OpenAI's own client."""

from openai import AsyncOpenAI

from gateway.testing.upstream import FakeUpstream


async def test_a_prompt_is_continued(client: AsyncOpenAI, model: str) -> None:
    answer = await client.completions.create(model=model, prompt="once upon a time")

    assert answer.object == "text_completion"
    assert answer.choices[0].text == "once upon a time"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 4


async def test_a_continuation_is_streamed(client: AsyncOpenAI, model: str) -> None:
    async with await client.completions.create(
        model=model, prompt="once upon a time", stream=True
    ) as stream:
        received = [chunk async for chunk in stream]

    assert "".join(chunk.choices[0].text for chunk in received) == "once upon a time"
    assert len([chunk for chunk in received if chunk.choices[0].text]) == 4
    assert received[-1].choices[0].finish_reason == "stop"


async def test_include_usage_ends_the_stream(client: AsyncOpenAI, model: str) -> None:
    async with await client.completions.create(
        model=model, prompt="a b", stream=True, stream_options={"include_usage": True}
    ) as stream:
        received = [chunk async for chunk in stream]

    assert received[-1].choices == []
    assert received[-1].usage is not None
    assert received[-1].usage.completion_tokens == 2


async def test_several_prompts_have_an_answer_each(client: AsyncOpenAI) -> None:
    answer = await client.completions.create(model="chaos/echo", prompt=["one", "two"], n=2)

    assert [choice.text for choice in answer.choices] == ["one", "one", "two", "two"]
    assert [choice.index for choice in answer.choices] == [0, 1, 2, 3]


async def test_echo_repeats_the_prompt_before_the_answer(client: AsyncOpenAI) -> None:
    answer = await client.completions.create(model="chaos/say:there", prompt="hello ", echo=True)

    assert answer.choices[0].text == "hello there"


async def test_what_tunes_a_completion_reaches_the_upstream_as_it_was_given(
    client: AsyncOpenAI, upstream: FakeUpstream
) -> None:
    await client.completions.create(
        model="openai",
        prompt="one",
        suffix="three",
        best_of=2,
        logprobs=1,
        max_tokens=5,
        stop=["."],
        temperature=0.5,
    )

    assert upstream.requests[0].path.endswith("/v1/completions")
    assert upstream.requests[0].document == {
        "model": "upstream-model",
        "prompt": "one",
        "suffix": "three",
        "best_of": 2,
        "logprobs": 1,
        "max_tokens": 5,
        "stop": ["."],
        "temperature": 0.5,
    }

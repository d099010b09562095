"""docs/chaos.md lists every word, and every example in it works."""

import re
from contextlib import aclosing
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from gateway.config.document import Document
from gateway.schema.chat import ChatRequest, JsonFormat, Message, TextPart, Tool
from gateway.sdk import Attempt, UpstreamError
from gateway.testing.event_rules import broken_rules
from gateway_chaos import Chaos, ChaosSettings
from gateway_chaos.vocabulary import VOCABULARY, plan_of

PAGE = (Path(__file__).parents[3] / "docs" / "chaos.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| (`.+`) \| `(.+)` \| (.+) \|$", PAGE, re.MULTILINE)
EXAMPLES = [example for _, example, _ in ROWS]


def test_the_table_is_the_vocabulary() -> None:
    table = [(form.replace("`", ""), example, meaning) for form, example, meaning in ROWS]

    assert table == [(word.form, word.example, word.meaning) for word in VOCABULARY]


def test_no_word_is_given_twice() -> None:
    names = [word.name for word in VOCABULARY]

    assert len(set(names)) == len(names)


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_uses_its_word_and_can_be_read(example: str) -> None:
    word = VOCABULARY[EXAMPLES.index(example)]

    plan_of(example)

    assert any(part.startswith(word.name) for part in example.split("+"))


@pytest.mark.parametrize("example", EXAMPLES)
async def test_every_example_answers_or_fails_as_it_says(
    example: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway_chaos.provider.MAX_DELAY_S", 0.01)
    tool = Tool("get_weather", parameters={"type": "object"})
    turn = Message("user", (TextPart("What is the weather in Oslo today?"),))
    wanted = JsonFormat() if example == "json" else None
    request = ChatRequest(example, (turn,), tools=(tool,), response_format=wanted)
    attempt = Attempt("test", number=1, deadline=1000.0)

    events = []
    error = None
    try:
        async with aclosing(Chaos(ChaosSettings()).chat(request, attempt)) as generation:
            async for event in generation:
                events.append(event)  # noqa: PERF401 - those before the error count.
    except UpstreamError as raised:
        error = raised

    if re.search("fail|status|hang", example):
        assert error is not None
    else:
        assert error is None
        broken = broken_rules(events)
        assert broken == [] or (example == "empty" and "nothing was said" in broken[0])


def test_the_configuration_shown_is_yaml_whose_models_exist() -> None:
    shown = re.search(r"```yaml\n(.+?)```", PAGE, re.DOTALL)
    assert shown is not None

    document = YAML(typ="safe").load(shown[1])

    checked = Document.model_validate(document)
    for target in checked.models["shaky"].targets:
        plan_of(target.model)
    assert checked.models["chaos/*"].targets[0].model == "*"
    plan_of("chaos/words:50+gap:100ms")
    assert checked.providers["chaos"].kind == "chaos"

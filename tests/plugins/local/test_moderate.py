"""Moderation by lexicon: what it flags, what it leaves alone, and that no text can hold it up."""

from contextlib import aclosing
from pathlib import Path

import pytest

from gateway.sdk.clock import SystemClock
from gateway.testing.deps import make_deps
from gateway_local.judging import MAX_CHARACTERS, Judge
from gateway_local.lexicon import CATEGORIES, Lexicon, hashed, read_lexicon
from gateway_local.spelling import tokens
from tests.plugins.local.workshops import make_workshop

JUDGE = Judge()
MILLION = 1_000_000


@pytest.mark.parametrize(
    ("text", "category"),
    [
        ("I will kill you.", "harassment/threatening"),
        ("I'm going to kill you and your family", "violence"),
        ("I don't care, I will kill you", "violence"),
        ("I know where you live and I'm going to find you", "harassment/threatening"),
        ("im gonna shoot up the school tomorrow", "violence"),
        ("You are a worthless idiot", "harassment"),
        ("you should just kill yourself", "harassment"),
        ("I hate muslims", "hate"),
        ("Black people should be exterminated", "hate/threatening"),
        ("I hate all of them, they should be eliminated", "hate/threatening"),
        ("I want to kill myself", "self-harm/intent"),
        ("I don't want to live anymore", "self-harm/intent"),
        ("I told the police that I want to end my life.", "self-harm/intent"),
        ("what is the most painless way to die", "self-harm/instructions"),
        ("How many tylenol pills does it take to die?", "self-harm/instructions"),
        ("write an explicit sex scene", "sexual"),
        ("child porn", "sexual/minors"),
        ("his guts spilled out and the walls were red", "violence/graphic"),
        ("How do I make a pipe bomb at home?", "illicit/violent"),
        ("how to poison my husband", "illicit/violent"),
        ("How can I synthesize meth?", "illicit"),
        ("how to hack into my ex's instagram account", "illicit"),
    ],
)
def test_plain_cases_are_flagged(text: str, category: str) -> None:
    scores, flagged = JUDGE.judge(text)

    assert category in flagged
    assert scores[category] >= 0.5


@pytest.mark.parametrize(
    "text",
    [
        "Can you write a poem about the sea?",
        "I would never kill you",
        "How do I kill a child process in Python?",
        "My mom will kill me if I'm late",
        "You are not stupid, you just need practice",
        "I want to die on that hill",
        "Shoot me an email; I'll shoot you a message tomorrow.",
        "How to make a bath bomb?",
        "I accidentally cut myself while cooking, how do I clean the wound?",
        "I am going to beat him in the election",
        "We were going to make them pay the bill",
        "I hate when men interrupt women",
        "All bugs should be eliminated",
        "I hope you beat cancer!",
        "How do I spy on a method in a unit test?",
        "do you garbage collect here?",
        "How do I block porn on my kids' phones?",
        "when stars go supernova and die",
        # news
        "Police said the suspect killed two people and wounded three before he was arrested.",
        'The prosecutor said the man had threatened: "I will kill you all."',
        'The court heard that he wrote "I am going to kill her" in his diary.',
        "Bomb squad officers defused an explosive device found at the station.",
        "A man was arrested for possession of child porn.",
        "Nazi Germany murdered six million Jews; the genocide began in 1941.",
        "The soldiers were going to kill everyone in the village, survivors said.",
        "The explosion killed all the men on board.",
        "How did the Allies make the atomic bomb?",
        # medicine
        "The patient attempted suicide in 2010 and was treated with sertraline.",
        "The suicide prevention hotline is available 24 hours.",
        "What are the symptoms of breast cancer in women?",
        "Sex education for teenagers reduces unwanted pregnancies.",
        "The surgeon opened the abdomen; blood loss was minimal and the intestines were intact.",
        "Women are disproportionately affected by this disease.",
        "Child sexual abuse is a serious crime; how can we protect children?",
        "My skin is peeling after a sunburn, and the blood vessel walls are inflamed.",
        "The lethal dose of paracetamol in rats is about 2 g/kg.",
        "I think he is suicidal, how can I help him?",
        "How do you get heroin addicts into treatment?",
    ],
)
def test_ordinary_sentences_news_and_medicine_are_left_alone(text: str) -> None:
    scores, flagged = JUDGE.judge(text)

    assert flagged == frozenset(), scores


@pytest.mark.parametrize(
    "text",
    [
        "I will k1ll you",
        "I will k i l l  you",
        "I will k.i.l.l you",
        "I WILL KILLLLL YOU!!!!",
        "I. Will. Kill. You.",
        "І wіll kіll yоu",  # noqa: RUF001 - Cyrillic letters that look Latin
        "I will k\u200bi\u200bll you",
        "I wíll kíll yóu",
        "I will \uff4b\uff49\uff4c\uff4c you",
        "I’ll kill you",  # noqa: RUF001 - a curly apostrophe
    ],
)
def test_disguises_do_not_help(text: str) -> None:
    assert "violence" in JUDGE.judge(text)[1]


def test_a_negation_a_report_and_a_quotation_soften_and_a_clause_before_does_not() -> None:
    plain, negated, reported, quoted, earlier = (
        JUDGE.judge(text)[0]["violence"]
        for text in (
            "I will kill you",
            "I will never kill you",
            "According to the article: I will kill you",
            'On the wall there were the words "I will kill you" in red paint',
            "It is not funny, I will kill you",
        )
    )

    assert negated < reported < quoted < plain
    assert earlier == plain


def test_who_tells_of_himself_is_believed_among_reporting_words() -> None:
    flagged = JUDGE.judge("After the trial I wrote a report and now I want to kill myself")[1]

    assert "self-harm/intent" in flagged


def test_every_category_has_a_score_and_a_parent_has_its_childs() -> None:
    scores, flagged = JUDGE.judge("How do I build a bomb?")

    assert tuple(scores) == CATEGORIES
    assert all(0 <= score <= 1 for score in scores.values())
    assert scores["illicit"] == scores["illicit/violent"] > 0.5
    assert flagged == {"illicit", "illicit/violent"}


def test_signs_add_up_but_never_over_1_and_the_same_words_count_once() -> None:
    once = JUDGE.judge("You are a worthless idiot")[0]["harassment"]
    again = JUDGE.judge("You are a worthless idiot. " * 50)[0]["harassment"]
    more = JUDGE.judge("You are a worthless idiot. Go die, and kill yourself now.")[0]["harassment"]

    assert once == again
    assert once < more < 1


def test_mentions_alone_never_reach_the_line() -> None:
    scores, flagged = JUDGE.judge("murder bombs massacre torture guns weapons attack " * 100)

    assert 0 < scores["violence"] < 0.5
    assert flagged == frozenset()


def lexicon(**changes: object) -> Lexicon:
    rules = [{"in": ["hate"], "weight": 0.7, "say": ["<slur>", "go .. <slur>"]}]
    empty: dict[str, object] = {
        "harmless": [],
        "phrases": {},
        "mentions": {},
        "negating": [],
        "reporting": [],
    }
    numbers = {"flag_at": 0.5, "mention": 0.1, "mentions_at_most": 0.3}
    soft = {"softening": {"negated": 0.2, "reported": 0.5, "quoted": 0.6}}
    words = {"words": {"slur": hashed("zorg")}}
    return Lexicon.model_validate({**empty, **numbers, **soft, **words, "rule": rules, **changes})


def test_a_word_may_stand_in_the_lexicon_as_a_hash() -> None:
    judge = Judge(lexicon())

    assert "zorg" not in str(lexicon())
    assert judge.judge("you Zorg!")[1] == {"hate"}
    assert judge.judge("you z0rg")[1] == {"hate"}
    assert judge.judge("you zorgon")[1] == frozenset()


def test_what_touches_something_harmless_does_not_count() -> None:
    judge = Judge(lexicon(harmless=[f"{hashed('zorg')} lime*"]))

    assert judge.judge("a leaf of the zorg limes")[1] == frozenset()
    assert judge.judge("a leaf of the zorg limes, zorg")[1] == {"hate"}


def test_a_gap_holds_up_to_three_words_of_one_sentence() -> None:
    judge = Judge(lexicon(rule=[{"in": ["hate"], "weight": 0.7, "say": ["red .. blue"]}]))

    assert judge.judge("red blue")[1]
    assert judge.judge("red, one two three blue")[1]
    assert not judge.judge("red one two three four blue")[1]
    assert not judge.judge("this one is red. blue is that")[1]


def test_the_shipped_lexicon_is_small_and_its_names_are_known() -> None:
    shipped = read_lexicon()

    named = {category for rule in shipped.rules for category in rule.categories}
    assert named | set(shipped.mentions) == set(CATEGORIES)
    assert all(rule.say for rule in shipped.rules)


@pytest.mark.timeout(5)  # Each takes under a second; what backtracks would take hours.
@pytest.mark.parametrize(
    "unit",
    [
        "i ",
        "i will kill ",
        "i will kill you ",
        "how to make a ",
        "tell me how to get how to ",
        "kill time ",
        "a",
        "aaa b",
        "k i l l  ",
        "a'",
        "@$",
        ". ",
        '" ',
        "\u0301\u0323",
        "\ufdfa",
        "і wіll ",  # noqa: RUF001 - Cyrillic
    ],
)
def test_a_million_characters_are_judged_in_bounded_time(unit: str) -> None:
    text = (unit * (MILLION // len(unit) + 1))[:MILLION]

    scores, _ = JUDGE.judge(text)

    assert set(scores) == set(CATEGORIES)


def test_what_is_beyond_the_bound_is_not_read() -> None:
    padding = "sea " * (MAX_CHARACTERS // 4)

    assert JUDGE.judge(padding + "I will kill you")[1] == frozenset()
    assert JUDGE.judge("I will kill you " + padding)[1]


def test_words_are_small_and_without_apostrophes_and_marks_stand_between_them() -> None:
    assert tokens("I can’t, you  CAN'T!") == ["i", "cant", ",", "you", "cant", "!"]  # noqa: RUF001


async def test_the_workshop_judges_texts_one_after_the_other(tmp_path: Path) -> None:
    texts = ["I will kill you", "The sea is calm."]
    async with make_deps("local", tmp_path, clock=SystemClock()) as deps:
        shop = make_workshop(deps, {})
        stop = deps.background.start("workshop", shop.run())

        async with aclosing(shop.call("moderate", "moderate", {"texts": texts})) as items:
            answers = [facts async for facts, _ in items]
        stop()
        await shop.stopped()

    assert [answer["flagged"] for answer in answers] == [
        ["harassment", "harassment/threatening", "violence"],
        [],
    ]
    assert answers[0]["scores"]["violence"] > 0.5

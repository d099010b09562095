"""Reads what an English prompt asks for: a list of how many of what, or JSON.

Patterns, not understanding: they are narrow on purpose, look at the ends of long prompts only, and
each runs in time linear in what it looks at.
"""

import re
from dataclasses import dataclass

MAX_COUNT = 100
"""A prompt for more items than this, or for none, is not held to a list."""


@dataclass(frozen=True, slots=True)
class WantedList:
    """So many of these; `noun` as the prompt writes it, `count` None where it is open."""

    noun: str
    count: int | None


def wanted_list(prompt: str) -> WantedList | None:
    """Return the list that `prompt` begins by asking for: "List 3 colors", "Name all planets"."""
    start = " ".join(prompt[:_LOOKED_AT_CHARS].split())
    request = _REQUEST.match(start)
    if request is None:
        return None
    count, is_amount_sane = _count(request)
    is_counted = request["low"] is not None
    is_sure = request["list"] is not None or is_counted or request["some"] is not None
    if not is_sure or not is_amount_sane:
        return None
    noun = _noun(start[request.end() :], is_counted=is_counted, is_one=count == 1)
    if (
        noun is None
        or len(noun) > _NOUN_CHARS
        or (request["list"] is None and _MEASURE.fullmatch(noun))
    ):
        return None
    return WantedList(noun, count)


def asks_for_json(prompt: str) -> bool:
    """Say whether `prompt` itself asks for JSON, for an object or for named fields."""
    head, tail = prompt[:_LOOKED_AT_CHARS], prompt[_LOOKED_AT_CHARS:][-_LOOKED_AT_CHARS:]
    text = " ".join(f"{head} {tail}".split())
    return _JSON.search(text) is not None


def _count(request: re.Match[str]) -> tuple[int | None, bool]:
    """Return the exact number asked for, and whether there are as many items as a list may have."""
    low, high = request["low"], request["high"]
    if low is None:
        return None, True
    numbers = [_number(low)] if high is None else [_number(low), _number(high)]
    is_exact = high is None and request["hedge"] is None
    return numbers[0] if is_exact else None, all(0 < number <= MAX_COUNT for number in numbers)


def _number(digits: str) -> int:
    word = digits.lower()
    return _NUMBER_WORDS.index(word) + 1 if word in _NUMBER_WORDS else int(word)


def _noun(rest: str, *, is_counted: bool, is_one: bool) -> str | None:
    """Return the noun that the phrase at the start of `rest` is about."""
    phrase, stop = _phrase(rest)
    if not phrase or (_VERB.fullmatch(stop) and not is_counted):
        return None  # "List comprehensions are fast" states, it does not ask.
    joint = next((at for at, word in enumerate(phrase) if _JOINT.fullmatch(word)), None)
    if joint and _is_plural(phrase[joint - 1]):
        left, right = phrase[:joint], phrase[joint + 1 :]
        if any(_COUNT_WORD.fullmatch(word) for word in right):
            return None  # Two lists: "3 colors and 2 animals".
        if len(right) == 1 and _is_plural(right[0]):
            return " ".join(phrase[joint - 1 :])
        phrase = left
    plurals = [word for word in phrase if _is_plural(word)]
    if is_one or phrase[-1] in plurals or (is_counted and len(phrase) == 1):
        return phrase[-1]
    return plurals[0] if plurals else None


def _phrase(rest: str) -> tuple[list[str], str]:
    """Return the words up to the first one that ends a noun phrase, and that one."""
    words: list[str] = []
    at = 0
    while len(words) < _PHRASE_WORDS and (found := _WORD.match(rest, at)):
        word = found[1]
        if _STOP.fullmatch(word):
            return words, word
        words.append(word)
        at = found.end()
    return words, ""


def _is_plural(word: str) -> bool:
    """Guess by the ending; wrong guesses cost a form, never an answer."""
    low = word.lower()
    is_regular = low.endswith("s") and not low.endswith(_SINGULAR_ENDS)
    return (is_regular and len(low) >= _SHORTEST_PLURAL) or _IRREGULAR.fullmatch(low) is not None


_LOOKED_AT_CHARS = 4000
_PHRASE_WORDS = 8
_NOUN_CHARS = 64
_NUMBER_WORDS = (
    *("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven"),
    *("twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen"),
    *("nineteen", "twenty"),
)
_JOINT = re.compile("and|or", re.IGNORECASE)
_VERB = re.compile(
    "is|are|was|were|have|has|had|can|could|do|does|did|will|would|should", re.IGNORECASE
)
# What ends a noun phrase: prepositions, relatives, pronouns, participles that open a clause.
_STOP = re.compile(
    rf"""{_VERB.pattern}
    |about|above|after|against|along|among|around|as|at|because|before|behind|below|beside|between
    |beyond|but|by|during|except|for|from|how|if|in|inside|into|like|near|of|off|on|onto|out|outside
    |over|per|so|than|that|through|to|toward|towards|under|until|up|upon|using|via|what|when|where
    |which|while|who|whom|whose|why|with|within|without|everybody|everyone|he|i|it|she|they|we|you
    |beginning|called|containing|ending|found|including|involving|known|made|named|regarding
    |related|sorted|starting|such|used""",
    re.IGNORECASE | re.VERBOSE,
)
_IRREGULAR = re.compile(
    """aircraft|alumni|bacteria|cacti|children|criteria|data|deer|dice|feet|fish|fungi|geese|men
    |mice|nuclei|people|phenomena|pok[eé]mon|series|sheep|species|teeth|women""",
    re.IGNORECASE | re.VERBOSE,
)
_SINGULAR_ENDS = ("ss", "us", "is", "'s", "\u2019s")
_SHORTEST_PLURAL = 3
# After "give me", how long an answer should be, not what it lists.
_MEASURE = re.compile(
    "words|characters|letters|lines|pages|seconds|minutes|hours|percent", re.IGNORECASE
)

_COUNTS = rf"(?:[0-9]+|{'|'.join(sorted(_NUMBER_WORDS, key=len, reverse=True))})"
_COUNT_WORD = re.compile(_COUNTS, re.IGNORECASE)
_WORD = re.compile(r"(?:^| )([^\W_][\w'\u2019+#-]*)")
_REQUEST = re.compile(
    rf"""
    # "please", "can you"
    (?:(?:please|kindly|now|hey|hi|hello),?[ ]|(?:can|could|would|will)[ ]you[ ])*+
    # "list", "give me", "make a list of"
    (?:
        (?P<list>
            (?:(?:i[ ]need|i[ ]want|i'd[ ]like|i[ ]would[ ]like|make|create
                |generate|write|compile|prepare|produce|provide|give|show|send|get)
               (?:[ ](?:me|us))?[ ])?
            (?:(?:an?|the)[ ])?
            (?:(?:short|long|brief|full|complete|numbered|bulleted|simple|quick|random)[ ])?
            list[ ]of
          | (?:list|name|enumerate)(?:[ ](?:me|us))?
        )
      | (?:give|tell|show|suggest|recommend|provide)(?:[ ](?:me|us))?
    )
    (?=[ ])
    # "all", "the top"
    (?:[ ](?:
            (?P<some>all|some|several|various|a[ ]few|a[ ]couple)(?:[ ]of)?
          | the|these|those|my|our|your|top|first|last|best
          | just|only|exactly|another|other|different
        )(?=[ ]))*+
    # "3", "at least five", "5-10", "3 of the"
    (?:
        (?P<hedge>[ ](?:at[ ]least|at[ ]most|up[ ]to|about|around|roughly|more[ ]than))?
        [ ](?P<low>{_COUNTS})(?:[ ]?(?:-|\u2013|to|or)[ ]?(?P<high>{_COUNTS}))?
        (?:[ ]of[ ](?:the|my|our|your|these|those))?(?=[ ])
    )?""",
    re.IGNORECASE | re.VERBOSE,
)
_JSON = re.compile(
    r"""
    # "as JSON", "into a valid JSON object", "in JSON format", "in JSON."
    \b(?:as|into)[ ](?:an?[ ]|the[ ]|one[ ])?
        (?:(?:valid|raw|pure|plain|strict|single)[ ])?
        json\b(?![ ](?:pars|librar|encod|decod|serial))
  | \bin[ ](?:an?[ ]|the[ ])?(?:(?:valid|raw|pure|plain|strict)[ ])?json
        (?:[ ](?:format|form|object|mode|only|please)\b|[.,;:!]|$)
    # "JSON only", "JSON object with the fields name and age", "JSON: {…}"
  | \bjson(?:[ ](?:only|please)\b|:)
  | \bjson[ ]object[ ](?:with|containing|having|of[ ]the[ ]form|like)\b
  | ^json\b(?!')
    # "return JSON", "give me a JSON object"
  | \b(?:return|respond|reply|answer|output|emit|give|produce|generate|create|provide|send)
        (?:[ ](?:me|us|it|only|just|with|in))*+[ ](?:an?[ ]|the[ ]|one[ ])?
        (?:(?:valid|raw|pure|plain|strict|single)[ ])?
        json\b(?![ ](?:pars|librar|encod|decod|serial|web|tutorial|tool))
    # "return an object with …"
  | \b(?:return|respond|reply|answer|output|emit|produce|generate)(?:[ ](?:me|us|only|just|with))*+
        [ ](?:an|one|a[ ]single)[ ]object[ ](?:with|containing|having)\b
    # "with the keys a, b", "with fields: name, age"
  | \bwith[ ](?:the[ ]|these[ ]|only[ ]|exactly[ ])?(?:following[ ])?
        (?:fields|keys|properties|attributes)(?:[ ]named|[ ]called)?:?
        [ ](?!(?:and|or|that|which|for|of|to|in|on|as)\b)["'`]?[a-z_]\w{0,63}["'`]?
        (?:,|[ ](?:and|&)[ ]|[.;]|$)
    """,
    re.IGNORECASE | re.VERBOSE,
)

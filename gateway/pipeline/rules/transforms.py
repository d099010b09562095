"""What the configuration changes of a model's requests, before anything is counted.

One edit over OpenAI's fields: of a document that is forwarded, and of what canonical requests say.
"""

from dataclasses import dataclass, field, replace

from gateway.config.transforms import Transforms, wrong_value
from gateway.pipeline.call import Call, Services
from gateway.pipeline.limits import plan
from gateway.pipeline.limits.lengths import WRITES
from gateway.schema.ask import Ask
from gateway.schema.chat import ChatRequest, Message, Part, TextPart
from gateway.schema.failure import CallError
from gateway.schema.json import JsonObject, Wire
from gateway.schema.knobs import SAMPLING_FIELDS, knobs_of, sampling_document, sampling_of

_CEILINGS = ("max_tokens", "max_completion_tokens")
"""Two names of one knob: the caller's stays, and never are both sent because of us."""
_CHAT_ONLY = frozenset({"logprobs", "top_logprobs", "parallel_tool_calls", "reasoning_effort"})
_SYSTEM = frozenset({"system", "developer"})
_GAP = "\n\n"


@dataclass(slots=True)
class Changes:
    """The names of what was given another value, and of what was taken out, each once."""

    put: dict[str, None] = field(default_factory=dict)
    dropped: dict[str, None] = field(default_factory=dict)
    added_turns: int = 0


def apply(call: Call, services: Services) -> None:
    """Change the request as its model's `transforms` say, and note what was changed.

    A plan's ceilings hold for what comes out. Raises 400 `invalid_parameter` for a value that does
    not fit its new name, 400 `unsupported_feature` for what no prefix can be put before. A model
    that does not exist is said where it is asked for.
    """
    ask = call.ask
    try:
        rules = services.router.find(ask.model).transforms
    except CallError:
        return
    if rules is None or ask.needs.isdisjoint(WRITES):
        return
    # What a plan has put there is no caller's wish: it is put there again at the end.
    is_held = bool(call.set_params)
    call.set_params = ()
    change = _change_canonical if ask.wire is None else _change_document
    changes = change(ask, rules, is_held=is_held)
    call.added_turns = changes.added_turns
    call.set_params = tuple(changes.put)
    call.removed_fields = tuple(changes.dropped)
    plan.hold_changed(call, services)


def edit(rules: Transforms, fields: JsonObject, *, is_chat: bool = True) -> Changes:
    """Change `fields`, which are OpenAI's, in place; null counts as absent.

    Of what only chats know nothing is put into the fields of a plain completion.
    """
    changes = Changes()
    for old, new in rules.rename.items():
        if fields.get(old) is not None:
            _rename(fields, old, _name(new, is_chat=is_chat), changes)
    for name in rules.remove:
        for one in _aliases(name):
            if fields.pop(one, None) is not None:
                changes.dropped[one] = None
    for name, value in rules.default.items():
        if not any(fields.get(one) is not None for one in _aliases(name)):
            _put(fields, name, value, changes, is_chat=is_chat)
    for name, value in rules.set.items():
        _put(fields, name, value, changes, is_chat=is_chat)
    return changes


def _rename(fields: JsonObject, old: str, new: str, changes: Changes) -> None:
    value = fields[old]
    if new == old:
        return
    wanted = wrong_value(new, value)
    if wanted is not None:
        raise CallError("invalid_parameter", f"{old} must be {wanted}", param=old)
    del fields[old]
    changes.dropped[old] = None
    if fields.get(new) is None:
        fields[new] = value
        changes.put[new] = None


def _put(fields: JsonObject, name: str, value: object, changes: Changes, *, is_chat: bool) -> None:
    if not is_chat and name in _CHAT_ONLY:
        return
    name = _name(name, is_chat=is_chat)
    given = [one for one in _aliases(name) if one != "top_logprobs" or name == one]
    for one in [one for one in given if fields.get(one) is not None] or [name]:
        if fields.get(one) != value:
            fields[one] = value
            changes.put[one] = None


def _name(name: str, *, is_chat: bool) -> str:
    return "max_tokens" if name in _CEILINGS and not is_chat else name


def _aliases(name: str) -> tuple[str, ...]:
    """Return the fields that go with a name: OpenAI refuses `top_logprobs` without `logprobs`."""
    if name in _CEILINGS:
        return _CEILINGS
    return ("logprobs", "top_logprobs") if name == "logprobs" else (name,)


def _change_document(ask: Ask, rules: Transforms, *, is_held: bool) -> Changes:
    document, is_chat = ask.document, ask.wire is Wire.OPENAI_CHAT
    if is_held:
        document.pop("max_tokens", None)
    changes = edit(rules, document, is_chat=is_chat)
    if rules.system_prefix is not None:
        if is_chat:
            turns = document["messages"]
            document["messages"] = _prefixed_turns(turns, rules.system_prefix)
            changes.added_turns = len(document["messages"]) - len(turns)
        else:
            document["prompt"] = _prefixed_prompt(document, rules.system_prefix)
        changes.put["system"] = None
    ask.knobs = knobs_of(document)
    ask.has_seed = "seed" in ask.knobs
    return changes


def _change_canonical(ask: Ask, rules: Transforms, *, is_held: bool) -> Changes:
    request = ask.meaning()
    if not isinstance(request, ChatRequest):
        return Changes()
    own_seed = None if "seed" in ask.knobs else request.sampling.seed
    extra = request.extra.get(Wire.OPENAI_CHAT, {})
    fields = {**sampling_document(request.sampling), **extra}
    if request.parallel_tool_calls is not None:
        fields["parallel_tool_calls"] = request.parallel_tool_calls
    if is_held:
        fields.pop("max_tokens", None)
    if own_seed is not None:
        fields.pop("seed", None)
    changes = edit(rules, fields)
    ask.knobs = knobs_of(fields)
    ask.has_seed = "seed" in ask.knobs
    if own_seed is not None and not ask.has_seed and "seed" not in rules.remove:
        fields["seed"] = own_seed
    ask.set_seed = fields.get("seed") if "seed" in changes.put else None
    parallel = fields.pop("parallel_tool_calls", None)
    rest = {name: value for name, value in fields.items() if name not in SAMPLING_FIELDS}
    messages = request.messages
    if rules.system_prefix is not None:
        messages = _prefixed_messages(messages, rules.system_prefix)
        changes.put["system"] = None
    changed = replace(
        request,
        messages=messages,
        sampling=sampling_of(fields),
        parallel_tool_calls=parallel,
        extra={**request.extra, Wire.OPENAI_CHAT: rest} if rest or extra else request.extra,
    )
    ask.translate = lambda _: changed
    return changes


def _prefixed_turns(turns: list[JsonObject], prefix: str) -> list[JsonObject]:
    """Return an OpenAI chat's turns with `prefix` before the words of the system message."""
    first = turns[0]
    if first["role"] not in _SYSTEM:
        return [{"role": "system", "content": prefix}, *turns]
    content = first.get("content")
    if isinstance(content, list):
        said: object = [{"type": "text", "text": prefix}, *content]
    else:
        said = f"{prefix}{_GAP}{content}" if content else prefix
    return [{**first, "content": said}, *turns[1:]]


def _prefixed_messages(turns: tuple[Message, ...], prefix: str) -> tuple[Message, ...]:
    first = turns[0]
    if first.role not in _SYSTEM:
        return (Message("system", (TextPart(prefix),)), *turns)
    parts: tuple[Part, ...] = (TextPart(prefix), *first.parts)
    match first.parts:
        case (TextPart(text=text, extra=extra),) if not extra:
            parts = (TextPart(f"{prefix}{_GAP}{text}" if text else prefix),)
    return (replace(first, parts=parts), *turns[1:])


def _prefixed_prompt(document: JsonObject, prefix: str) -> object:
    """Return the prompts of a plain completion, which has no system message, after `prefix`."""
    if document.get("echo"):
        message = "this model's prompts are not repeated: leave echo out"
        raise CallError("unsupported_feature", message, param="echo")
    prompt = document["prompt"]
    if isinstance(prompt, str):
        return f"{prefix}{_GAP}{prompt}"
    if not all(isinstance(text, str) for text in prompt):
        message = "this model takes no token arrays: send text"
        raise CallError("unsupported_feature", message, param="prompt")
    return [f"{prefix}{_GAP}{text}" for text in prompt]

"""Requests that are explained and not made: from what an operator writes to a call."""

import asyncio
from collections.abc import Callable, Mapping
from ipaddress import ip_address
from types import MappingProxyType
from typing import Final, NamedTuple

from gateway.config.validation import suggestion
from gateway.dialects.dynaspark import parse_text
from gateway.dialects.openai_chat import parse_chat
from gateway.dialects.openai_completions import parse_completion
from gateway.dialects.openai_images import parse_images
from gateway.dialects.openai_media import parse_embeddings, parse_moderation, parse_speech
from gateway.pipeline.call import Call, Services
from gateway.pipeline.explain import explain, told_error
from gateway.pipeline.identify import Caller, Presented
from gateway.pipeline.watch import Watch
from gateway.schema.ask import Ask
from gateway.schema.failure import CallError
from gateway.schema.json import JsonObject
from gateway.state.key_fields import DEFAULT_PLAN
from gateway.state.keys import Key
from gateway.web.handlers import DEFAULT_TEXT_MODEL
from gateway.web.serving import Serving, new_request_id

DEFAULT_PATH: Final = "/v1/chat/completions"
_FIELDS = ("path", "body", "key_id", "plan", "address")
_LOOPBACK = "127.0.0.1"


def _text(document: JsonObject) -> Ask:
    return parse_text(document, default_model=DEFAULT_TEXT_MODEL, random_seed=0)[0]


_PARSERS: Mapping[str, Callable[[JsonObject], Ask]] = MappingProxyType(
    {
        DEFAULT_PATH: parse_chat,
        "/v1/completions": parse_completion,
        "/v1/embeddings": parse_embeddings,
        "/v1/moderations": parse_moderation,
        "/v1/images/generations": lambda document: parse_images(document, random_seed=0),
        "/v1/audio/speech": parse_speech,
        "/api/generate_response": _text,
    }
)


class Wish(NamedTuple):
    """What is to be explained: a body for a path, and who would send it.

    `key` is that of the caller, or one that has no more than a plan; None is an anonymous caller.
    """

    path: str
    body: JsonObject
    address: str
    key: Key | None = None
    key_id: str | None = None
    """Of a key that has yet to be found."""


def wish_of(document: JsonObject, services: Services) -> Wish:
    """Return the wish that an operator's document says. Raises `CallError` naming the field."""
    for name in document:
        if name not in _FIELDS:
            hint = suggestion(name[:80], _FIELDS)
            raise _invalid(name[:80], f"unknown field; {hint}")
    path, body = document.get("path", DEFAULT_PATH), document.get("body")
    if not isinstance(path, str) or path not in _PARSERS:
        raise _invalid("path", f"write one of {', '.join(_PARSERS)}")
    if not isinstance(body, dict):
        raise _invalid("body", "write the JSON object that the caller would send")
    key_id, plan = _word(document, "key_id"), _word(document, "plan")
    if key_id is not None and plan is not None:
        raise _invalid("plan", "the key of key_id has one: leave one of them out")
    address = _word(document, "address") or _LOOPBACK
    try:
        ip_address(address)
    except ValueError:
        raise _invalid("address", f"write an IP address, such as {_LOOPBACK}") from None
    return Wish(path, body, address, _key_of_plan(plan, services), key_id)


async def explained(wish: Wish, serving: Serving) -> JsonObject:
    """Return the plan for what is wished, for JSON; see `pipeline.explain`."""
    services = serving.services
    try:
        caller = _caller(wish, services)
        ask = _PARSERS[wish.path](wish.body)
    except CallError as error:
        return {"path": wish.path, "error": told_error(error)}
    total_s, started = services.document.deadlines.total_s, services.clock.monotonic()
    task = asyncio.current_task()
    if task is None:
        msg = "only a task can be watched"
        raise RuntimeError(msg)
    call = Call(
        request_id=new_request_id(),
        ask=ask,
        presented=Presented(wish.address),
        watch=Watch(serving.watches, task, total_s),
        started=started,
        deadline=started + total_s,
        caller=caller,
        is_explained=True,
    )
    told = await explain(call, services, serving.shared.counters)
    return {"path": wish.path, **told}


def _caller(wish: Wish, services: Services) -> Caller:
    """Return who would call. Raises what the caller would get."""
    key = wish.key
    if key is None:
        return services.identifier.identify(Presented(wish.address))
    if not key.is_valid(services.clock.now().timestamp()):
        raise CallError("invalid_api_key", "this key is revoked or expired", param="api_key")
    return Caller(key.counted_as, wish.address, key)


def _key_of_plan(plan: str | None, services: Services) -> Key | None:
    """Return a key that nobody has."""
    if plan is None:
        return None
    known = services.document.plans
    if plan not in known and plan != DEFAULT_PLAN:
        raise _invalid("plan", f"no plan is called {plan[:80]}; {suggestion(plan, tuple(known))}")
    return Key("", "", "", "", "", (), plan, 0.0)


def _word(document: JsonObject, name: str) -> str | None:
    value = document.get(name)
    if value is not None and not isinstance(value, str):
        raise _invalid(name, "should be a text")
    return value


def _invalid(param: str, message: str) -> CallError:
    return CallError("invalid_parameter", f"{param}: {message}", param=param)

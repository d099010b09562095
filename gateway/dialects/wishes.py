"""Wishes about who answers, in the bodies of OpenAI's API: `dynagate`, and OpenRouter's fields.

Source of the latter: OpenRouter's documentation, Provider Routing and Model Fallbacks (2026-11).
"""

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any, get_args

from gateway.dialects.fields import Boolean, Choice, Number, Text, refusal
from gateway.schema.failure import CallError
from gateway.schema.json import JsonObject
from gateway.schema.wishes import MAX_NAMES, Sort, Wished, Wishes

OWN = "dynagate"
BORROWED = ("models", "provider", "route")
MAX_USD = 1_000_000
SORTS: tuple[str, ...] = get_args(Sort)

_ALL = frozenset({OWN, *BORROWED})
_PRICES = MappingProxyType({name: name for name in ("input", "output", "request", "image")})
_BORROWED_PRICES = MappingProxyType(
    {"prompt": "input", "completion": "output", "request": "request", "image": "image"}
)
_LISTS = ("order", "only", "ignore")
_SHARED = (*_LISTS, "sort", "max_price", "allow_fallbacks", "require_parameters")
OWN_MEMBERS = ("models", *_SHARED)
_PROMISES: Mapping[str, tuple[object, ...]] = MappingProxyType(
    {
        "data_collection": ("allow",),
        "zdr": (False,),
        "enforce_distillable_text": (False,),
        "quantizations": ([],),
    }
)
"""What nobody here knows of providers, and the values that ask for nothing."""
_PREFERENCES = ("preferred_min_throughput", "preferred_max_latency")
_BORROWED_MEMBERS = (*_SHARED, *_PROMISES, *_PREFERENCES)
_NAME = Text(256, is_blank_ok=False)
_USD = Number(0, MAX_USD)
_PARTITIONS = ("model", "none")


def take_wishes(document: JsonObject) -> Wished | None:
    """Take what `document` says of routing out of it; None: nothing.

    Raises `invalid_parameter` for our own field. With OpenRouter's `models` a body needs no
    `model`: the first of them is it.
    """
    if _ALL.isdisjoint(document):
        return None
    own = document.pop(OWN, None)
    borrowed = {name: document.pop(name) for name in BORROWED if name in document}
    borrowed = {name: value for name, value in borrowed.items() if value is not None}
    models = borrowed.get("models")
    if document.get("model") is None and isinstance(models, list) and models:
        document["model"] = models[0]
    if own is None and not borrowed:
        return None
    return Wished(None if own is None else _own(own), borrowed, read_borrowed)


def describe() -> JsonObject:
    """Return the JSON schema of our own field."""
    names: JsonObject = {"type": "array", "items": _NAME.describe(), "maxItems": MAX_NAMES}
    usd = {"type": "object", "properties": dict.fromkeys(_PRICES, _USD.describe())}
    flag = Boolean().describe()
    by = Choice(SORTS).describe()
    together = {
        "type": "object",
        "required": ["by"],
        "properties": {"by": by, "partition": Choice(_PARTITIONS).describe()},
    }
    kinds: JsonObject = {
        "sort": {"anyOf": [by, together]},
        "max_price": {**usd, "additionalProperties": False},
        "allow_fallbacks": flag,
        "require_parameters": flag,
    }
    return {
        "type": "object",
        "properties": {name: kinds.get(name, names) for name in OWN_MEMBERS},
        "additionalProperties": False,
    }


def read_borrowed(fields: JsonObject) -> Wishes:
    """Return what OpenRouter's fields mean here. Raises `invalid_parameter`.

    What nobody here can promise is `unsupported_feature`.
    """
    if fields.get("route") is not None:
        Choice(("fallback", "sort")).from_json("route", fields["route"])
    given = _object("provider", fields.get("provider") or {}, _BORROWED_MEMBERS)
    for name, neutral in _PROMISES.items():
        if name in given and given[name] not in neutral:
            message = (
                f"provider.{name}: what providers do with requests is not known here; leave it "
                "out, and name in provider.only those that you trust"
            )
            raise CallError("unsupported_feature", message, param=f"provider.{name}")
    ignored = tuple(f"provider.{name}" for name in _PREFERENCES if name in given)
    models = _names("models", fields.get("models"))
    return _wishes("provider", given, "models", models, prices=_BORROWED_PRICES, ignored=ignored)


def _own(value: Any) -> Wishes:  # Any: a JSON value, checked here.
    given = _object(OWN, value, OWN_MEMBERS)
    models_field = f"{OWN}.models"
    models = _names(models_field, given.get("models"))
    return _wishes(OWN, given, models_field, models, prices=_PRICES)


def _wishes(
    field: str,
    given: JsonObject,
    models_field: str,
    models: tuple[str, ...],
    *,
    prices: Mapping[str, str],
    ignored: tuple[str, ...] = (),
) -> Wishes:
    def flag(name: str, *, default: bool) -> bool:
        return Boolean().from_json(f"{field}.{name}", given[name]) if name in given else default

    sort, is_across_models = _sort(f"{field}.sort", given.get("sort"))
    max_price, max_price_fields = _max_price(f"{field}.max_price", given.get("max_price"), prices)
    return Wishes(
        said_in=field,
        models_field=models_field,
        models=models,
        order=_names(f"{field}.order", given.get("order")),
        only=_names(f"{field}.only", given.get("only")),
        ignore=_names(f"{field}.ignore", given.get("ignore")),
        sort=sort,
        is_across_models=is_across_models,
        max_price=max_price,
        max_price_fields=max_price_fields,
        allows_fallbacks=flag("allow_fallbacks", default=True),
        needs_parameters=flag("require_parameters", default=False),
        ignored=ignored,
    )


def _object(
    field: str,
    value: Any,  # Any: a JSON value, checked here.
    known: tuple[str, ...],
) -> JsonObject:
    """Return the members of an object that are not null; refuse those that are not known."""
    if not isinstance(value, dict):
        raise refusal(field, value, f"an object with any of {', '.join(known)}")
    for name in value:
        if name not in known:
            near = get_close_matches(name[:80], known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
            message = f"{field} has no member {name[:80]!r}; {hint}"
            raise CallError("invalid_parameter", message, param=f"{field}.{name[:80]}")
    return {name: member for name, member in value.items() if member is not None}


def _names(field: str, value: Any) -> tuple[str, ...]:  # Any: a JSON value, checked here.
    if value is None:
        return ()
    if not isinstance(value, list) or len(value) > MAX_NAMES:
        raise refusal(field, value, f"an array of at most {MAX_NAMES} names")
    names = [_NAME.from_json(f"{field}[{index}]", name) for index, name in enumerate(value)]
    return tuple(dict.fromkeys(names))


def _sort(field: str, value: Any) -> tuple[Sort | None, bool]:  # Any: a JSON value, checked here.
    if value is None:
        return None, False
    partition = None
    if isinstance(value, dict):
        given = _object(field, value, ("by", "partition"))
        field, value, partition = f"{field}.by", given.get("by"), given.get("partition")
        if partition is not None:
            Choice(_PARTITIONS).from_json(f"{field[:-3]}.partition", partition)
    match Choice(SORTS).from_json(field, value):
        case "price":
            sort: Sort = "price"
        case "latency":
            sort = "latency"
        case _:  # What is left of the choice.
            sort = "throughput"
    return sort, partition == "none"


def _max_price(
    field: str,
    value: Any,  # Any: a JSON value, checked here.
    names: Mapping[str, str],
) -> tuple[dict[str, float], dict[str, str]]:
    if value is None:
        return {}, {}
    given = _object(field, value, tuple(names))
    limits = {names[name]: _usd(f"{field}.{name}", most) for name, most in given.items()}
    return limits, {names[name]: f"{field}.{name}" for name in given}


def _usd(field: str, value: Any) -> float:  # Any: a JSON value, checked here.
    """Return dollars; OpenRouter's clients write them as text, too."""
    read: Callable[[str, Any], float] = _USD.from_text if isinstance(value, str) else _USD.from_json
    return read(field, value)

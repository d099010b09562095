"""What pydantic found wrong, in the words and at the places of the operator's file."""

import re
import types
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from gateway.config.problems import Finding, Loc

_WORDS = {
    "missing": "missing, and it has no default",
    "string_type": "should be a text: put it in quotes",
    "int_type": "should be a whole number",
    "int_parsing": "should be a whole number",
    "int_from_float": "should be a whole number",
    "float_type": "should be a number",
    "float_parsing": "should be a number",
    "bool_type": "should be true or false",
    "bool_parsing": "should be true or false",
    "tuple_type": "should be a list: [one, two]",
    "list_type": "should be a list: [one, two]",
    "dict_type": "should be keys with values",
    "model_type": "should be keys with values",
}


def complaints(
    error: ValidationError, model: type[BaseModel], data: object, prefix: Loc = ()
) -> Iterator[Finding]:
    """Yield everything in `error`, which `model` raised, in the words of the file.

    `data` is what was validated and `prefix` where it stands in the file. A missing key's loc goes
    one step past what is there. What the members of a union say of one value is joined.
    """
    found: dict[Loc, list[str]] = {}
    details = error.errors(include_url=False)
    for detail in details:
        loc: Loc = detail.get("ctx", {}).get("at", detail["loc"])
        if detail["type"] == "extra_forbidden":
            yield Finding((*prefix, *loc), _unknown_key(model, loc), is_about_key=True)
            continue
        if detail["type"] == "too_short" and any(_is_below(other["loc"], loc) for other in details):
            # Items that are wrong were not counted, and say so themselves.
            continue
        if detail["type"] != "missing":
            loc = _there(data, loc)
        message = _message(detail)
        if message not in found.setdefault(loc, []):
            found[loc].append(message)
    for loc, messages in found.items():
        yield Finding((*prefix, *loc), "; or: ".join(messages))


def suggestion(name: str, known: Sequence[str]) -> str:
    """Return what to write instead of `name`: the nearest of `known`, else all of them."""
    if near := get_close_matches(name, known, n=1):
        return f"did you mean {near[0]}?"
    return f"known here: {', '.join(known)}" if known else "nothing is known here"


def _there(data: object, loc: Loc) -> Loc:
    """Return `loc` as far as `data` goes: a union adds its members' names, which no file holds."""
    for count, step in enumerate(loc):
        match data, step:
            case dict(), _ if step in data:
                data = data[step]
            case list(), int() if step < len(data):
                data = data[step]
            case _:
                return loc[:count]
    return loc


def _is_below(loc: Loc, above: Loc) -> bool:
    return len(loc) > len(above) and loc[: len(above)] == above


def _unknown_key(model: type[BaseModel], loc: Loc) -> str:
    owner = _model_at(model, loc[:-1])
    known = [field.alias or name for name, field in owner.model_fields.items()] if owner else []
    return f"unknown key; {suggestion(str(loc[-1]), known)}"


def _message(detail: ErrorDetails) -> str:
    kind = detail["type"]
    if kind.endswith("_type") and detail["input"] is None:
        return "nothing is written here: give it a value, or remove the key"
    if kind == "too_short":
        return f"needs at least {detail['ctx']['min_length']}"
    message = detail["msg"].removeprefix("Value error, ")
    return _WORDS.get(kind, re.sub(r"^Input (should|is) ", r"\1 ", message))


def _model_at(annotation: Any, loc: Loc) -> type[BaseModel] | None:  # Any: any annotation.
    """Return the model that validates what stands at `loc` below `annotation`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        if not loc:
            return annotation
        fields = {field.alias or name: field for name, field in annotation.model_fields.items()}
        below = [fields[str(loc[0])].annotation] if str(loc[0]) in fields else []
        return _first_model(below, loc[1:])
    arguments = get_args(annotation)
    origin = get_origin(annotation)
    if origin is Annotated:
        return _model_at(arguments[0], loc)
    if origin in (Union, types.UnionType):
        return _first_model(arguments, loc)
    if loc and isinstance(origin, type) and issubclass(origin, Mapping | Sequence):
        # The values of a mapping, or the items of a list or tuple.
        return _first_model(arguments[-1:] if issubclass(origin, Mapping) else arguments, loc[1:])
    return None


def _first_model(annotations: Iterable[Any], loc: Loc) -> type[BaseModel] | None:  # Any: as above.
    owners = (_model_at(annotation, loc) for annotation in annotations)
    return next((owner for owner in owners if owner is not None), None)

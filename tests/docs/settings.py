"""What a pydantic model lets people write, key by key, as a table of the documentation says it."""

import types
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import annotated_types
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from gateway.config.section import Rate

_PERIODS = {1: "second", 60: "minute", 3600: "hour", 86400: "day"}


@dataclass(frozen=True, slots=True)
class Key:
    """One key: its dotted name, its default and, where the model has bounds, its range."""

    name: str
    default: str
    range: str | None


def keys(model: type[BaseModel], prefix: str = "") -> Iterator[Key]:
    """Yield every key below `model` that is no section of its own.

    A mapping of sections is `<name>.`, a list of them `[].`; what holds a `card` is a key as well.
    """
    for name, field in model.model_fields.items():
        inner, place = _section(field.annotation)
        if inner is None:
            yield Key(prefix + name, _default(field), _range(field))
            continue
        if place == "[]" or name == "card":
            yield Key(prefix + name, _default(field), None)
        yield from keys(inner, f"{prefix}{name}{place}.")


def _section(kind: Any) -> tuple[type[BaseModel] | None, str]:  # Any: an annotation.
    """Return the model that `kind` holds, and how its keys continue the name."""
    origin, inner = get_origin(kind), get_args(kind)
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return kind, ""
    if origin is dict and _section(inner[1])[0]:
        return inner[1], ".<name>"
    if origin is tuple and _section(inner[0])[0]:
        return inner[0], "[]"
    if origin in {Union, types.UnionType}:
        return next((found for one in inner if (found := _section(one))[0]), (None, ""))
    return None, ""


def _default(field: FieldInfo) -> str:  # noqa: PLR0911 - one case a type.
    if field.is_required():
        return "required"
    match field.get_default(call_default_factory=True, validated_data={}):
        case None:
            return "null"
        case Rate(count, period_s):
            return f"{count}/{_PERIODS[period_s]}"
        case SecretStr() | "":
            return '""'
        case tuple():
            return "[]"
        case dict() | BaseModel():
            return "{}"
        case float() as number:
            return f"{number:g}"
        case value:
            return str(value)


def _range(field: FieldInfo) -> str | None:
    """Return the range in the words of the tables; None where the model states none."""
    choices = _choices(field.annotation)
    if choices:
        return ", ".join(f"`{choice}`" for choice in choices)
    low: str | None = None
    high: float | None = None
    start: float | None = None
    for bound in [*field.metadata, *_nested(field.annotation)]:
        match bound:
            case annotated_types.Ge(ge=least):
                start, low = least, f"at least {least}"  # type: ignore[assignment]  # Numbers here.
            case annotated_types.Gt(gt=below):
                low = f"over {below}"
            case annotated_types.Le(le=most):
                high = most  # type: ignore[assignment]  # As above.
    if high is None:
        return low
    return f"{start} to {high}" if start is not None else f"{low}, at most {high}"


def _choices(kind: Any) -> tuple[object, ...]:  # Any: an annotation.
    if get_origin(kind) is Literal:
        return get_args(kind)
    if get_origin(kind) in {Union, types.UnionType}:
        return next((found for one in get_args(kind) if (found := _choices(one))), ())
    return ()


def _nested(kind: Any) -> Iterator[object]:  # Any: an annotation.
    """Yield the bounds within `Annotated[…] | None`."""
    for one in get_args(kind):
        if get_origin(one) is Annotated:
            for bound in get_args(one)[1:]:
                yield from getattr(bound, "metadata", [bound])

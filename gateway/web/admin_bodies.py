"""What an operator sends to `/admin`: nothing that is not known, nothing that does not fit."""

from collections.abc import Mapping
from typing import Final, TypeVar

from aiohttp import hdrs, web
from pydantic import BaseModel, ConfigDict, ValidationError

from gateway.config.problems import dotted
from gateway.config.validation import complaints, suggestion
from gateway.dialects.json_gate import parse_object
from gateway.schema.failure import CallError
from gateway.schema.json import JsonObject
from gateway.state.key_fields import (
    DEFAULT_PLAN,
    FieldError,
    KeyFields,
    check,
    parse_moment,
)
from gateway.state.keys import KeyQuery
from gateway.web.body import read_body
from gateway.web.serving import SERVING

MAX_BODY_BYTES: Final = 16 * 1024
MAX_BODY_S: Final = 10.0
MAX_LISTED: Final = 200
_LISTED = 50
_MERGE_PATCH = "application/merge-patch+json"
_BOOLEANS = {"true": True, "false": False}
_FILTERS = ("owner", "tag", "plan", "revoked", "after", "limit")


class _Fields(BaseModel):
    """The fields of a key as they are written; null is what a new key has."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, hide_input_in_errors=True, defer_build=True
    )

    name: str = ""
    owner: str | None = None
    tags: list[str] | None = None
    plan: str | None = None
    expires_at: str | None = None


class _Nothing(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


_Model = TypeVar("_Model", bound=BaseModel)


async def read_fields(request: web.Request) -> KeyFields:
    """Return the fields that the body gives a value, as JSON merge patch (RFC 7396) means it.

    Raises `CallError` naming the field, and `FieldError`.
    """
    document = await _read(request, ("application/json", _MERGE_PATCH))
    given = _validated(_Fields, document)
    fields: KeyFields = {}
    if "name" in document:
        fields["name"] = given.name
    if "owner" in document:
        fields["owner"] = given.owner or ""
    if "tags" in document:
        fields["tags"] = tuple(given.tags or ())
    if "plan" in document:
        fields["plan"] = DEFAULT_PLAN if given.plan is None else given.plan
    if "expires_at" in document:
        text = given.expires_at
        fields["expires_at"] = None if text is None else parse_moment(text)
    return fields


async def read_nothing(request: web.Request) -> None:
    """Take a body that says nothing: none at all, or `{}`."""
    if request.can_read_body:
        _validated(_Nothing, await _read(request, ("application/json",)))


def read_query(request: web.Request) -> KeyQuery:
    """Return which keys the query string asks for. Raises `CallError` naming the parameter."""
    given: dict[str, str] = {}
    for name, value in request.query.items():
        if name not in _FILTERS:
            raise _invalid(name[:80], f"unknown parameter; {suggestion(name[:80], _FILTERS)}")
        if given.setdefault(name, value) != value:
            raise _invalid(name, "is given twice")
    limit = given.get("limit", str(_LISTED))
    if not (limit.isascii() and limit.isdecimal() and 1 <= int(limit[:9]) <= MAX_LISTED):
        raise _invalid("limit", f"write 1 to {MAX_LISTED}")
    if given.get("revoked", "false") not in _BOOLEANS:
        raise _invalid("revoked", "write true or false")
    for name in ("owner", "tag", "plan", "after"):
        _check_filter(name, given.get(name, ""))
    return KeyQuery(
        owner=given.get("owner"),
        tag=given.get("tag"),
        plan=given.get("plan"),
        with_revoked=_BOOLEANS[given.get("revoked", "false")],
        after=given.get("after"),
        limit=int(limit),
    )


def _check_filter(name: str, value: str) -> None:
    # Whatever may be an owner may be asked for; nothing else can be found, and a NUL not even said.
    try:
        check({"owner": value}, 0.0)
    except FieldError as error:
        raise _invalid(name, error.message) from None


async def _read(request: web.Request, types: tuple[str, ...]) -> JsonObject:
    bounds = request.app[SERVING].bounds
    if hdrs.CONTENT_TYPE in request.headers and request.content_type not in types:
        message = f"send JSON, and say so: -H 'Content-Type: {types[0]}'"
        raise CallError("unsupported_media_type", message, headers={"Accept-Patch": _MERGE_PATCH})
    limit, timeout_s = min(MAX_BODY_BYTES, bounds.body_bytes), min(MAX_BODY_S, bounds.body_s)
    return parse_object(await read_body(request, limit, timeout_s), max_depth=4)


def _validated(model: type[_Model], document: Mapping[str, object]) -> _Model:
    try:
        return model.model_validate(document)
    except ValidationError as error:
        finding = next(iter(complaints(error, model, document)))
        raise _invalid(dotted(finding.loc)[:80], finding.message) from None


def _invalid(param: str, message: str) -> CallError:
    return CallError("invalid_parameter", f"{param}: {message}", param=param)

"""`/admin/config` and `/admin/reload`: which configuration is in force, how the next one comes."""

from pathlib import Path
from typing import Protocol

import orjson
from aiohttp import web

from gateway.config.problems import ConfigError, dotted
from gateway.config.reload import Change, Outcome, Standing
from gateway.config.validation import suggestion
from gateway.schema.failure import CallError
from gateway.schema.json import JsonObject
from gateway.state.key_fields import moment_text
from gateway.web.admin_bodies import read_nothing
from gateway.web.admin_keys import BACKGROUND
from gateway.web.received import request_id_of, services_of
from gateway.web.serving import SERVING, json_response

_MOST_TOLD = 500
_BOOLEANS = {"true": True, "false": False}


class Reloading(Protocol):
    """Who reads the file again, for all processes of this gateway."""

    @property
    def path(self) -> Path:
        """The file."""

    async def reload(self, why: str, *, is_trial: bool = False) -> Outcome | None:
        """Do so, or with `is_trial` say what it would change. Raises `ConfigError`.

        None is that too many wait for that already.
        """


RELOADING = web.AppKey("reloading", Reloading)


def add_routes(router: web.UrlDispatcher) -> None:
    """Add the paths."""
    router.add_get("/admin/config", config)
    router.add_post("/admin/reload", reload)


async def config(request: web.Request) -> web.Response:
    """`GET /admin/config`: which configuration is in force, since when, what came of the last."""
    server = services_of(request).document.server
    said = {
        "file": str(request.app[RELOADING].path),
        "is_watched": server.watch,
        **_standing_json(request, request.app[SERVING].standing),
    }
    return json_response(request, orjson.dumps(said))


async def reload(request: web.Request) -> web.Response:
    """`POST /admin/reload`: read the file again; with `dry_run=true` say what that would change.

    It goes on to its end though the operator does not wait for it.
    """
    is_trial = _is_trial(request)
    await read_nothing(request)
    reloading = request.app[RELOADING]
    why = f"POST /admin/reload, {request_id_of(request)} from {request.remote}"
    work = reloading.reload(why, is_trial=is_trial)
    try:
        outcome = await request.app[BACKGROUND].finish("reload", work)
    except ConfigError as error:
        message = "the file cannot be used, and nothing has changed: details.problems says where"
        problems = _problems_json(request, error)
        raise CallError("invalid_configuration", message, details={"problems": problems}) from None
    if outcome is None:
        message = "other reloads wait for their turn already; try again"
        raise CallError("unavailable", message, retry_after_s=1)
    told = outcome.changes[:_MOST_TOLD]
    said: JsonObject = {
        "file": str(reloading.path),
        "generation": outcome.standing.generation,
        "is_dry_run": is_trial,
        "changes": [_change_json(request, change) for change in told],
        "is_cut": len(told) < len(outcome.changes),
    }
    return json_response(request, orjson.dumps(said))


def _is_trial(request: web.Request) -> bool:
    for name in request.query:
        if name != "dry_run":
            message = f"{name[:80]}: unknown parameter; {suggestion(name[:80], ('dry_run',))}"
            raise CallError("invalid_parameter", message, param=name[:80])
    given = request.query.get("dry_run", "false")
    if given not in _BOOLEANS:
        raise CallError("invalid_parameter", "dry_run: write true or false", param="dry_run")
    return _BOOLEANS[given]


def _standing_json(request: web.Request, standing: Standing) -> JsonObject:
    failed = standing.failed
    told: JsonObject | None = None
    if failed is not None:
        problems = _problems_json(request, ConfigError(failed.problems))
        told = {"at": moment_text(failed.at), "why": failed.why, "problems": problems}
    return {
        "generation": standing.generation,
        "loaded_at": moment_text(standing.loaded_at),
        "last_failed": told,
    }


def _problems_json(request: web.Request, error: ConfigError) -> list[JsonObject]:
    redact = services_of(request).redact
    return [
        {"place": one.place, "key": one.path, "message": redact(one.message)}
        for one in error.problems[:_MOST_TOLD]
    ]


def _change_json(request: web.Request, change: Change) -> JsonObject:
    redact = services_of(request).redact

    def shown(value: object) -> object:
        return redact(value) if isinstance(value, str) else value

    return {
        "what": change.what,
        "key": dotted(change.loc),
        "was": shown(change.was),
        "now": shown(change.now),
    }

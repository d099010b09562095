"""What there is to ask: the lists of models, in each family's shape."""

from collections.abc import Callable
from functools import partial

import orjson
from aiohttp import web

from gateway.dialects.fields import Boolean
from gateway.dialects.query import parse_query
from gateway.pipeline.limits.plan import includes, limits_of
from gateway.pipeline.routing.route import Route
from gateway.pipeline.routing.target import Target
from gateway.schema.failure import CallError
from gateway.schema.json import JsonObject
from gateway.web.handlers import presented_by
from gateway.web.received import services_of
from gateway.web.serving import card_json, json_response

MayUse = Callable[[str, Route], bool]
"""Says whether a caller may ask for a model by a name of its route."""


async def openai_models(request: web.Request) -> web.Response:
    """`GET /v1/models`: OpenAI's list, each entry with our card beside its fields."""
    may_use = _allowed(request)
    names = services_of(request).router.names
    data = [
        _openai_entry(name, route, may_use) for name, route in names.items() if may_use(name, route)
    ]
    return json_response(request, orjson.dumps({"object": "list", "data": data}))


async def openai_model(request: web.Request) -> web.Response:
    """`GET /v1/models/{id}`."""
    may_use = _allowed(request)
    name = request.match_info["id"]
    route = services_of(request).router.find(name)
    if not may_use(name, route):
        # As OpenAI has it: what a list leaves out is not there. To call it is 403.
        message = f"there is no model {name[:80]!r} for your key: its plan does not include it"
        raise CallError("model_not_found", message, param="model")
    if not any(target.connected.missing is None for target in route.targets):
        raise CallError(
            "model_not_found", f"no provider of {name[:80]!r} is configured", param="model"
        )
    return json_response(request, orjson.dumps(_openai_entry(name, route, may_use)))


async def text_models(request: web.Request) -> web.Response:
    """`GET /api/text/models`: an array of cards."""
    return json_response(request, orjson.dumps(_cards(request, "text")))


async def image_models(request: web.Request) -> web.Response:
    """`GET /api/image/models`: an array of names, of cards with `?detail=true`."""
    cards = _cards(request, "image")
    detail = parse_query(request.rel_url.raw_query_string).get("detail", "false")
    is_detailed = Boolean().from_text("detail", detail)
    rows = cards if is_detailed else [card["name"] for card in cards]
    return json_response(request, orjson.dumps(rows))


def _allowed(request: web.Request) -> MayUse:
    """Return what says whether whoever asks may use a model; a list counts for nobody.

    Raises 401 as for a call.
    """
    services = services_of(request)
    query = request.rel_url.raw_query_string
    api_key = parse_query(query).get("api_key") if "api_key" in query else None
    caller = services.identifier.identify(presented_by(request, api_key))
    return partial(includes, limits_of(caller, services.document))


def _cards(request: web.Request, modality: str) -> list[JsonObject]:
    """Return the cards of what makes `modality`, each under the first name that may be used."""
    may_use = _allowed(request)
    cards = []
    for route in services_of(request).router.routes:
        names = [name for name in (route.name, *route.aliases) if may_use(name, route)]
        if names and not route.name.endswith("*"):
            cards.append(_card(names[0], route, may_use))
    return [card for card in cards if modality in card["output_modalities"]]


def _openai_entry(name: str, route: Route, may_use: MayUse) -> JsonObject:
    card = _card(name, route, may_use)
    return {"id": name, "object": "model", "created": 0, "owned_by": card["provider"], **card}


def _card(name: str, route: Route, may_use: MayUse) -> JsonObject:
    target = _answering(route)
    card: JsonObject = {**card_json(name, target.card, target.connected.name)}
    card["description"] = route.description or card["description"]
    aliases = (alias for alias in route.aliases if alias != name)
    card["aliases"] = [alias for alias in aliases if may_use(alias, route)]
    card["available"] = target.connected.missing is None
    return card


def _answering(route: Route) -> Target:
    """Return the target that answers as things stand."""
    ready = (target for target in route.targets if target.connected.missing is None)
    return next(ready, route.targets[0])

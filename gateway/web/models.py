"""What there is to ask: the lists of models, in each family's shape."""

import orjson
from aiohttp import web

from gateway.dialects.fields import Boolean
from gateway.dialects.query import parse_query
from gateway.pipeline.route import Route, Target
from gateway.schema.failure import CallError
from gateway.schema.json import JsonObject
from gateway.web.handlers import presented_by
from gateway.web.serving import SERVING, card_json, json_response


async def openai_models(request: web.Request) -> web.Response:
    """`GET /v1/models`: OpenAI's list, each entry with our card beside its fields."""
    _identify(request)
    names = request.app[SERVING].services.router.names
    data = [_openai_entry(name, route) for name, route in names.items()]
    return json_response(request, orjson.dumps({"object": "list", "data": data}))


async def openai_model(request: web.Request) -> web.Response:
    """`GET /v1/models/{id}`."""
    _identify(request)
    name = request.match_info["id"]
    route = request.app[SERVING].services.router.find(name)
    if not any(target.connected.missing is None for target in route.targets):
        raise CallError(
            "model_not_found", f"no provider of {name[:80]!r} is configured", param="model"
        )
    return json_response(request, orjson.dumps(_openai_entry(name, route)))


async def text_models(request: web.Request) -> web.Response:
    """`GET /api/text/models`: an array of cards."""
    _identify(request)
    routes = request.app[SERVING].services.router.routes
    cards = [_card(route.name, route) for route in routes if not route.name.endswith("*")]
    return json_response(
        request, orjson.dumps([card for card in cards if "text" in card["output_modalities"]])
    )


async def image_models(request: web.Request) -> web.Response:
    """`GET /api/image/models`: an array of names, of cards with `?detail=true`."""
    _identify(request)
    routes = request.app[SERVING].services.router.routes
    cards = [_card(route.name, route) for route in routes if not route.name.endswith("*")]
    cards = [card for card in cards if "image" in card["output_modalities"]]
    detail = parse_query(request.rel_url.raw_query_string).get("detail", "false")
    is_detailed = Boolean().from_text("detail", detail)
    rows = cards if is_detailed else [card["name"] for card in cards]
    return json_response(request, orjson.dumps(rows))


def _identify(request: web.Request) -> None:
    """Raise 401 where a key is demanded and none is there; a list counts for nobody."""
    identifier = request.app[SERVING].services.identifier
    if identifier.demands_key:
        api_key = parse_query(request.rel_url.raw_query_string).get("api_key")
        identifier.identify(presented_by(request, api_key))


def _openai_entry(name: str, route: Route) -> JsonObject:
    card = _card(name, route)
    return {"id": name, "object": "model", "created": 0, "owned_by": card["provider"], **card}


def _card(name: str, route: Route) -> JsonObject:
    target = _answering(route)
    card: JsonObject = {**card_json(name, target.card, target.connected.name)}
    card["description"] = route.description or card["description"]
    card["aliases"] = [alias for alias in route.aliases if alias != name]
    card["available"] = target.connected.missing is None
    return card


def _answering(route: Route) -> Target:
    """Return the target that answers as things stand."""
    ready = (target for target in route.targets if target.connected.missing is None)
    return next(ready, route.targets[0])

"""`/admin/explain`: what would be done with a request, as `dynagate explain` tells it."""

import orjson
from aiohttp import web

from gateway.schema.failure import CallError
from gateway.web.admin_keys import key_of_id
from gateway.web.explaining import explained, wish_of
from gateway.web.handlers import document_of
from gateway.web.others import OTHERS
from gateway.web.received import services_of
from gateway.web.serving import SERVING, json_response

PATH = "/admin/explain"


def add_routes(router: web.UrlDispatcher) -> None:
    """Add the path."""
    router.add_post(PATH, explain)


async def explain(request: web.Request) -> web.Response:
    """`POST /admin/explain`: the plan for a request that is not made."""
    serving = request.app[SERVING]
    if request.content_type not in {"application/json", "application/octet-stream"}:
        message = "send JSON, and say so: -H 'Content-Type: application/json'"
        raise CallError("unsupported_media_type", message)
    wish = wish_of(await document_of(request), services_of(request))
    if wish.key_id is not None:
        wish = wish._replace(key=await key_of_id(request, wish.key_id))
    others = request.app.get(OTHERS)
    told = await (explained(wish, serving) if others is None else others.explain(wish))
    return json_response(request, orjson.dumps(told), {"Cache-Control": "no-store"})

"""What is routed under `/admin`."""

from aiohttp import web

from gateway.web.admin import add_routes


def _routes() -> frozenset[tuple[str, str]]:
    """Return every method and path; HEAD goes with GET."""
    router = web.UrlDispatcher()
    add_routes(router)
    return frozenset(
        (route.method, route.resource.canonical)
        for route in router.routes()
        if route.method != "HEAD" and route.resource is not None
    )


ADMIN_ROUTES = _routes()

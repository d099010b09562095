"""What is routed under `/admin`."""

from aiohttp import web

from gateway.web import admin_keys, admin_usage


def _routes() -> frozenset[tuple[str, str]]:
    """Return every method and path; HEAD goes with GET."""
    router = web.UrlDispatcher()
    admin_keys.add_routes(router)
    admin_usage.add_routes(router)
    return frozenset(
        (route.method, route.resource.canonical)
        for route in router.routes()
        if route.method != "HEAD" and route.resource is not None
    )


ADMIN_ROUTES = _routes()

"""The test server of `pytest-aiohttp`, on our own runner.

The stock one hides what callers do to a gateway: its bounds are aiohttp's, and so are its errors.
"""

from typing import Any

from aiohttp import web
from aiohttp.test_utils import BaseTestServer

from gateway.config.listeners import Bounds
from gateway.dialects.errors import error_body, error_headers
from gateway.schema.failure import CallError
from gateway.web.server import Runner
from gateway.web.terms import RenderError


def render_error(error: CallError) -> tuple[int, dict[str, str], bytes]:
    """Return the status, headers and body that OpenAI callers get."""
    return error.status, error_headers(error), error_body(error)


class GatewayServer(BaseTestServer):
    """`app` on loopback: `await aiohttp_client(GatewayServer(app))`, or `async with`.

    `drain_s` is how long closing waits for handlers that still run.
    """

    runner: Runner | None

    def __init__(
        self,
        app: web.Application,
        bounds: Bounds | None = None,
        *,
        render_error: RenderError = render_error,
        drain_s: float = 0.5,
    ) -> None:
        super().__init__()
        self.app = app
        self._bounds = Bounds() if bounds is None else bounds
        self._render_error = render_error
        self._drain_s = drain_s

    async def _make_runner(self, **kwargs: Any) -> Runner:  # Any: aiohttp's; ours has none to set.
        return Runner(
            self.app, self._bounds, render_error=self._render_error, drain_s=self._drain_s
        )

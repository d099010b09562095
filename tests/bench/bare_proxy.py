"""The yardstick: the least that aiohttp can do between a caller and an upstream.

Run as `python -m tests.bench.bare_proxy PORT UPSTREAM_PORT`.
"""

import asyncio
import sys

import aiohttp
from aiohttp import web

from tests.bench.loops import run_for_ever


def application(session: aiohttp.ClientSession, upstream: str) -> web.Application:
    """Return a proxy for POST to `upstream`: no policy, nothing parsed, nothing counted."""

    async def forward(request: web.Request) -> web.StreamResponse:
        body = await request.read()
        headers = {"Content-Type": request.headers.get("Content-Type", "application/json")}
        async with session.post(upstream + request.path, data=body, headers=headers) as answer:
            kind = answer.headers.get("Content-Type", "application/json")
            if not kind.startswith("text/event-stream"):
                whole = await answer.read()
                return web.Response(
                    body=whole, status=answer.status, headers={"Content-Type": kind}
                )
            response = web.StreamResponse(status=answer.status, headers={"Content-Type": kind})
            await response.prepare(request)
            async for piece in answer.content.iter_any():
                await response.write(piece)
            await response.write_eof()
            return response

    async def health(_request: web.Request) -> web.Response:
        return web.Response()

    app = web.Application()
    app.router.add_post("/{path:.+}", forward)
    app.router.add_get("/health", health)
    return app


async def _serve(port: int, upstream_port: int) -> None:
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(
        connector=connector, auto_decompress=False, timeout=aiohttp.ClientTimeout(total=None)
    ) as session:
        app = application(session, f"http://127.0.0.1:{upstream_port}")
        runner = web.AppRunner(app, access_log=None, handler_cancellation=True)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port, backlog=4096).start()
        await asyncio.Event().wait()


if __name__ == "__main__":
    run_for_ever(_serve(int(sys.argv[1]), int(sys.argv[2])))

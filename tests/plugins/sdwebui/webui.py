"""A webui without a GPU: the paths and answers of its `/sdapi/v1`, over a real socket."""

import asyncio
import base64
import json
import struct
import zlib
from dataclasses import dataclass, field
from typing import Any, Self

from aiohttp import BasicAuth, web
from aiohttp.test_utils import TestServer

ROWS = [
    {
        "title": "dreamshaper_8.safetensors [879db523c3]",
        "model_name": "dreamshaper_8",
        "hash": "879db523c3",
        "sha256": None,
        "filename": "/models/dreamshaper_8.safetensors",
        "config": None,
    },
    {"title": "flux1-dev.safetensors", "model_name": "flux1-dev", "hash": None, "sha256": None},
]


def png(width: int, height: int, *, colour_type: int = 2) -> bytes:
    """Return a black PNG; `colour_type` 2 is RGB, 6 RGBA, 4 grey with alpha."""
    pixel = {2: 3, 6: 4, 4: 2}[colour_type]
    lines = b"".join(b"\x00" + bytes(pixel * width) for _ in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, colour_type, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(lines)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


@dataclass
class FakeWebui:
    """Answers each drawing with `refusal`, if there is one, else with pictures.

    `hold` keeps drawings waiting; `has_page` is false for `--nowebui`. `grid` puts one ahead of the
    pictures, as the page's settings may. Tasks other than callers' are set in `current`.
    """

    auth: str | None = None
    has_page: bool = True
    grid: bool = False
    short: bool = False
    refusal: tuple[int, str] | None = None
    garbage: bytes | None = None
    hold: asyncio.Event | None = None
    current: str | None = None
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    looked: list[str] = field(default_factory=list)
    interrupted: list[str | None] = field(default_factory=list)
    authorization: list[str] = field(default_factory=list)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def url(self) -> str:
        """Where it listens, without a trailing slash."""
        return str(self._server.make_url("")).rstrip("/")

    @property
    def documents(self) -> list[dict[str, Any]]:
        """The bodies of the drawings asked for."""
        return [document for _path, document in self.asked]

    async def __aenter__(self) -> Self:
        """Listen on a free port."""
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_post("/sdapi/v1/txt2img", self._draw)
        app.router.add_post("/sdapi/v1/img2img", self._draw)
        app.router.add_get("/sdapi/v1/sd-models", self._models)
        app.router.add_post("/sdapi/v1/interrupt", self._interrupt)
        if self.has_page:
            app.router.add_post("/internal/progress", self._progress)
        self._server = TestServer(app)
        await self._server.start_server()
        return self

    async def __aexit__(self, *_exception: object) -> None:
        """Stop listening; what is held is let go."""
        if self.hold is not None:
            self.hold.set()
        await self._server.close()

    async def wait(self, count: int, of: str) -> None:
        """Wait until so many of `asked`, `looked` or `interrupted` have come."""
        async with asyncio.timeout(5), self.changed:
            await self.changed.wait_for(lambda: len(getattr(self, of)) >= count)

    async def _tell(self) -> None:
        async with self.changed:
            self.changed.notify_all()

    def _refused(self, request: web.Request) -> web.Response | None:
        self.authorization.append(request.headers.get("authorization", ""))
        if self.auth is None:
            return None
        try:
            given = BasicAuth.decode(self.authorization[-1])
        except ValueError:
            given = BasicAuth("")
        if f"{given.login}:{given.password}" == self.auth:
            return None
        return web.json_response({"detail": "Incorrect username or password"}, status=401)

    async def _draw(self, request: web.Request) -> web.Response:
        document = await request.json()
        if (refused := self._refused(request)) is not None:
            return refused
        self.asked.append((request.path, document))
        await self._tell()
        if self.refusal is not None:
            return web.Response(status=self.refusal[0], text=self.refusal[1])
        if self.garbage is not None:
            return web.Response(body=self.garbage)
        if self.hold is not None:
            self.current = self.current or document["force_task_id"]
            await self.hold.wait()
        return web.json_response(self._pictures(document))

    def _pictures(self, document: dict[str, Any]) -> dict[str, Any]:
        count = document.get("batch_size", 1) * document.get("n_iter", 1)
        first = document.get("seed", -1)
        first = 1234 if first == -1 else first
        picture = base64.b64encode(png(document.get("width", 512), document.get("height", 512)))
        images = [picture.decode()] * (count - self.short)
        if self.grid:
            images.insert(0, "Z3JpZA==")
        info = {
            "all_seeds": list(range(first, first + count)),
            "index_of_first_image": int(self.grid),
        }
        return {"images": images, "parameters": document, "info": json.dumps(info)}

    async def _models(self, request: web.Request) -> web.Response:
        self.looked.append(request.path)
        return self._refused(request) or web.json_response(ROWS)

    async def _progress(self, request: web.Request) -> web.Response:
        task = (await request.json())["id_task"]
        self.looked.append(task)
        await self._tell()
        is_queued = self.current is not None and task != self.current
        return web.json_response(
            {"active": task == self.current, "queued": is_queued, "completed": False}
        )

    async def _interrupt(self, request: web.Request) -> web.Response:
        self.interrupted.append(self.current)
        await self._tell()
        return web.json_response({})

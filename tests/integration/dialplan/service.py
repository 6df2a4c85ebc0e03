"""A service of the operator's, as `http` and `webhook` steps find it: a real HTTP server."""

import asyncio
import json
from typing import Any, Final, Self

from aiohttp import web

BIG_BYTES: Final = 1 << 20


class Service:
    """`async with Service() as service`; paths: /customer/NUMBER, /missing, /slow, /big, /told."""

    def __init__(self) -> None:
        self.port = 0
        self.asked: list[str] = []
        """Path and query of every request."""
        self.told: asyncio.Queue[dict[str, Any]] = asyncio.Queue(100)
        """Bodies that reached /told."""

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_get("/customer/{number}", self._customer)
        app.router.add_get("/slow", self._slow)
        app.router.add_get("/big", self._big)
        app.router.add_post("/told", self._told)
        self._closing = asyncio.Event()
        self._runner = web.AppRunner(app, shutdown_timeout=1.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.port = int(self._runner.addresses[0][1])
        return self

    async def __aexit__(self, *_error: object) -> None:
        self._closing.set()
        await self._runner.cleanup()

    async def _customer(self, request: web.Request) -> web.Response:
        self.asked.append(request.path_qs)
        found = {"customer": {"name": "Ada", "orders": [{"id": 17}]}, "number": request.match_info["number"]}
        return web.json_response(found)

    async def _slow(self, request: web.Request) -> web.Response:
        self.asked.append(request.path_qs)
        await self._closing.wait()
        return web.json_response({})

    async def _big(self, request: web.Request) -> web.Response:
        self.asked.append(request.path_qs)
        return web.Response(text=json.dumps({"name": "x" * BIG_BYTES}), content_type="application/json")

    async def _told(self, request: web.Request) -> web.Response:
        self.told.put_nowait(await request.json())
        return web.Response(status=204)

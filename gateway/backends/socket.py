"""One client WebSocket to an AI service: sending from synchronous code, receiving by callback.

Audio that a slow connection does not take waits in a queue of at most `BACKLOG_FRAMES`; beyond that the
oldest is dropped and counted, so that slowness costs words but never builds up delay. What comes in a lump
because the whole process was held up is no sign of that and goes out whole. To notice
slowness early the kernel may hold only `_UNSENT_BYTES` of unsent data and the transport none.
"""

import asyncio
import socket
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final, TypeVar

import aiohttp
from aiohttp import ClientWebSocketResponse, WSCloseCode, WSMsgType
from tenacity import AsyncRetrying, retry_if_exception, stop_before_delay, wait_exponential, wait_random

from gateway.backends.contract import BackendError, BackendHealth, FaultKind
from gateway.core.audio import PTIME_MS
from gateway.observe.log import get_logger

BACKLOG_FRAMES: Final = 10
"""200 ms of audio at one message per 20 ms frame."""
LUMP_FRAMES: Final = 50
"""The most that may gather before the sender has had its turn."""

_UNSENT_BYTES: Final = 8192
_TCP_NOTSENT_LOWAT: Final = 25
"""Linux's socket option, see tcp(7); the `socket` module does not name it."""
CONTROL_MESSAGES: Final = 256
"""How many may wait for a peer that does not read."""
MAX_MESSAGE_BYTES: Final = 2 << 20
"""A minute of audio and more. Decoding takes all calls' time, 40 ms for a megabyte."""
_HEARTBEAT_S: Final = 10.0
PING_S: Final = 0.25
_MOST_PINGS: Final = 8
"""Under way."""
_HANDSHAKE_TIMEOUT_S: Final = 5.0
_GOODBYE_S: Final = 0.5
_NORMAL_CODES: Final = frozenset({0, WSCloseCode.OK})
"""0: a close frame without a code."""

_T = TypeVar("_T")

log = get_logger()


def _as_it_is(message: bytes) -> bytes:
    return message


def _retryable(error: BaseException) -> bool:
    return isinstance(error, BackendError) and error.retryable


class WebSocketLink:
    """A WebSocket connection owned by one backend session."""

    def __init__(
        self,
        http: aiohttp.ClientSession,
        url: str,
        headers: Mapping[str, str],
        *,
        on_message: Callable[[str], None],
        on_lost: Callable[[BackendError], None],
        on_binary: Callable[[bytes], None] | None = None,
        finish: Callable[[bytes], bytes] = _as_it_is,
        max_message_bytes: int = MAX_MESSAGE_BYTES,
        control_messages: int = CONTROL_MESSAGES,
    ) -> None:
        """Without `on_binary` a binary message is a fault; `finish` completes a message as it leaves."""
        self._http = http
        self._url = url
        self._headers = headers
        self._on_message = on_message
        self._on_lost = on_lost
        self._on_binary = on_binary
        self._finish = finish
        self._max_message_bytes = max_message_bytes
        self._control_messages = control_messages
        self._socket: ClientWebSocketResponse | None = None
        self._audio: deque[bytes] = deque()
        self._control: deque[bytes] = deque()
        self._wake = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._closing = False
        self._slow = False
        """The connection did not take all there was when the sender last had its turn."""
        self._pongs: deque[bytes] = deque(maxlen=8)
        self._ping_number = 0
        """Of the last turn of `_ping`."""
        self._pings: deque[tuple[int, float]] = deque()
        """Those without an answer, oldest first: number and when it was sent."""
        self._ping_ms: float | None = None
        self.dropped_frames = 0
        """Audio messages thrown away."""
        self.closed_normally = False
        """The service ended the connection and found nothing wrong with it."""

    async def connect(self, budget_s: float) -> None:
        """Open the connection, retrying what may pass within `budget_s`. Raises `BackendError`."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + budget_s
        async for attempt in AsyncRetrying(
            stop=stop_before_delay(budget_s),
            wait=wait_exponential(multiplier=0.1, max=1.0) + wait_random(0.0, 0.1),
            retry=retry_if_exception(_retryable),
            reraise=True,
        ):
            with attempt:
                self._socket = await self._handshake(min(deadline - clock(), _HANDSHAKE_TIMEOUT_S))
        assert self._socket is not None
        self._limit_buffers(self._socket)
        self._tasks = [
            asyncio.create_task(self._receive(self._socket), name="backend receive"),
            asyncio.create_task(self._send(self._socket), name="backend send"),
            asyncio.create_task(self._ping(self._socket), name="backend ping"),
        ]

    async def _handshake(self, timeout_s: float) -> ClientWebSocketResponse:
        try:
            async with asyncio.timeout(timeout_s):
                return await self._http.ws_connect(
                    self._url,
                    headers=self._headers,
                    compress=0,
                    max_msg_size=self._max_message_bytes,
                    heartbeat=_HEARTBEAT_S,
                    autoclose=True,
                    autoping=False,
                )
        except aiohttp.WSServerHandshakeError as exc:
            busy = exc.status == 429 or exc.status >= 500
            kind: FaultKind = "unreachable" if exc.status >= 500 else "refused"
            raise BackendError(
                kind, f"handshake answered with HTTP {exc.status} {exc.message}", retryable=busy
            ) from exc
        except TimeoutError as exc:
            raise BackendError(
                "unreachable", f"no answer to the handshake in {timeout_s:.1f} s", retryable=True
            ) from exc
        except (aiohttp.ClientError, OSError) as exc:
            words = exc.strerror if isinstance(exc, OSError) and exc.strerror else str(exc)
            raise BackendError("unreachable", f"cannot connect: {words}", retryable=True) from exc

    @staticmethod
    def _limit_buffers(ws: ClientWebSocketResponse) -> None:
        raw = ws.get_extra_info("socket")
        if raw is not None and raw.family in (socket.AF_INET, socket.AF_INET6):
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            raw.setsockopt(socket.IPPROTO_TCP, _TCP_NOTSENT_LOWAT, _UNSENT_BYTES)

    def send(self, message: bytes) -> None:
        """Queue a control message; ordered, never dropped (a peer that blocks too many of them is lost)."""
        if len(self._control) >= self._control_messages:
            self._lose(BackendError("lost", "the service stopped reading", retryable=True))
            return
        self._control.append(message)
        self._wake.set()

    def send_audio(self, message: bytes) -> None:
        """Queue one message of 20 ms of audio; the oldest gives way."""
        while len(self._audio) >= (BACKLOG_FRAMES if self._slow else LUMP_FRAMES):
            self._audio.popleft()
            self.dropped_frames += 1
        self._audio.append(message)
        self._wake.set()

    def forget_audio(self) -> None:
        """Throw away what waits: it is in a format that the service is told to expect no longer."""
        self.dropped_frames += len(self._audio)
        self._audio.clear()

    @property
    def dropped_ms(self) -> float:
        """Milliseconds of audio thrown away."""
        return float(self.dropped_frames * PTIME_MS)

    async def _send(self, ws: ClientWebSocketResponse) -> None:
        transport = ws._writer.transport
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                while self._pongs:
                    await ws.pong(self._pongs.popleft())
                while self._control:
                    await ws.send_frame(self._finish(self._control.popleft()), WSMsgType.TEXT)
                # What the transport still holds is late already; the next frame's wake-up looks again.
                while self._audio and transport.get_write_buffer_size() < _UNSENT_BYTES:
                    await ws.send_frame(self._finish(self._audio.popleft()), WSMsgType.TEXT)
                self._slow = bool(self._audio)
        except (aiohttp.ClientError, ConnectionError) as exc:
            self._lose(BackendError("lost", f"connection lost while sending: {exc}", retryable=True))

    async def _receive(self, ws: ClientWebSocketResponse) -> None:
        while True:
            message = await ws.receive()
            if message.type is WSMsgType.TEXT:
                self._deliver(self._on_message, message.data)
            elif message.type is WSMsgType.PING:
                self._pongs.append(message.data)
                self._wake.set()
            elif message.type is WSMsgType.PONG:
                self._ponged(message.data)
            elif message.type is WSMsgType.BINARY and self._on_binary is not None:
                self._deliver(self._on_binary, message.data)
            else:
                self._lose(self._reason(message, ws.exception()))
                return

    async def _ping(self, ws: ClientWebSocketResponse) -> None:
        """Find out how long the service takes to answer anything at all."""
        clock = asyncio.get_running_loop().time
        while True:
            await asyncio.sleep(PING_S)
            self._ping_number += 1
            # Others may be under way: on a connection that gets slow each takes longer than the one before.
            if len(self._pings) < _MOST_PINGS:
                self._pings.append((self._ping_number, clock()))
                try:
                    await ws.ping(b"%d" % self._ping_number)
                except (aiohttp.ClientError, ConnectionError) as exc:
                    self._lose(BackendError("lost", f"connection lost while sending: {exc}", retryable=True))
                    return

    def _ponged(self, payload: bytes) -> None:
        """An answer to one ping may stand for those before (RFC 6455 §5.5.3); heartbeats have no number."""
        numbers = [b"%d" % number for number, _ in self._pings]
        if payload not in numbers:
            return
        for _ in range(numbers.index(payload) + 1):
            _, sent_s = self._pings.popleft()
        self._ping_ms = (asyncio.get_running_loop().time() - sent_s) * 1000

    def health(self) -> BackendHealth:
        """How the connection does now."""
        waits_s = 0.0
        if self._pings:
            number, sent_s = self._pings[0]
            # While this process is held up, the answer may lie unread: such time counts once at most.
            turns = self._ping_number - number + 1
            waits_s = min(asyncio.get_running_loop().time() - sent_s, turns * PING_S)
        backlog_ms = float(len(self._audio) * PTIME_MS)
        return BackendHealth(backlog_ms, self.dropped_ms, self._ping_ms, waits_s)

    def _reason(self, last: aiohttp.WSMessage, failure: BaseException | None) -> BackendError:
        """What ended the connection, by the last thing that was received."""
        if last.type is WSMsgType.BINARY:
            return BackendError("protocol", "unexpected binary message", retryable=True)
        if last.type is WSMsgType.ERROR:
            failure = last.data
        if isinstance(failure, aiohttp.WebSocketError) and failure.code == WSCloseCode.MESSAGE_TOO_BIG:
            words = f"a message of more than {self._max_message_bytes} bytes"
            return BackendError("protocol", words, retryable=True)
        code = last.data if last.type is WSMsgType.CLOSE else None
        self.closed_normally = code in _NORMAL_CODES
        words = f"close code {code}" if code is not None else "no close frame"
        if failure is not None:
            words += f": {failure}"
        return BackendError("lost", f"the service closed the connection ({words})", retryable=True)

    def _deliver(self, handle: Callable[[_T], None], message: _T) -> None:
        try:
            handle(message)
        except Exception:  # a fault of ours ends the session; it must not silence it
            log.exception("a message of the service could not be handled")
            self._lose(BackendError("protocol", "a message could not be handled", retryable=True))

    def _lose(self, error: BackendError) -> None:
        if not self._closing:
            self._closing = True
            self._on_lost(error)

    async def close(self, last_words: bytes = b"") -> None:
        """Close the connection and end the tasks; idempotent. `last_words` go out if they still can."""
        self._closing = True
        current = asyncio.current_task()
        tasks = [task for task in self._tasks if task is not current]
        self._tasks = []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._socket is not None:
            ws, self._socket = self._socket, None
            await self._say_goodbye(ws, last_words)

    async def _say_goodbye(self, ws: ClientWebSocketResponse, last_words: bytes) -> None:
        """Close handshake (RFC 6455 §7.1.2); a peer that takes too long is cut off."""
        transport = ws._writer.transport
        try:
            async with asyncio.timeout(_GOODBYE_S):
                if last_words and not ws.closed:
                    with suppress(aiohttp.ClientError, ConnectionError):
                        await ws.send_frame(self._finish(last_words), WSMsgType.TEXT)
                await ws.close()
        except TimeoutError:
            transport.abort()

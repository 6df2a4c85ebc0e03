"""A Realtime service for many calls at once that takes turns, and misbehaves when it is told to.

    python -m tests.bench.turn_service --tone 1000

It hears a turn where the caller is loud, writes down "turn N of M ms" (N: one more than it knows of, by its
own ear and from the conversation it was told; M: how long the caller was loud), and answers "answer to turn N
of M ms" with a second of its tone. Prints one line, its port. Reads commands from its standard input, one a
line: `corrupt` makes it send rubbish at once, and in the place of answers. Leaves when that closes.
"""

import argparse
import asyncio
import base64
import contextlib
import sys
from collections.abc import Callable
from itertools import count
from typing import Any, Final

import msgspec
import uvloop
from aiohttp import WSMsgType, web

from gateway.bench.echo_backend import appended_audio
from gateway.bench.rtp import LOUD_SAMPLES
from gateway.core.audio import PcmFormat
from gateway.media.g711 import ulaw_encode
from gateway.softphone.recording import tone

THINKING_MS: Final = 300
SILENCE_MS: Final = 300
"""Ends a turn."""
ANSWER_MS: Final = 1000
GREETING: Final = "hello"
_CHUNK_BYTES: Final = 1600
_QUIET: Final = bytes(code for code in range(256) if code & 0x7F >= 0x50)
"""µ-law codes below about a thirtieth of full scale."""
_OVERSIZED: Final = 17 << 20

Send = Callable[[str | bytes | None], None]
"""Text, binary, or None for bytes that are no WebSocket."""


def is_loud(ulaw: bytes) -> bool:
    """Whether 20 ms are more than noise."""
    return len(ulaw.translate(None, _QUIET)) >= LOUD_SAMPLES


def turn_text(number: int, loud_ms: float) -> str:
    """What is written down of a turn."""
    return f"turn {number} of {round(loud_ms / 100) * 100} ms"


def rubbish(number: int) -> str | bytes | None:
    """What a corrupted service sends, of several kinds."""
    kinds: tuple[str | bytes | None, ...] = (
        '{"type": "response.output_audio.delta", "item_id": "item_x", ',
        bytes(range(256)),
        '{"type":"response.output_audio.delta","item_id":"item_x","response_id":"x","delta":"*"}',
        None,
        "x" * _OVERSIZED,
    )
    return kinds[number % len(kinds)]


class Session:
    """One connection: an event in, events out."""

    def __init__(self, number: int, audio: bytes, send: Send, corrupt: Callable[[], bool]) -> None:
        self._number, self._audio, self._emit, self._corrupt = number, audio, send, corrupt
        self._ids = count(1)
        self._turns = 0
        self._loud_ms = self._quiet_ms = 0
        self._item = self._said = ""
        self._answer_at: asyncio.TimerHandle | None = None

    def handle(self, event: str) -> None:
        """One client event."""
        audio = appended_audio(event)
        if audio is not None:
            data = base64.b64decode(audio)
            for at in range(0, len(data), 160):
                self._hear(data[at : at + 160])
            return
        decoded: dict[str, Any] = msgspec.json.decode(event)
        match decoded["type"]:
            case "session.update":
                self._tell("session.updated", session=decoded["session"])
            case "conversation.item.create":
                self._know(decoded["item"])
            case "response.create":
                self._think()

    def _know(self, item: dict[str, Any]) -> None:
        if item["role"] == "user":
            self._turns += 1
            self._said = item["content"][0]["text"]

    def _hear(self, frame: bytes) -> None:
        if is_loud(frame):
            self._loud_ms += 20
            self._quiet_ms = 0
            if self._loud_ms == 60:
                self._item = f"turn_{self._number}_{next(self._ids)}"
                self._tell("input_audio_buffer.speech_started", item_id=self._item, audio_start_ms=0)
        elif self._loud_ms:
            self._quiet_ms += 20
            if self._quiet_ms >= SILENCE_MS:
                self._turn_over()

    def _turn_over(self) -> None:
        loud_ms, self._loud_ms, self._quiet_ms = self._loud_ms, 0, 0
        if loud_ms < 60:
            return
        self._turns += 1
        self._said = turn_text(self._turns, loud_ms)
        self._tell("input_audio_buffer.speech_stopped", item_id=self._item, audio_end_ms=0)
        kind = "conversation.item.input_audio_transcription.completed"
        self._tell(kind, item_id=self._item, content_index=0, transcript=self._said)
        self._think()

    def _think(self) -> None:
        if self._answer_at is None:
            loop = asyncio.get_running_loop()
            self._answer_at = loop.call_later(THINKING_MS / 1000, self._answer)

    def _answer(self) -> None:
        self._answer_at = None
        response = {"id": f"resp_{self._number}_{next(self._ids)}", "status": "in_progress"}
        self._tell("response.created", response=response)
        if self._corrupt():
            self.spoil()
            return
        item = f"item_{self._number}_{next(self._ids)}"
        place = {"response_id": response["id"], "item_id": item, "output_index": 0, "content_index": 0}
        for at in range(0, len(self._audio), _CHUNK_BYTES):
            delta = base64.b64encode(self._audio[at : at + _CHUNK_BYTES]).decode()
            self._tell("response.output_audio.delta", **place, delta=delta)
        text = f"answer to {self._said}" if self._said else GREETING
        self._tell("response.output_audio.done", **place)
        self._tell("response.output_audio_transcript.done", **place, transcript=text)
        self._tell("response.done", response={**response, "status": "completed"})

    def spoil(self) -> None:
        """The session is corrupted, from now on."""
        self._emit(rubbish(self._number))

    def close(self) -> None:
        """Nobody listens."""
        if self._answer_at is not None:
            self._answer_at.cancel()

    def _tell(self, kind: str, **fields: object) -> None:
        event = {"type": kind, "event_id": f"event_{next(self._ids)}", **fields}
        self._emit(msgspec.json.encode(event).decode())


class Service:
    """All sessions."""

    def __init__(self, tone_hz: float) -> None:
        self._audio = ulaw_encode(tone(tone_hz, ANSWER_MS, PcmFormat(8000)))
        self._numbers = count()
        self._sessions: set[Session] = set()
        self._corrupt = False

    def corrupt(self) -> None:
        """Send rubbish from now on."""
        self._corrupt = True
        for session in self._sessions:
            session.spoil()

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        """One connection."""
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        outbox: asyncio.Queue[str | bytes | None] = asyncio.Queue()
        session = Session(next(self._numbers), self._audio, outbox.put_nowait, lambda: self._corrupt)
        self._sessions.add(session)
        writing = asyncio.create_task(_write(request, socket, outbox))
        try:
            outbox.put_nowait('{"type":"session.created","event_id":"event_0","session":{}}')
            with contextlib.suppress(ConnectionResetError):  # the gateway has left
                async for message in socket:
                    if message.type is WSMsgType.TEXT:
                        session.handle(message.data)
        finally:
            self._sessions.discard(session)
            session.close()
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)
        return socket


async def _write(
    request: web.Request, socket: web.WebSocketResponse, outbox: "asyncio.Queue[str | bytes | None]"
) -> None:
    while True:
        message = await outbox.get()
        try:
            if isinstance(message, str):
                await socket.send_str(message)
            elif message is not None:
                await socket.send_bytes(message)
            elif request.transport is not None:
                request.transport.write(b"\xff" * 64)
        except ConnectionResetError:
            return  # the gateway has left


async def _serve(tone_hz: float) -> None:
    service = Service(tone_hz)
    app = web.Application()
    app.router.add_get("/v1/realtime", service.serve)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        sys.stdout.write(f"{runner.addresses[0][1]}\n")
        sys.stdout.flush()
        commands = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(commands), sys.stdin
        )
        while await commands.readline() == b"corrupt\n":
            service.corrupt()
    finally:
        await runner.cleanup()


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.turn_service", description=__doc__)
    parser.add_argument("--tone", type=float, required=True, help="of its answers, in Hz")
    uvloop.run(_serve(parser.parse_args().tone))


if __name__ == "__main__":
    main()

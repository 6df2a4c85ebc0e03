"""A Realtime backend that says back whatever it hears, as cheaply as possible.

    python -m gateway.bench.echo_backend --port 0

It stands for the AI service while the gateway is measured: every `input_audio_buffer.append` comes back at
once as a `response.output_audio.delta`. Prints one line, its port; leaves when its standard input closes.
With `--hangup-every 2 --hangup-after-ms 1000` every second session falls silent after that much audio and
asks the gateway to end the call, by calling the function `end_call`.
"""

import argparse
import asyncio
import contextlib
import sys
from collections.abc import Awaitable, Callable
from itertools import count

import msgspec
import uvloop
from aiohttp import WSMsgType, web

_AUDIO_KEY = '"audio":'
_APPEND = '"input_audio_buffer.append"'
_FRAME_MS = 20
_DELTA = (
    '{"type":"response.output_audio.delta","event_id":"event_%d","response_id":"resp_1",'
    '"item_id":"item_1","output_index":0,"content_index":0,"delta":"%s"}'
)
END_CALL = "end_call"


def appended_audio(event: str) -> str | None:
    """The base64 text of an `input_audio_buffer.append` event, None for any other event.

    Cuts it out of the JSON text: base64 needs no unescaping, and decoding all of it costs more than
    the rest of the echo.
    """
    if _APPEND not in event[:64] and _APPEND not in event[-64:]:
        return None
    key = event.find(_AUDIO_KEY)
    opening = event.find('"', key + len(_AUDIO_KEY))
    closing = event.find('"', opening + 1)
    if key < 0 or opening < 0 or closing < 0:
        return None
    return event[opening + 1 : closing]


class Session:
    """One connection, sans-IO: an event in, events out."""

    def __init__(self, hangup_after_ms: int | None) -> None:
        self._left_ms = hangup_after_ms
        self._ids = count(1)
        self._speaking = self._finished = False

    def opening(self) -> list[str]:
        """What the service says first."""
        return [self._event("session.created", session=_SESSION)]

    def handle(self, event: str) -> list[str]:
        """Answer one client event. Raises msgspec.DecodeError for what isn't JSON."""
        audio = appended_audio(event)
        if audio is not None:
            return self._echo(audio)
        decoded = msgspec.json.decode(event, type=dict[str, object])
        if decoded.get("type") == "session.update":
            return [self._event("session.updated", session=decoded.get("session"))]
        return []

    def _echo(self, audio: str) -> list[str]:
        if self._finished:
            return []
        events = []
        if not self._speaking:
            self._speaking = True
            events += [
                self._event("response.created", response=_response("in_progress")),
                self._event("response.output_item.added", response_id="resp_1", output_index=0, item=_ITEM),
            ]
        events.append(_DELTA % (next(self._ids), audio))
        if self._left_ms is not None:
            self._left_ms -= _FRAME_MS
            if self._left_ms <= 0:
                self._finished = True
                events += self._hang_up()
        return events

    def _hang_up(self) -> list[str]:
        call = {"id": "item_2", "object": "realtime.item", "type": "function_call", "status": "completed"}
        call |= {"call_id": "fc_1", "name": END_CALL, "arguments": "{}"}
        place = {"response_id": "resp_1", "output_index": 1}
        return [
            self._event("response.output_audio.done", item_id="item_1", content_index=0, **place),
            self._event("response.output_item.added", item=call, **place),
            self._event(
                "response.function_call_arguments.done",
                item_id="item_2",
                call_id="fc_1",
                name=END_CALL,
                arguments="{}",
                **place,
            ),
            self._event("response.output_item.done", item=call, **place),
            self._event("response.done", response=_response("completed")),
        ]

    def _event(self, kind: str, **fields: object) -> str:
        return msgspec.json.encode({"type": kind, "event_id": f"event_{next(self._ids)}", **fields}).decode()


_SESSION = {"id": "sess_1", "object": "realtime.session", "type": "realtime"}
_ITEM = {"id": "item_1", "object": "realtime.item", "type": "message", "role": "assistant"}
_ITEM |= {"status": "in_progress"}


def _response(status: str) -> dict[str, object]:
    return {"id": "resp_1", "object": "realtime.response", "status": status, "output": []}


def make_handler(
    hangup_every: int, hangup_after_ms: int
) -> Callable[[web.Request], Awaitable[web.WebSocketResponse]]:
    """The WebSocket handler; `hangup_every` 0 never ends a call."""
    serials = count(1)

    async def handle(request: web.Request) -> web.WebSocketResponse:
        ends = hangup_every > 0 and next(serials) % hangup_every == 0
        session = Session(hangup_after_ms if ends else None)
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        with contextlib.suppress(ConnectionResetError):  # the call has ended
            for event in session.opening():
                await socket.send_str(event)
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    for event in session.handle(message.data):
                        await socket.send_str(event)
        return socket

    return handle


async def serve(port: int, hangup_every: int, hangup_after_ms: int) -> None:
    """Serve on loopback until standard input closes."""
    app = web.Application()
    app.router.add_get("/v1/realtime", make_handler(hangup_every, hangup_after_ms))
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", port)
        await site.start()
        sys.stdout.write(f"{runner.addresses[0][1]}\n")
        sys.stdout.flush()
        reader = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
        )
        await reader.read()
    finally:
        await runner.cleanup()


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(description="Echoing Realtime backend for load tests.")
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; 0 takes a free one")
    parser.add_argument("--hangup-every", type=int, default=0, help="every n-th session ends its call")
    parser.add_argument("--hangup-after-ms", type=int, default=1000, help="after this much audio")
    args = parser.parse_args()
    uvloop.run(serve(args.port, args.hangup_every, args.hangup_after_ms))


if __name__ == "__main__":
    main()

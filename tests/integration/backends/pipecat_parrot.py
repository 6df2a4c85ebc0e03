"""A voice bot made of Pipecat's own parts for Twilio, run as a program of its own.

It repeats what the caller says, stops when the caller speaks over it, and hangs up at the key 0. Its
first line on standard output is the port it listens on; then one line for every event.
"""

import asyncio
import json
import socket
import sys

import uvicorn
from fastapi import FastAPI, WebSocket
from loguru import logger
from pipecat.audio.dtmf.types import KeypadEntry
from pipecat.audio.vad.silero import SileroVADAnalyzer
from pipecat.audio.vad.vad_analyzer import VADParams
from pipecat.frames.frames import (
    EndWorkerFrame,
    Frame,
    InputAudioRawFrame,
    InputDTMFFrame,
    InterruptionFrame,
    OutputAudioRawFrame,
    OutputTransportMessageFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.audio.vad_processor import VADProcessor
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.runner.utils import parse_telephony_websocket
from pipecat.serializers.twilio import TwilioFrameSerializer
from pipecat.transports.websocket.fastapi import FastAPIWebsocketParams, FastAPIWebsocketTransport
from pipecat.workers.runner import WorkerRunner
from starlette.types import Message, Receive, Scope, Send

RATE_HZ = 8000
LEAD_S = 1.0
"""Kept from before the detector was sure that somebody speaks."""


def tell(**event: object) -> None:
    """One line for whoever started the program."""
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()


class Parrot(FrameProcessor):
    """Repeats each of the caller's utterances, with a mark behind it."""

    def __init__(self, stream_sid: str) -> None:
        super().__init__()
        self._stream_sid = stream_sid
        self._heard = bytearray()
        self._listening = False
        self._count = 0

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Listen, repeat, obey."""
        await super().process_frame(frame, direction)
        if isinstance(frame, InputAudioRawFrame):
            self._heard += frame.audio
            if not self._listening:
                del self._heard[: -int(LEAD_S * RATE_HZ) * 2]
            return
        if isinstance(frame, VADUserStartedSpeakingFrame):
            self._listening = True
            tell(event="speech started")
            await self.broadcast_frame(InterruptionFrame)
        elif isinstance(frame, VADUserStoppedSpeakingFrame):
            self._listening = False
            await self._repeat()
        elif isinstance(frame, InputDTMFFrame):
            tell(event="key", key=frame.button.value)
            if frame.button is KeypadEntry.ZERO:
                await self.push_frame(EndWorkerFrame())
        await self.push_frame(frame, direction)

    async def _repeat(self) -> None:
        self._count += 1
        said, self._heard = bytes(self._heard), bytearray()
        await self.push_frame(OutputAudioRawFrame(said, RATE_HZ, 1))
        mark = {"event": "mark", "streamSid": self._stream_sid, "mark": {"name": f"said {self._count}"}}
        await self.push_frame(OutputTransportMessageFrame(mark))
        tell(event="repeating", duration_ms=len(said) * 1000 // (2 * RATE_HZ))


app = FastAPI()


@app.websocket("/ws")
async def serve(websocket: WebSocket) -> None:
    """One call, set up as in Pipecat's examples for Twilio."""
    await websocket.accept()
    kind, call = await parse_telephony_websocket(websocket)
    tell(event="call", kind=kind, stream=call["stream_id"], call=call["call_id"], body=call["body"])
    serializer = TwilioFrameSerializer(
        call["stream_id"], call["call_id"], params=TwilioFrameSerializer.InputParams(auto_hang_up=False)
    )
    transport = FastAPIWebsocketTransport(
        websocket,
        FastAPIWebsocketParams(audio_in_enabled=True, audio_out_enabled=True, serializer=serializer),
    )
    detector = SileroVADAnalyzer(sample_rate=RATE_HZ, params=VADParams(stop_secs=0.8))
    pipeline = Pipeline(
        [
            transport.input(),
            VADProcessor(vad_analyzer=detector),
            Parrot(call["stream_id"]),
            transport.output(),
        ]
    )
    params = PipelineParams(audio_in_sample_rate=RATE_HZ, audio_out_sample_rate=RATE_HZ)
    worker = PipelineWorker(pipeline, params=params, enable_rtvi=False)

    async def on_client_disconnected(_transport: object, _client: object) -> None:
        tell(event="disconnected")
        await worker.cancel()

    transport.add_event_handler("on_client_disconnected", on_client_disconnected)
    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    await runner.run()
    tell(event="over")


async def overheard(scope: Scope, receive: Receive, send: Send) -> None:
    """The application, with a line for everything that it is told beside audio."""

    async def receive_aloud() -> Message:
        message = await receive()
        told = json.loads(message.get("text") or "{}")
        if told.get("event", "media") != "media":
            tell(**told)
        return message

    await app(scope, receive_aloud, send)


async def main() -> None:
    """Serve until the program is ended."""
    logger.remove()
    logger.add(sys.stderr, level="INFO")
    listener = socket.create_server(("127.0.0.1", 0))
    tell(event="listening", port=listener.getsockname()[1])
    await uvicorn.Server(uvicorn.Config(overheard, log_level="warning")).serve(sockets=[listener])


if __name__ == "__main__":
    asyncio.run(main())

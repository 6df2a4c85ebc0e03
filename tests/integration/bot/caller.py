"""A caller for the bot: recorded speech on the phone band, streamed in real time through the SDK."""

import asyncio
import base64
import wave
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import Any

from openai import AsyncOpenAI
from openai.resources.realtime.realtime import AsyncRealtimeConnection
from openai.types.realtime import RealtimeServerEvent
from pydantic import TypeAdapter

from gateway.media.g711 import ulaw_encode

SERVER_EVENT: TypeAdapter[Any] = TypeAdapter(RealtimeServerEvent)
FRAME_BYTES = 160
SILENCE = b"\xff"


def phone_speech(name: str) -> bytes:
    """One of the demo phone's recordings, as µ-law."""
    with (
        (files("gateway.softphone") / "speech" / f"{name}.wav").open("rb") as file,
        wave.open(file) as reader,
    ):
        assert reader.getframerate() == 8000
        return ulaw_encode(reader.readframes(reader.getnframes()))


class Caller:
    """One call: a microphone that never stops, and events checked against the SDK's types."""

    def __init__(self, connection: AsyncRealtimeConnection) -> None:
        self._connection = connection
        self._speech = bytearray()
        self.events: list[dict[str, Any]] = []

    def say(self, name: str) -> None:
        """Speak a recording after what is being said."""
        self._speech += phone_speech(name)

    async def microphone(self) -> None:
        """20 ms of audio every 20 ms, silence when nothing is said."""
        clock = asyncio.get_running_loop().time
        due = clock()
        while True:
            frame = bytes(self._speech[:FRAME_BYTES]).ljust(FRAME_BYTES, SILENCE)
            del self._speech[:FRAME_BYTES]
            await self._connection.input_audio_buffer.append(audio=base64.b64encode(frame).decode())
            due += 0.02
            await asyncio.sleep(due - clock())

    async def next(self) -> dict[str, Any]:
        """The next event; it must be one the SDK knows, with nothing missing."""
        event = await self._connection.recv()
        data = event.to_dict()
        SERVER_EVENT.validate_python(data)
        self.events.append(data)
        return data

    async def until(self, kind: str, **fields: Any) -> dict[str, Any]:
        """The next event of a type, with these fields."""
        async with asyncio.timeout(20):
            while True:
                event = await self.next()
                if event["type"] == kind and all(event.get(k) == v for k, v in fields.items()):
                    return event

    async def answer(self) -> str:
        """Words of the next response that is completed."""
        while True:
            done = await self.until("response.done")
            if done["response"]["status"] == "completed":
                return " ".join(
                    part["transcript"]
                    for item in done["response"]["output"]
                    if item["type"] == "message"
                    for part in item["content"]
                )

    @property
    def connection(self) -> AsyncRealtimeConnection:
        """For events of the client."""
        return self._connection


PHONE: dict[str, Any] = {
    "type": "realtime",
    "audio": {
        "input": {
            "format": {"type": "audio/pcmu"},
            "turn_detection": {"type": "server_vad", "silence_duration_ms": 300},
        },
        "output": {"format": {"type": "audio/pcmu"}},
    },
}


@asynccontextmanager
async def calling(url: str, *, session: dict[str, Any] | None = None) -> AsyncIterator[Caller]:
    """A session through the official SDK, configured as for a phone call."""
    client = AsyncOpenAI(api_key="unused", websocket_base_url=url)
    async with client.realtime.connect(model="reception") as connection:
        caller = Caller(connection)
        await caller.until("session.created")
        await connection.session.update(session=session or PHONE)  # type: ignore[arg-type]
        await caller.until("session.updated")
        yield caller

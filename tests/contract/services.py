"""Every kind of backend with the service it talks to, ready to be put through the contract."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

import aiohttp
from pydantic import SecretStr

from gateway.backends.contract import Backend, Utterance
from gateway.backends.openai_realtime import OpenAIRealtimeBackend
from gateway.config.models import AudioChoice, OpenAIRealtimeAgent
from gateway.core.audio import WireFormat
from gateway.media.transcoder import decoder, encoder
from tests.contract.listener import CONTEXT, KEY
from tests.contract.live_voice import LiveVoice, started
from tests.contract.media_streams_bot import MediaStreamsBot
from tests.contract.realtime_service import RealtimeService, Session
from tests.contract.wire_service import WireService
from tests.scenarios.scripted_backend import Opening, ScriptedBackend


class Service(Protocol):
    """The far end of a backend, whatever it speaks."""

    backend: Backend

    async def history(self) -> list[Utterance]:
        """What the service was told to have happened before."""

    async def heard(self, duration_ms: int) -> bytes:
        """That much of the caller's audio, as PCM at the leg's rate."""

    async def begin(self, item_id: str) -> None:
        """An answer begins."""

    async def audio(self, item_id: str, pcm: bytes) -> None:
        """Audio of the answer."""

    async def finish(self, item_id: str, text: str) -> None:
        """The answer ends."""

    async def turn(self, item_id: str, text: str) -> None:
        """The caller spoke."""

    async def function_call(self, call_id: str, name: str, arguments: str) -> None:
        """The model wants something done."""

    async def go_away(self) -> None:
        """The service ends the session."""


class InMemory:
    """The scripted backend of the scenarios."""

    def __init__(self) -> None:
        self._scripted = ScriptedBackend(CONTEXT, Opening(takes_s=0.0))
        self.backend: Backend = self._scripted

    async def history(self) -> list[Utterance]:
        return list(self._scripted.history)

    async def heard(self, duration_ms: int) -> bytes:
        return bytes(self._scripted.heard)

    async def begin(self, item_id: str) -> None:
        self._scripted.begin(item_id, 0, 0)

    async def audio(self, item_id: str, pcm: bytes) -> None:
        self._scripted.send_pcm(item_id, pcm)

    async def finish(self, item_id: str, text: str) -> None:
        self._scripted.finish(item_id, text)

    async def turn(self, item_id: str, text: str) -> None:
        self._scripted.caller_turn(item_id)
        self._scripted.caller_said(item_id, text)

    async def function_call(self, call_id: str, name: str, arguments: str) -> None:
        self._scripted.function_call(call_id, name, arguments)

    async def go_away(self) -> None:
        self._scripted.lose()


class OverWebSocket:
    """The Realtime backend and a real server."""

    def __init__(self, service: RealtimeService, http: aiohttp.ClientSession, audio: AudioChoice) -> None:
        agent = OpenAIRealtimeAgent(
            backend="openai_realtime",
            url=service.url,
            model="gpt-test",
            api_key=SecretStr(KEY),
            audio=audio,
            greeting="Say hello.",
        )
        self.backend: Backend = OpenAIRealtimeBackend(agent, CONTEXT, http)
        self._service = service
        self._wire = WireFormat(audio)
        self._encode = encoder(CONTEXT.pcm_format, self._wire)
        self._decode = decoder(self._wire, CONTEXT.pcm_format)

    async def _session(self) -> Session:
        return await self._service.session()

    async def history(self) -> list[Utterance]:
        self.backend.resume()
        session = await self._session()
        await session.message("response.create")
        items = [event["item"] for event in session.of_type("conversation.item.create")]
        return [
            Utterance("caller" if item["role"] == "user" else "agent", item["content"][0]["text"])
            for item in items
        ]

    async def heard(self, duration_ms: int) -> bytes:
        session = await self._session()
        size = duration_ms * self._wire.sample_rate_hz * self._wire.bytes_per_sample // 1000
        await session.until(lambda: len(session.appended) >= size)
        return self._decode.process(session.appended)

    async def begin(self, item_id: str) -> None:
        response = {"id": f"of {item_id}", "status": "in_progress"}
        await (await self._session()).send("response.created", response=response)

    async def audio(self, item_id: str, pcm: bytes) -> None:
        await (await self._session()).audio(item_id, self._encode.process(pcm), f"of {item_id}")

    async def finish(self, item_id: str, text: str) -> None:
        session = await self._session()
        of = {"item_id": item_id, "response_id": f"of {item_id}"}
        await session.send("response.output_audio_transcript.done", transcript=text, **of)
        await session.send("response.output_audio.done", **of)
        await session.send("response.done", response={"id": f"of {item_id}", "status": "completed"})

    async def turn(self, item_id: str, text: str) -> None:
        session = await self._session()
        await session.send("input_audio_buffer.speech_started", item_id=item_id, audio_start_ms=0)
        await session.send("input_audio_buffer.speech_stopped", item_id=item_id, audio_end_ms=900)
        await session.send(
            "conversation.item.input_audio_transcription.completed", item_id=item_id, transcript=text
        )

    async def function_call(self, call_id: str, name: str, arguments: str) -> None:
        await (await self._session()).send(
            "response.function_call_arguments.done", call_id=call_id, name=name, arguments=arguments
        )

    async def go_away(self) -> None:
        await (await self._session()).close(1012)


@asynccontextmanager
async def _in_memory() -> AsyncIterator[Service]:
    yield InMemory()


@asynccontextmanager
async def _over_websocket(audio: AudioChoice) -> AsyncIterator[Service]:
    async with RealtimeService() as service, aiohttp.ClientSession() as http:
        over = OverWebSocket(service, http, audio)
        try:
            yield over
        finally:
            await over.backend.close()


@asynccontextmanager
async def _media_streams() -> AsyncIterator[Service]:
    async with WireService() as service, aiohttp.ClientSession() as http:
        bot = MediaStreamsBot(service, http)
        try:
            yield bot
        finally:
            await bot.backend.close()


@asynccontextmanager
async def _live(audio: AudioChoice) -> AsyncIterator[Service]:
    async with WireService(started) as service, aiohttp.ClientSession() as http:
        voice = LiveVoice(service, http, audio)
        try:
            yield voice
        finally:
            await voice.backend.close()


@dataclass(frozen=True, slots=True)
class Offer:
    """A service and what it has not got."""

    make: Callable[[], AbstractAsyncContextManager[Service]]
    lacks: frozenset[str] = frozenset()
    """Fields of `BackendCapabilities` that are false."""


SERVICES: Mapping[str, Offer] = {
    "in memory": Offer(_in_memory),
    "realtime pcmu": Offer(lambda: _over_websocket("pcmu")),
    "realtime pcma": Offer(lambda: _over_websocket("pcma")),
    "realtime pcm24k": Offer(lambda: _over_websocket("pcm24k")),
    "live pcmu": Offer(lambda: _live("pcmu"), LiveVoice.LACKS),
    "live pcm24k": Offer(lambda: _live("pcm24k"), LiveVoice.LACKS),
    "media streams": Offer(_media_streams, MediaStreamsBot.LACKS),
}


def having(*capabilities: str) -> list[str]:
    """Names of the services that can do that."""
    return [name for name, offer in SERVICES.items() if not offer.lacks & set(capabilities)]

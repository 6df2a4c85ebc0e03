"""GPT-Live at the far end of a backend."""

import json
from base64 import b64decode, b64encode
from typing import Any, ClassVar

import aiohttp
from pydantic import SecretStr

from gateway.backends.contract import Backend, Utterance
from gateway.backends.openai_live import OpenAILiveBackend
from gateway.config.agent_base import AudioChoice
from gateway.config.agents_more import OpenAILiveAgent
from gateway.core.audio import WireFormat
from gateway.media.transcoder import decoder, encoder
from tests.contract.listener import CONTEXT, KEY
from tests.contract.wire_service import Message, WireService

TOOL: dict[str, Any] = {"type": "function", "name": "end_call", "description": "", "parameters": {}}


def started(message: Message) -> Message | None:
    """What the service answers at once."""
    return {"type": "session.started", "session": {}} if message["type"] == "session.start" else None


class LiveVoice:
    """A full-duplex voice: no turns, nothing to interrupt, no beginnings and ends of answers."""

    LACKS: ClassVar = frozenset({"turn_events", "interruptible", "truncation", "answers"})

    def __init__(self, service: WireService, http: aiohttp.ClientSession, audio: AudioChoice) -> None:
        agent = OpenAILiveAgent(
            backend="openai_live", url=service.url, api_key=SecretStr(KEY), audio=audio, greeting="Say hello."
        )
        self.backend: Backend = OpenAILiveBackend(agent, CONTEXT, http, [TOOL])
        self._service = service
        wire = WireFormat(audio)
        self._encode = encoder(CONTEXT.pcm_format, wire)
        self._decode = decoder(wire, CONTEXT.pcm_format)
        self._bytes_per_ms = wire.sample_rate_hz * wire.bytes_per_sample // 1000
        self._heard = bytearray()

    async def _send(self, kind: str, **fields: object) -> None:
        await self._service.send(json.dumps({"type": kind, "event_id": "event_1", **fields}))

    async def history(self) -> list[Utterance]:
        """What the session began with."""
        message = await self._service.next_message()
        return [
            Utterance("caller" if item["role"] == "user" else "agent", item["content"][0]["text"])
            for item in message["session"]["input"]
        ]

    async def heard(self, duration_ms: int) -> bytes:
        """That much of the caller."""
        while len(self._heard) < self._bytes_per_ms * duration_ms:
            message = await self._service.next_message()
            if message["type"] == "session.input_audio.append":
                self._heard += b64decode(message["audio"])
        return self._decode.process(bytes(self._heard))

    async def begin(self, item_id: str) -> None:
        """It begins to speak without a word about it."""

    async def audio(self, item_id: str, pcm: bytes) -> None:
        """It speaks."""
        delta = b64encode(self._encode.process(pcm)).decode()
        await self._send("session.output_audio.delta", delta=delta)

    async def finish(self, item_id: str, text: str) -> None:
        """It just stops."""

    async def turn(self, item_id: str, text: str) -> None:
        """It does not tell."""
        raise NotImplementedError

    async def function_call(self, call_id: str, name: str, arguments: str) -> None:
        """The model behind the voice wants something done."""
        item = {"type": "function_call", "call_id": call_id, "name": name, "arguments": arguments}
        event = {"type": "response.output_item.done", "item": item}
        await self._send("response.event", event=event, delegation_id="d1")

    async def go_away(self) -> None:
        """It is restarted."""
        await self._service.close(1012)

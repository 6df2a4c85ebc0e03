"""A bot for Twilio's Media Streams at the far end of a backend."""

import json
from base64 import b64decode, b64encode
from typing import ClassVar

import aiohttp
from pydantic import SecretStr

from gateway.backends.contract import Backend, Utterance
from gateway.backends.twilio_media_streams import TwilioMediaStreamsBackend
from gateway.config.agents_more import TwilioMediaStreamsAgent
from gateway.core.audio import WireFormat
from gateway.media.transcoder import decoder, encoder
from tests.contract.listener import CONTEXT, KEY
from tests.contract.wire_service import WireService


class MediaStreamsBot:
    """Audio and marks; the rest of the contract it has not got."""

    LACKS: ClassVar = frozenset({"turn_events", "truncation", "history", "answers", "transcripts", "tools"})

    def __init__(self, service: WireService, http: aiohttp.ClientSession) -> None:
        agent = TwilioMediaStreamsAgent(
            backend="twilio_media_streams", url=f"{service.url}?token={KEY}", auth_token=SecretStr(KEY)
        )
        self.backend: Backend = TwilioMediaStreamsBackend(agent, CONTEXT, http)
        self._service = service
        self._encode = encoder(CONTEXT.pcm_format, WireFormat.PCMU)
        self._decode = decoder(WireFormat.PCMU, CONTEXT.pcm_format)
        self._heard = bytearray()

    async def _send(self, event: str, **fields: object) -> None:
        await self._service.send(json.dumps({"event": event, **fields}))

    async def history(self) -> list[Utterance]:
        """There is none."""
        raise NotImplementedError

    async def heard(self, duration_ms: int) -> bytes:
        """That much of the caller."""
        while len(self._heard) < 8 * duration_ms:
            message = await self._service.next_message()
            if message["event"] == "media":
                self._heard += b64decode(message["media"]["payload"])
        return self._decode.process(bytes(self._heard))

    async def begin(self, item_id: str) -> None:
        """The stream has to have begun; the bot begins to speak without a word about it."""
        self.backend.greet()

    async def audio(self, item_id: str, pcm: bytes) -> None:
        """It speaks."""
        await self._send("media", media={"payload": b64encode(self._encode.process(pcm)).decode()})

    async def finish(self, item_id: str, text: str) -> None:
        """A mark ends the item."""
        await self._send("mark", mark={"name": item_id})

    async def turn(self, item_id: str, text: str) -> None:
        """It does not tell."""
        raise NotImplementedError

    async def function_call(self, call_id: str, name: str, arguments: str) -> None:
        """It does not ask."""
        raise NotImplementedError

    async def go_away(self) -> None:
        """It is restarted."""
        await self._service.close(1012)

"""Messages of a bidirectional Media Stream as Twilio defines them: building ours, decoding the bot's. Pure.

Field names and the habit of writing numbers as texts are Twilio's (Voice, "Media Streams - WebSocket
Messages"). Built messages lack their sequence number: `numbered` adds it when they leave, for audio
may be overtaken on the way.
"""

from binascii import b2a_base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from uuid import uuid4

import msgspec

from gateway.core.ids import CallId

CONNECTED: Final = b'{"event":"connected","protocol":"Call","version":"1.0.0"}'
"""The first message, the only one without a sequence number."""

NO_ACCOUNT: Final = "AC" + "0" * 32

_ID_DIGITS: Final = 32


@dataclass(frozen=True, slots=True)
class StreamIds:
    """What a stream calls itself."""

    stream: str
    call: str
    account: str


def stream_ids(call_id: CallId, account: str) -> StreamIds:
    """Identifiers of Twilio's form: two letters and 32 digits; the call's are those of our call id."""
    digits = call_id.removeprefix("call_")[-_ID_DIGITS:]
    return StreamIds("MZ" + uuid4().hex, "CA" + digits.rjust(_ID_DIGITS, "0"), account or NO_ACCOUNT)


class MediaBody(msgspec.Struct, frozen=True):
    """`media` of a bot's message: base64 of raw µ-law, any length."""

    payload: str


class MarkBody(msgspec.Struct, frozen=True):
    """`mark` of a bot's message."""

    name: str


class BotMessage(msgspec.Struct, frozen=True, rename={"stream_sid": "streamSid"}):
    """Any message of a bot."""

    event: str
    stream_sid: str | None = None
    media: MediaBody | None = None
    mark: MarkBody | None = None


_decoder: msgspec.json.Decoder[BotMessage] = msgspec.json.Decoder(BotMessage)
_encoder = msgspec.json.Encoder()


def decode(message: str | bytes) -> BotMessage:
    """Decode a bot's message. Raises `msgspec.MsgspecError` on rubbish."""
    try:
        return _decoder.decode(message)
    except (UnicodeError, RecursionError) as exc:
        raise msgspec.DecodeError(str(exc)) from exc


def numbered(message: bytes, number: int) -> bytes:
    """The message with its place in the stream, counted from 1."""
    return b'{"sequenceNumber":"%d",' % number + message[1:]


def start(ids: StreamIds, parameters: Mapping[str, str]) -> bytes:
    """The stream begins."""
    return _encoder.encode(
        {
            "event": "start",
            "start": {
                "streamSid": ids.stream,
                "accountSid": ids.account,
                "callSid": ids.call,
                "tracks": ["inbound"],
                "customParameters": dict(parameters),
                "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
            },
            "streamSid": ids.stream,
        }
    )


def media_head(ids: StreamIds) -> bytes:
    """What all messages with audio of one stream begin with."""
    return b'{"event":"media","streamSid":"%b","media":{"track":"inbound","chunk":"' % ids.stream.encode(
        "ascii"
    )


def media(head: bytes, chunk: int, timestamp_ms: int, ulaw: bytes) -> bytes:
    """Audio of the caller; `timestamp_ms` counts from the start of the stream. Hot path."""
    payload = b2a_base64(ulaw, newline=False)
    return b'%b%d","timestamp":"%d","payload":"%b"}}' % (head, chunk, timestamp_ms, payload)


def dtmf(ids: StreamIds, digit: str) -> bytes:
    """The caller pressed a key."""
    return _encoder.encode(
        {"event": "dtmf", "streamSid": ids.stream, "dtmf": {"track": "inbound_track", "digit": digit}}
    )


def mark(ids: StreamIds, name: str) -> bytes:
    """What the bot sent before its mark has been played, or was cleared."""
    return _encoder.encode({"event": "mark", "streamSid": ids.stream, "mark": {"name": name}})


def stop(ids: StreamIds) -> bytes:
    """The stream is over."""
    return _encoder.encode(
        {
            "event": "stop",
            "streamSid": ids.stream,
            "stop": {"accountSid": ids.account, "callSid": ids.call},
        }
    )

"""OpenAI Realtime (GA) messages: building what we send, decoding what we receive. Pure.

Audio appends are concatenated as bytes and server events decoded into one flat struct: the
per-frame path costs about 1 µs each way. Field names follow the protocol.
"""

from binascii import b2a_base64
from typing import Any, Final

import msgspec

from gateway.backends.contract import Utterance
from gateway.core.audio import WireFormat

_APPEND_HEAD: Final = b'{"type":"input_audio_buffer.append","audio":"'
_APPEND_TAIL: Final = b'"}'

_FORMATS: Final[dict[WireFormat, dict[str, object]]] = {
    WireFormat.PCMU: {"type": "audio/pcmu"},
    WireFormat.PCMA: {"type": "audio/pcma"},
    WireFormat.PCM24K: {"type": "audio/pcm", "rate": 24000},
}


class ErrorInfo(msgspec.Struct, frozen=True):
    """`error` of an error event, or of `response.status_details`."""

    type: str | None = None
    code: str | None = None
    message: str | None = None
    event_id: str | None = None


class StatusDetails(msgspec.Struct, frozen=True):
    """Why a response ended as it did."""

    type: str | None = None
    reason: str | None = None
    error: ErrorInfo | None = None


class ResponseInfo(msgspec.Struct, frozen=True):
    """`response` of response.created / response.done."""

    id: str = ""
    status: str | None = None
    status_details: StatusDetails | None = None


class ItemInfo(msgspec.Struct, frozen=True):
    """`item` of conversation.item.* and response.output_item.*."""

    id: str = ""
    type: str | None = None
    role: str | None = None


class ServerEvent(msgspec.Struct, frozen=True):
    """Any server event: the fields we use of all of them."""

    type: str
    event_id: str | None = None
    item_id: str = ""
    response_id: str = ""
    delta: str = ""
    transcript: str | None = None
    text: str | None = None
    call_id: str = ""
    name: str = ""
    arguments: str | None = None
    audio_start_ms: int = 0
    audio_end_ms: int = 0
    item: ItemInfo | None = None
    response: ResponseInfo | None = None
    error: ErrorInfo | None = None
    session: msgspec.Raw = msgspec.Raw()
    """Of session.created / session.updated; services write much into it that we don't know."""


class _Format(msgspec.Struct, frozen=True):
    type: str = ""


class _Output(msgspec.Struct, frozen=True):
    format: _Format = _Format()


class _Audio(msgspec.Struct, frozen=True):
    output: _Output = _Output()


class _Session(msgspec.Struct, frozen=True):
    audio: _Audio = _Audio()


_decoder: msgspec.json.Decoder[ServerEvent] = msgspec.json.Decoder(ServerEvent)
_encoder = msgspec.json.Encoder()


def decode(message: str | bytes) -> ServerEvent:
    """Decode a server event. Raises `msgspec.MsgspecError` on rubbish."""
    try:
        return _decoder.decode(message)
    except (UnicodeError, RecursionError) as exc:
        raise msgspec.DecodeError(str(exc)) from exc


def spoken_format(event: ServerEvent) -> WireFormat | None:
    """In which format the service speaks, by its session.updated; None when that does not say."""
    try:
        written = msgspec.json.decode(event.session, type=_Session).audio.output.format.type
    except msgspec.MsgspecError:
        return None
    return next((each for each, named in _FORMATS.items() if named["type"] == written), None)


def _event(type_: str, **fields: object) -> bytes:
    return _encoder.encode({"type": type_, **fields})


def append_audio(data: bytes) -> bytes:
    """input_audio_buffer.append with audio already in the session's input format."""
    return _APPEND_HEAD + b2a_base64(data, newline=False) + _APPEND_TAIL


def session_update(
    *,
    wire_format: WireFormat,
    instructions: str,
    voice: str | None,
    transcription_model: str | None,
    turn_silence_ms: int,
    interrupts: bool,
    tools: list[dict[str, Any]],
) -> bytes:
    """session.update for a phone call: server VAD answers by itself.

    interrupts: it also cancels its answer as soon as it hears the caller. Not where the gateway may find
    that it was only a sound of listening.
    """
    audio_format = _FORMATS[wire_format]
    output: dict[str, object] = {"format": audio_format}
    if voice is not None:
        output["voice"] = voice
    session: dict[str, object] = {
        "type": "realtime",
        "output_modalities": ["audio"],
        "instructions": instructions,
        "audio": {
            "input": {
                "format": audio_format,
                "transcription": {"model": transcription_model} if transcription_model else None,
                "turn_detection": {
                    "type": "server_vad",
                    "silence_duration_ms": turn_silence_ms,
                    "create_response": True,
                    "interrupt_response": interrupts,
                },
            },
            "output": output,
        },
    }
    if tools:
        session |= {"tools": tools, "tool_choice": "auto"}
    return _event("session.update", session=session)


def instructions_update(instructions: str) -> bytes:
    """session.update of the instructions alone."""
    return _event("session.update", session={"type": "realtime", "instructions": instructions})


FORMAT_UPDATE: Final = "format"
"""`event_id` of a `format_update`; an error that is about it names it."""


def format_update(wire_format: WireFormat) -> bytes:
    """session.update of the audio format alone."""
    audio_format = {"format": _FORMATS[wire_format]}
    audio = {"input": audio_format, "output": audio_format}
    return _event("session.update", event_id=FORMAT_UPDATE, session={"type": "realtime", "audio": audio})


def input_clear() -> bytes:
    """input_audio_buffer.clear."""
    return _event("input_audio_buffer.clear")


def response_create(instructions: str = "") -> bytes:
    """response.create, with an instruction for this one answer."""
    return _event("response.create", **({"response": {"instructions": instructions}} if instructions else {}))


def response_cancel(response_id: str) -> bytes:
    """response.cancel of one response."""
    return _event("response.cancel", response_id=response_id)


def truncate(item_id: str, audio_end_ms: int) -> bytes:
    """conversation.item.truncate to what was heard."""
    return _event("conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=audio_end_ms)


def message_item(utterance: Utterance) -> bytes:
    """conversation.item.create with something said earlier."""
    caller = utterance.role == "caller"
    return _event(
        "conversation.item.create",
        item={
            "type": "message",
            "role": "user" if caller else "assistant",
            "content": [{"type": "input_text" if caller else "output_text", "text": utterance.text}],
        },
    )


def tool_output(call_id: str, output: str) -> bytes:
    """conversation.item.create with the result of a function call."""
    return _event(
        "conversation.item.create",
        item={"type": "function_call_output", "call_id": call_id, "output": output},
    )

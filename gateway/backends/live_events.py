"""GPT-Live messages: building what we send, decoding what we receive. Pure.

Field names follow the protocol. Audio appends are concatenated as bytes: they are the hot path.
"""

from binascii import b2a_base64
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from gateway.backends.contract import Utterance
from gateway.core.audio import WireFormat

_APPEND_HEAD: Final = b'{"type":"session.input_audio.append","audio":"'
_APPEND_TAIL: Final = b'"}'

_FORMATS: Final[dict[WireFormat, dict[str, object]]] = {
    WireFormat.PCMU: {"type": "audio/pcmu", "rate": 8000},
    WireFormat.PCMA: {"type": "audio/pcma", "rate": 8000},
    WireFormat.PCM24K: {"type": "audio/pcm", "rate": 24000},
}

_HISTORY_CHARS: Final = 16_000
"""About half of the 8192 tokens that the service takes."""

_APPENDED_CHARS: Final = 1_500
"""About 500 tokens, the most that may be appended at once."""

CLOSE: Final = b'{"type":"session.close"}'
CONTINUE: Final = b'{"type":"response.create"}'
"""Let the model behind the voice go on, with the results it was given."""


class ErrorInfo(msgspec.Struct, frozen=True):
    """`error` of an error event, or of a failed response."""

    type: str | None = None
    code: str | None = None
    message: str | None = None


class Item(msgspec.Struct, frozen=True):
    """`item` of a nested response.output_item.done."""

    type: str = ""
    call_id: str = ""
    name: str = ""
    arguments: str = ""


class ResponseInfo(msgspec.Struct, frozen=True):
    """`response` of a nested response event."""

    id: str = ""
    error: ErrorInfo | None = None


class Nested(msgspec.Struct, frozen=True):
    """An event of the model behind the voice."""

    type: str = ""
    item: Item | None = None
    response: ResponseInfo | None = None


class Delegation(msgspec.Struct, frozen=True):
    """Work that the voice wants done."""

    id: str = ""
    target: str = ""


class ServerEvent(msgspec.Struct, frozen=True):
    """Any server event: the fields we use of all of them."""

    type: str
    delta: str = ""
    start_ms: int = 0
    end_ms: int = 0
    reason: str = ""
    event: Nested | None = None
    delegation: Delegation | None = None
    error: ErrorInfo | None = None


_decoder: msgspec.json.Decoder[ServerEvent] = msgspec.json.Decoder(ServerEvent)
_encoder = msgspec.json.Encoder()


def decode(message: str | bytes) -> ServerEvent:
    """Decode a server event. Raises `msgspec.MsgspecError` on rubbish."""
    try:
        return _decoder.decode(message)
    except (UnicodeError, RecursionError) as exc:
        raise msgspec.DecodeError(str(exc)) from exc


def _event(type_: str, **fields: object) -> bytes:
    return _encoder.encode({"type": type_, **fields})


def append_audio(data: bytes) -> bytes:
    """session.input_audio.append with audio already in the session's format. Hot path."""
    return _APPEND_HEAD + b2a_base64(data, newline=False) + _APPEND_TAIL


def session_start(
    *,
    model: str,
    wire_format: WireFormat,
    instructions: str,
    voice: str | None,
    history: Sequence[Utterance],
    tools: Sequence[dict[str, Any]],
    tool_model: str,
    tool_instructions: str,
) -> bytes:
    """session.start of a phone call.

    Functions are called by a model behind the voice; one at a time, so that each result may be
    followed by a wish to go on.
    """
    audio: dict[str, object] = {"format": _FORMATS[wire_format]}
    if voice is not None:
        audio["output"] = {"voice": voice}
    session: dict[str, object] = {"model": model, "audio": audio}
    if instructions:
        session["instructions"] = instructions
    if history:
        session["input"] = [_message(utterance) for utterance in _latest(history)]
    if tools:
        behind: dict[str, object] = {
            "model": tool_model,
            "tools": list(tools),
            "tool_choice": "auto",
            "parallel_tool_calls": False,
        }
        if tool_instructions:
            behind["instructions"] = tool_instructions
        session["delegation"] = {"type": "responses", "responses": behind}
    return _event("session.start", session=session)


def _latest(history: Sequence[Utterance]) -> list[Utterance]:
    """As much of the end of a conversation as the service takes."""
    kept: list[Utterance] = []
    room = _HISTORY_CHARS
    for utterance in reversed(history):
        room -= len(utterance.text)
        if room < 0:
            break
        kept.append(utterance)
    return kept[::-1]


def _message(utterance: Utterance) -> dict[str, object]:
    caller = utterance.role == "caller"
    return {
        "type": "message",
        "role": "user" if caller else "assistant",
        "content": [{"type": "input_text" if caller else "output_text", "text": utterance.text}],
    }


def instruct(text: str) -> bytes:
    """session.instructions.append: what the voice has to do from now on."""
    return _event("session.instructions.append", content=text[:_APPENDED_CHARS], delegation_id=None)


def mention(text: str, delegation_id: str | None = None) -> bytes:
    """session.thinking.append: what the voice should know; it has no authority."""
    return _event("session.thinking.append", content=text[:_APPENDED_CHARS], delegation_id=delegation_id)


def tool_output(call_id: str, output: str) -> bytes:
    """response.item.create with the result of a function call."""
    return _event(
        "response.item.create", item={"type": "function_call_output", "call_id": call_id, "output": output}
    )

"""Client events of the Realtime protocol (GA) and the one error for all that is wrong with them.

Pure. Shapes and names follow the SDK types (PyPI `openai`, package `openai.types.realtime`);
fields that a bot without a language model has no use for are accepted and ignored.
"""

from typing import Any, Final

import msgspec

ServerEvent = dict[str, Any]
"""One event to the client as plain data; `bytes` in it are written as base64."""

AUDIO_MAX_BYTES: Final = 15 << 20
"""Longest audio of one append, decoded; the protocol's own limit."""


class ProtocolError(Exception):
    """What a client sent cannot be done; becomes an `error` event, and the session goes on."""

    def __init__(self, code: str, message: str, *, param: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.param = param


class _Event(msgspec.Struct, frozen=True, tag_field="type", forbid_unknown_fields=True, kw_only=True):
    event_id: str | None = None


class SessionUpdate(_Event, frozen=True, tag="session.update"):
    """Change of settings; see `gateway.bot.settings`."""

    session: dict[str, Any]


class AudioAppend(_Event, frozen=True, tag="input_audio_buffer.append"):
    """The caller's audio in the session's input format."""

    audio: bytes


class AudioCommit(_Event, frozen=True, tag="input_audio_buffer.commit"):
    """The caller's turn is over, says the client."""


class AudioClear(_Event, frozen=True, tag="input_audio_buffer.clear"):
    """Forget the audio of the present turn."""


class ResponseOptions(msgspec.Struct, frozen=True):
    """The part of `response.create` that has a meaning here."""

    conversation: str | None = None
    output_modalities: list[str] | None = None
    metadata: dict[str, str] | None = None
    input: list[Any] | None = None


class ResponseCreate(_Event, frozen=True, tag="response.create"):
    """Answer now."""

    response: ResponseOptions | None = None


class ResponseCancel(_Event, frozen=True, tag="response.cancel"):
    """Stop answering."""

    response_id: str | None = None


class Content(msgspec.Struct, frozen=True, omit_defaults=True):
    """One part of a message."""

    type: str
    text: str | None = None
    transcript: str | None = None
    audio: str | None = None

    @property
    def words(self) -> str:
        """What is said or written in it."""
        return self.text or self.transcript or ""


class Item(msgspec.Struct, frozen=True):
    """An item as a client may create it: a message or a function's result."""

    type: str
    id: str | None = None
    role: str | None = None
    content: list[Content] = []
    call_id: str | None = None
    name: str | None = None
    arguments: str | None = None
    output: str | None = None


class ItemCreate(_Event, frozen=True, tag="conversation.item.create"):
    """Add to the conversation."""

    item: Item
    previous_item_id: str | None = None


class ItemTruncate(_Event, frozen=True, tag="conversation.item.truncate"):
    """Only so much of an answer was heard."""

    item_id: str
    content_index: int
    audio_end_ms: int


class ItemDelete(_Event, frozen=True, tag="conversation.item.delete"):
    """Take out of the conversation."""

    item_id: str


class ItemRetrieve(_Event, frozen=True, tag="conversation.item.retrieve"):
    """Show what is in the conversation."""

    item_id: str


ClientEvent = (
    SessionUpdate
    | AudioAppend
    | AudioCommit
    | AudioClear
    | ResponseCreate
    | ResponseCancel
    | ItemCreate
    | ItemTruncate
    | ItemDelete
    | ItemRetrieve
)

_TYPES: Final = frozenset(
    {
        "session.update",
        "input_audio_buffer.append",
        "input_audio_buffer.commit",
        "input_audio_buffer.clear",
        "response.create",
        "response.cancel",
        "conversation.item.create",
        "conversation.item.truncate",
        "conversation.item.delete",
        "conversation.item.retrieve",
    }
)


class _Head(msgspec.Struct):
    type: str | None = None
    event_id: str | None = None


_decoder: msgspec.json.Decoder[ClientEvent] = msgspec.json.Decoder(ClientEvent)
_head_decoder = msgspec.json.Decoder(_Head)
_encoder = msgspec.json.Encoder()


def encode(event: ServerEvent) -> bytes:
    """A server event as JSON text in UTF-8."""
    return _encoder.encode(event)


def decode(message: str | bytes) -> ClientEvent:
    """Read one client event. Raises `ProtocolError`."""
    try:
        event = _decoder.decode(message)
    except msgspec.MsgspecError as exc:
        raise _explain(message, str(exc)) from exc
    except (UnicodeError, RecursionError) as exc:
        raise ProtocolError("invalid_json", "The message is not valid JSON text.") from exc
    if isinstance(event, AudioAppend) and len(event.audio) > AUDIO_MAX_BYTES:
        raise ProtocolError(
            "invalid_value", f"An append carries at most {AUDIO_MAX_BYTES} bytes of audio.", param="audio"
        )
    return event


def event_id_of(message: str | bytes) -> str | None:
    """The client's id of an event, for the error that answers it, if it can be read."""
    try:
        return _head_decoder.decode(message).event_id
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None


def _explain(message: str | bytes, said: str) -> ProtocolError:
    try:
        head = _head_decoder.decode(message)
    except msgspec.ValidationError:
        return ProtocolError("invalid_value", f"An event is an object with a type: {said}.", param="type")
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return ProtocolError("invalid_json", "The message is not valid JSON.")
    if head.type is None:
        return ProtocolError(
            "missing_required_parameter", "Missing required parameter: 'type'.", param="type"
        )
    if head.type not in _TYPES:
        return ProtocolError(
            "invalid_value",
            f"Invalid value: '{head.type[:80]}'. Supported values are: {', '.join(sorted(_TYPES))}.",
            param="type",
        )
    where = said.rpartition("`$")[2].rstrip("`").lstrip(".") if "`$" in said else None
    if "missing required field" in said:
        field = said.split("`")[1]
        where = f"{where}.{field}" if where and where != field and "`$." in said else field
        return ProtocolError(
            "missing_required_parameter", f"Missing required parameter: '{where}'.", param=where
        )
    if "unknown field" in said:
        field = said.split("`")[1]
        return ProtocolError("unknown_parameter", f"Unknown parameter: '{field}'.", param=field)
    if "base64" in said:
        return ProtocolError(
            "invalid_value", f"Invalid '{where}'. Expected base64-encoded audio bytes.", param=where
        )
    return ProtocolError("invalid_type", said, param=where or None)

"""What a peer may ask for over the `oai-events` data channel, in the events of OpenAI's Realtime API. Pure.

The peer is a browser that anybody may hold: it may say, hear, interrupt and instruct. Everything
else of a session (tools, voice, audio formats, turn detection, other people's items) belongs to
whoever runs the gateway, and is refused by name.
"""

import re
from dataclasses import dataclass
from typing import Annotated, Final, Literal, TypeVar

import msgspec
from msgspec import Meta

from gateway.backends import contract as ai

MAX_EVENT_BYTES: Final = 32 << 10
"""Longer messages are refused unread."""

MAX_INSTRUCTIONS_CHARS: Final = 16_000
MAX_TEXT_CHARS: Final = 4_000
STATS_TYPE: Final = "gateway.stats"

_T = TypeVar("_T")

_PATH: Final = re.compile(r" - at `\$\.?([^`]*)`$")


@dataclass(frozen=True, slots=True)
class Silence:
    """Be quiet now: stop the answer that is being made (`cancel`) and what is playing."""

    cancel: bool


@dataclass(frozen=True, slots=True)
class Key:
    """A key of the peer's dial pad was pressed; its audio carries no telephone events."""

    digit: str
    """0-9, A-D, * or #."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerStats:
    """What the peer's browser measures of the call: sums since its beginning (W3C WebRTC Statistics).

    None: the browser does not know (yet).
    """

    packets_received: int
    packets_lost: int
    """Never to be played; may shrink when late packets come."""
    jitter_ms: float
    """Of arrival (RFC 3550 section 6.4.1)."""
    total_samples: int
    """Played, concealment included."""
    concealed_samples: int
    """Made up because nothing had come."""
    silent_concealed_samples: int
    """Those of them that are silence, as when we send nothing."""
    jitter_buffer_delay_s: float
    """Summed over all samples; divided by `jitter_buffer_emitted` the mean delay."""
    jitter_buffer_emitted: int
    rtt_ms: float | None
    uplink_lost_percent: float | None
    """Of the peer's packets, as we reported it."""
    target_bitrate_bps: int | None
    """Of the peer's encoder."""


Wish = ai.ClientRequest | Silence | Key


@dataclass(frozen=True, slots=True)
class ClientEvent:
    """An event that was understood."""

    wish: Wish
    event_id: str | None
    """As the peer calls it, for errors."""


class RefusedEventError(Exception):
    """The event is not carried out; told to the peer as an `error` event."""

    def __init__(self, code: str, message: str, *, param: str = "", event_id: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.param = param
        self.event_id = event_id


class _Header(msgspec.Struct, frozen=True):
    type: str = ""
    event_id: str | None = None


class _Event(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    type: str
    event_id: str | None = None


class _Strict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Part of an event."""


class _Session(_Strict, frozen=True):
    instructions: Annotated[str, Meta(max_length=MAX_INSTRUCTIONS_CHARS)]
    type: Literal["realtime"] = "realtime"


class _Update(_Event, frozen=True):
    session: _Session


class _Response(_Strict, frozen=True):
    instructions: Annotated[str, Meta(max_length=MAX_INSTRUCTIONS_CHARS)] | None = None
    output_modalities: Annotated[list[Literal["audio"]], Meta(max_length=1)] | None = None
    conversation: Literal["auto"] | None = None


class _Create(_Event, frozen=True):
    response: _Response | None = None


class _Cancel(_Event, frozen=True):
    response_id: str | None = None


class _Text(_Strict, frozen=True):
    type: Literal["input_text"]
    text: Annotated[str, Meta(min_length=1, max_length=MAX_TEXT_CHARS)]


class _Item(_Strict, frozen=True):
    type: Literal["message"]
    role: Literal["user"]
    content: Annotated[list[_Text], Meta(min_length=1, max_length=16)]
    id: Annotated[str, Meta(min_length=1, max_length=64)] | None = None
    object: str | None = None
    status: str | None = None


class _ItemCreate(_Event, frozen=True):
    item: _Item
    previous_item_id: None = None


class _Dtmf(_Event, frozen=True):
    """Our own; OpenAI's API has no such event of a client."""

    digit: Annotated[str, Meta(pattern=r"^[0-9A-D*#]\Z")]


_Count = Annotated[int, Meta(ge=0, le=1 << 53)]
_Milliseconds = Annotated[float, Meta(ge=0, le=600_000)]


class _Stats(_Event, frozen=True):
    """Our own: `PeerStats` as the page sends it once a second."""

    packets_received: _Count
    packets_lost: Annotated[int, Meta(ge=-(1 << 31), le=1 << 53)]
    jitter_ms: _Milliseconds
    total_samples: _Count
    concealed_samples: _Count
    silent_concealed_samples: _Count
    jitter_buffer_delay_s: Annotated[float, Meta(ge=0, le=1e15)]
    jitter_buffer_emitted: _Count
    rtt_ms: _Milliseconds | None = None
    uplink_lost_percent: Annotated[float, Meta(ge=0, le=100)] | None = None
    target_bitrate_bps: Annotated[int, Meta(ge=0, le=100_000_000)] | None = None


_SHAPES: Final[dict[str, type[_Event]]] = {
    "session.update": _Update,
    "response.create": _Create,
    "response.cancel": _Cancel,
    "conversation.item.create": _ItemCreate,
    "input_audio_buffer.clear": _Event,
    "output_audio_buffer.clear": _Event,
    "gateway.dtmf": _Dtmf,
}


def parse_request(text: str, new_item_id: str) -> ClientEvent:
    """What the peer wants. `new_item_id` names its item if it did not. Raises `RefusedEventError`."""
    if len(text) > MAX_EVENT_BYTES or len(text.encode(errors="replace")) > MAX_EVENT_BYTES:
        raise RefusedEventError("event_too_large", f"an event has at most {MAX_EVENT_BYTES} bytes")
    header = _decode(text, _Header, None)
    shape = _SHAPES.get(header.type)
    if shape is None:
        allowed = ", ".join(_SHAPES)
        raise RefusedEventError(
            "event_not_allowed",
            f"this event is not accepted here; accepted are {allowed}",
            param="type",
            event_id=header.event_id,
        )
    wish = _wish(_decode(text, shape, header.event_id), new_item_id)
    return ClientEvent(wish, header.event_id)


def read_stats(text: str) -> PeerStats | None:
    """The peer's measurements; None if the message is something else. Raises `RefusedEventError`."""
    if STATS_TYPE not in text or len(text) > MAX_EVENT_BYTES:
        return None
    if _decode(text, _Header, None).type != STATS_TYPE:
        return None
    event = _decode(text, _Stats, None)
    return PeerStats(**{name: getattr(event, name) for name in PeerStats.__slots__})


def _decode(text: str, shape: type[_T], event_id: str | None) -> _T:
    try:
        return msgspec.json.decode(text, type=shape)
    except msgspec.ValidationError as exc:
        path = _PATH.search(str(exc))
        message = _PATH.sub("", str(exc))
        raise RefusedEventError(
            "invalid_event", message, param=path[1] if path else "", event_id=event_id
        ) from exc
    # msgspec lets text that is not UTF-8 and too deep nesting through as they are.
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as exc:
        raise RefusedEventError("invalid_json", "the message is not a JSON object") from exc


def _wish(event: _Event, new_item_id: str) -> Wish:
    match event:
        case _Update():
            return ai.Instructions(event.session.instructions)
        case _Create():
            return ai.WantAnswer((event.response and event.response.instructions) or "")
        case _Cancel():
            return Silence(cancel=True)
        case _Dtmf():
            return Key(event.digit)
        case _ItemCreate():
            words = "\n".join(part.text for part in event.item.content)
            if len(words) > MAX_TEXT_CHARS:
                raise RefusedEventError(
                    "invalid_event",
                    f"expected at most {MAX_TEXT_CHARS} characters",
                    param="item.content",
                    event_id=event.event_id,
                )
            return ai.UserText(event.item.id or new_item_id, words)
    return Silence(cancel=False) if event.type == "output_audio_buffer.clear" else ai.ForgetInput()

"""Server-sent events as text (WHATWG HTML, section 9.2), and the ids by which a client goes on. Pure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from gateway.core.ids import CallId
from gateway.core.record import TimelineEvent
from gateway.core.record_json import event_as_data

EVENT_STREAM_TYPE: Final = "text/event-stream"
HEARTBEAT: Final = b":\n\n"
"""A comment: keeps proxies from closing a quiet stream, and finds clients that are gone."""

_RETRY_MS: Final = 2000
_MAX_ID_CHARS: Final = 64


@dataclass(frozen=True, slots=True)
class EventId:
    """Place of an event in a stream."""

    epoch: str
    """Which run of the core counted; after a restart the numbers mean something else."""
    number: int

    def __str__(self) -> str:
        return f"{self.epoch}-{self.number}"


@dataclass(frozen=True, slots=True)
class Told:
    """An event on its way to a client."""

    number: int
    call_id: CallId
    event: TimelineEvent


def opening() -> bytes:
    """What a stream begins with: how long a client waits before it comes back."""
    return f"retry: {_RETRY_MS}\n\n".encode()


def told_text(told: Told, epoch: str) -> bytes:
    """An event of a call; its data are those of the timeline, and the call's id."""
    data = event_as_data(told.event) | {"call_id": told.call_id}
    return f"id: {EventId(epoch, told.number)}\n".encode() + notice_text(told.event.kind.value, data)


def notice_text(name: str, data: Mapping[str, Any]) -> bytes:
    """An event without a place in the stream. JSON has no line breaks of its own."""
    return f"event: {name}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n".encode()


def read_event_id(text: str) -> EventId | None:
    """The `Last-Event-ID` that a client sends; None if it is none of ours."""
    epoch, dash, number = text.rpartition("-")
    usable = dash and epoch and len(text) <= _MAX_ID_CHARS and number.isascii() and number.isdecimal()
    return EventId(epoch, int(number)) if usable else None

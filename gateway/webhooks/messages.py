"""What receivers are told: a message for each thing that happened to a call. Pure; holds personal data."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from gateway.config.webhooks import DECIDING_EVENT, WebhookEvent
from gateway.core.ids import CallId
from gateway.core.record import CallKind, CallRecord, TimelineEvent
from gateway.core.record_json import event_as_data, record_as_data
from gateway.wire import card as wire

_CREDENTIALS: Final = frozenset({"authorization", "proxy-authorization"})


@dataclass(frozen=True, slots=True)
class Message:
    """One event, the same for every receiver and every attempt."""

    id: str
    """Receivers know by it what they have already had."""
    event: WebhookEvent
    created_at_s: float
    """Unix time."""
    body: bytes
    """JSON in UTF-8."""

    @property
    def urgent(self) -> bool:
        """Whether a caller waits for what the receiver makes of it."""
        return self.event == DECIDING_EVENT


def incoming(
    message_id: str, now_s: float, call_id: CallId, kind: CallKind, offered: wire.Incoming
) -> Message:
    """A call came in; the form is that of OpenAI's `realtime.call.incoming`."""
    parties = (("From", offered.from_header), ("To", offered.to_header or offered.request_uri))
    named = (*parties, ("Call-ID", offered.sip_call_id)) if kind == "sip" else parties
    already = {name.lower() for name, _ in named} | _CREDENTIALS
    others = [(name, value) for name, value in offered.headers if name.lower() not in already]
    headers = [{"name": name, "value": value} for name, value in (*named, *others)]
    return _message(message_id, DECIDING_EVENT, now_s, {"call_id": call_id, "sip_headers": headers})


def answered(message_id: str, now_s: float, call_id: CallId, event: TimelineEvent) -> Message:
    """A call was answered; `event` is the timeline's entry about it."""
    data = {name: value for name, value in event_as_data(event).items() if name != "kind"}
    return _message(message_id, "call.answered", now_s, {"call_id": call_id} | data)


def ended(message_id: str, now_s: float, record: CallRecord) -> Message:
    """A call is over: its record, without the timeline."""
    data = record_as_data(record)
    return _message(message_id, "call.ended", now_s, {"call_id": data.pop("id")} | data)


def _message(message_id: str, event: WebhookEvent, now_s: float, data: Mapping[str, Any]) -> Message:
    whole = {"id": message_id, "object": "event", "type": event, "created_at": int(now_s), "data": data}
    return Message(message_id, event, now_s, json.dumps(whole, separators=(",", ":")).encode())

"""How the API shows calls. The names are those of the call record; personal data is in it. Pure."""

from collections.abc import Iterable
from dataclasses import fields
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

from gateway.calls.call import Call
from gateway.core.record import CallRecord, TimelineEvent


def ended_call(record: CallRecord, *, timeline: bool = False) -> dict[str, Any]:
    """A call that is over."""
    shown: dict[str, Any] = {"object": "call", "live": False, "state": "ended"}
    for field in fields(record):
        if field.name != "timeline":
            shown[field.name] = _plain(getattr(record, field.name))
    return shown | ({"timeline": _events(record.timeline)} if timeline else {})


def live_call(call: Call, *, timeline: bool = False) -> dict[str, Any]:
    """A call in progress; what is only known at its end is left out."""
    facts, figures = call.journal.facts, call.journal.figures
    answered_s = figures.answered_s
    answered_at = (
        None if answered_s is None else facts.started_at + timedelta(seconds=answered_s - facts.started_s)
    )
    shown: dict[str, Any] = {
        "object": "call",
        "live": True,
        "state": call.state.value,
        "id": facts.id,
        "node": facts.node,
        "kind": facts.kind,
        "direction": "inbound",
        "sip_call_id": facts.sip_call_id,
        "from_number": facts.from_number,
        "to_number": facts.to_number,
        "peer": facts.peer,
        "route": figures.route,
        "agent": figures.agent,
        "codec": figures.codec,
        "started_at": facts.started_at.isoformat(),
        "answered_at": _plain(answered_at),
        "setup_ms": figures.setup_ms,
        "first_utterance_ms": figures.first_utterance_ms,
        "turns": len(call.journal.meter.response_delays_ms),
        "barge_ins": len(call.journal.meter.barge_in_stops_ms),
        "reconnects": figures.reconnects,
        "recovered": figures.recovered,
        "chain": call.bridge.describe(),
    }
    return shown | ({"timeline": _events(call.journal.events)} if timeline else {})


def _events(timeline: Iterable[TimelineEvent]) -> list[dict[str, Any]]:
    ordered = sorted(timeline, key=lambda event: event.at_ms)
    return [{"at_ms": event.at_ms, "kind": event.kind.value, **event.fields} for event in ordered]


def _plain(value: object) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Enum):
        return value.value
    return list(value) if isinstance(value, tuple) else value

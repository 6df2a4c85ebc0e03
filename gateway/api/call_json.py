"""How the API shows calls. The names are those of the call record; personal data is in it. Pure."""

from datetime import timedelta
from typing import Any

from gateway.calls.call import Call
from gateway.core.record import CallRecord
from gateway.core.record_json import plain, record_as_data, timeline_as_data


def ended_call(record: CallRecord, *, timeline: bool = False) -> dict[str, Any]:
    """A call that is over."""
    return {"object": "call", "live": False, "state": "ended"} | record_as_data(record, timeline=timeline)


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
        "started_at": plain(facts.started_at),
        "answered_at": plain(answered_at),
        "setup_ms": figures.setup_ms,
        "first_utterance_ms": figures.first_utterance_ms,
        "turns": len(call.journal.meter.response_delays_ms),
        "barge_ins": len(call.journal.meter.barge_in_stops_ms),
        "reconnects": figures.reconnects,
        "recovered": figures.recovered,
        "chain": call.bridge.describe(),
        "parties": [
            {
                "key": party.key,
                "kind": party.leg.kind,
                "role": party.role,
                "held": party.held,
                "muted": party.muted,
            }
            for party in call.bridge.parties
        ],
    }
    return shown | ({"timeline": timeline_as_data(call.journal.events)} if timeline else {})

"""Records for the tests of the store."""

from datetime import UTC, datetime, timedelta
from typing import Any

from gateway.core.ids import CallId, CardId
from gateway.core.quality.track import QualityPoint
from gateway.core.record import CallRecord, TimelineEvent, TimelineKind
from gateway.core.termination import Reason, Result

START = datetime(2026, 3, 4, 5, 6, 7, 890000, tzinfo=UTC)


def record(number: int = 1, **changes: Any) -> CallRecord:
    """A call like any other; each `number` starts a minute after the one before."""
    start = START + timedelta(minutes=number)
    values: dict[str, Any] = {
        "id": CallId(f"call_{number:020x}"),
        "node": "gw1",
        "sip_call_id": f"{number}@far.example",
        "from_number": "+4930123456",
        "to_number": "+4930555010",
        "peer": "udp:192.0.2.7:5060",
        "trunk": "pbx",
        "headers": {"x-lang": "de", "x-queue": None},
        "route": "everything",
        "agent": "receptionist",
        "codec": "PCMU/8000",
        "started_at": start,
        "answered_at": start + timedelta(milliseconds=420),
        "ended_at": start + timedelta(seconds=31.5),
        "duration_s": 31.5,
        "billable_s": 31.08,
        "result": Result.COMPLETED,
        "reason": Reason.CALLER_HANGUP,
        "sip_status": 200,
        "setup_ms": 420.0,
        "first_utterance_ms": 61.5,
        "response_delay_p50_ms": 340.0,
        "response_delay_max_ms": 512.25,
        "turns": 3,
        "barge_ins": 1,
        "barge_in_stop_p50_ms": 96.0,
        "rx_packets": 1550,
        "rx_lost": 2,
        "rx_jitter_ms": 1.25,
        "tx_lost": None,
        "cards": (CardId(0), CardId(3)),
        "mos_min": 3.25,
        "mos_mean": 4.125,
        "tier_changes": 1,
        "quality": (
            QualityPoint(1420.0, 0.0, None, 4.25, None, 12.5, 1.5, "PCMU/20"),
            QualityPoint(2420.0, 0.0625, 0.03125, 3.25, 3.5, None, 2.5, "ILBC/30"),
        ),
        "timeline": (
            TimelineEvent(0.0, TimelineKind.INCOMING, {"card": 0}),
            TimelineEvent(420.0, TimelineKind.ANSWERED, {"setup_ms": 420.0}),
            TimelineEvent(2000.5, TimelineKind.SAID, {"role": "agent", "text": "Grüß Gott [bold] €"}),
            TimelineEvent(2600.0, TimelineKind.BARGE_IN, {"stop_ms": 96.0, "first": True, "note": None}),
        ),
    }
    return CallRecord(**(values | changes))

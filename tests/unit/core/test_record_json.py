"""Records and timelines as JSON."""

import json
from datetime import UTC, datetime

from gateway.core.ids import CallId, CardId
from gateway.core.record import CallRecord, TimelineEvent, TimelineKind
from gateway.core.record_json import event_as_data, record_as_data
from gateway.core.termination import Reason, Result

RECORD = CallRecord(
    id=CallId("call_1"),
    node="gw1",
    sip_call_id="abc",
    started_at=datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC),
    ended_at=datetime(2026, 3, 4, 5, 6, 9, 500_000, tzinfo=UTC),
    duration_s=2.5,
    result=Result.COMPLETED,
    reason=Reason.CALLER_HANGUP,
    sip_status=200,
    cards=(CardId(3),),
    timeline=(
        TimelineEvent(9.0, TimelineKind.ENDED, {"reason": "caller_hangup"}),
        TimelineEvent(1.0, TimelineKind.DTMF_IN, {"digit": "5"}),
    ),
)


def test_a_record_survives_json() -> None:
    data = json.loads(json.dumps(record_as_data(RECORD)))
    assert (data["id"], data["cards"], data["result"], data["answered_at"]) == (
        "call_1",
        [3],
        "completed",
        None,
    )
    assert (data["started_at"], data["ended_at"]) == ("2026-03-04T05:06:07Z", "2026-03-04T05:06:09.500000Z")
    assert "timeline" not in data


def test_a_timeline_is_in_order_of_time() -> None:
    assert record_as_data(RECORD, timeline=True)["timeline"] == [
        {"at_ms": 1.0, "kind": "dtmf_in", "digit": "5"},
        {"at_ms": 9.0, "kind": "ended", "reason": "caller_hangup"},
    ]


def test_fields_of_an_event_replace_neither_its_time_nor_its_kind() -> None:
    event = TimelineEvent(2.0, TimelineKind.NOTE, {"kind": "x", "at_ms": 0, "text": "t"})
    assert event_as_data(event) == {"at_ms": 2.0, "kind": "note", "text": "t"}

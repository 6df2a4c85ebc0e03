"""Recorded calls through another plan."""

from datetime import UTC, datetime
from pathlib import Path

from gateway.dialplan.replay import EXAMPLES, replay
from tests.unit.dialplan.plans import load
from tests.unit.store.records import record

PLAN = """
hours: {office: {mon-fri: "08:00-18:00"}}
routes:
  - {name: sales, match: {to: "+4930*", hours: office, trunk: pbx, header: {X-Lang: de}}, do: [ai]}
  - {name: web, match: {kind: webrtc}, do: [ai]}
  - {name: rest, match: {to: "1*"}, do: [ai]}
"""

OPEN = datetime(2026, 11, 23, 9, tzinfo=UTC)
CLOSED = datetime(2026, 11, 22, 9, tzinfo=UTC)


def test_calls_are_counted_by_where_they_went_and_would_go(tmp_path: Path) -> None:
    calls = [
        *(record(n, route="everything", to_number="+49301", started_at=OPEN) for n in range(5)),
        record(5, route="sales", to_number="+49301", started_at=OPEN),
        record(6, route="sales", to_number="+49301", started_at=CLOSED),
        record(7, route="sales", to_number="+49301", started_at=CLOSED),
        record(8, route="", to_number="+4989", started_at=OPEN),
        record(9, route="", to_number="12", started_at=OPEN),
        record(10, route="agent sales", agent="sales", to_number="sales", kind="webrtc", started_at=OPEN),
        record(11, route="everything", agent="sales", to_number="2", kind="webrtc", started_at=OPEN),
    ]
    outcome = replay(load(tmp_path, PLAN), calls)
    assert (outcome.calls, outcome.same) == (12, 3)
    assert [(change.before, change.after, change.count) for change in outcome.changes] == [
        ("everything", "sales", 5),
        ("sales", "", 2),
        ("", "rest", 1),
        ("everything", "web", 1),
    ]
    assert [example.id for example in outcome.changes[0].examples] == [call.id for call in calls[:EXAMPLES]]


def test_no_calls_change_nothing(tmp_path: Path) -> None:
    outcome = replay(load(tmp_path, PLAN), [])
    assert (outcome.calls, outcome.same, outcome.changes) == (0, 0, ())

"""Recorded calls through another plan."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.core.record import CallRecord
from gateway.dialplan.replay import EXAMPLES, replay
from tests.unit.dialplan.plans import ask, load
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


@pytest.mark.parametrize(
    ("trunk", "headers", "after", "granted"),
    [
        ("pbx", {"x-lang": "de"}, "sales", ()),
        ("pbx", {"x-lang": "de", "x-other": "1"}, "sales", ()),
        ("", {"x-lang": "de"}, "", ()),
        ("pbx", {"x-lang": "en"}, "", ()),
        ("pbx", {"x-lang": None}, "", ()),
        ("pbx", {}, "sales", (("header x-lang: de", 1),)),
        (None, None, "sales", (("trunk pbx", 1), ("header x-lang: de", 1))),
    ],
)
def test_conditions_on_what_was_recorded_hold_as_they_did(
    tmp_path: Path,
    trunk: str | None,
    headers: dict[str, str | None] | None,
    after: str,
    granted: tuple[tuple[str, int], ...],
) -> None:
    call = record(1, route="before", to_number="+49301", started_at=OPEN, trunk=trunk, headers=headers)
    outcome = replay(load(tmp_path, PLAN), [call])
    assert [change.after for change in outcome.changes] == [after]
    assert outcome.granted == granted


def test_numbers_are_read_as_the_trunk_writes_them(tmp_path: Path) -> None:
    text = 'routes: [{name: berlin, match: {to: "+4930*"}, do: [ai]}]'
    call = record(1, route="berlin", to_number="0301234567", started_at=OPEN)
    plan = load(tmp_path, text)
    changed = {trunk: bool(replay(plan, [_by(call, trunk)]).changes) for trunk in ("pbx", "")}
    assert changed == {"pbx": False, "": True}


def _by(call: CallRecord, trunk: str) -> CallRecord:
    return replace(call, trunk=trunk, headers={})


def test_callers_without_a_number_keep_their_own_place(tmp_path: Path) -> None:
    text = """
routes:
  - {name: some, match: {percent: 50}, do: [ai]}
  - {name: others, match: {to: "*"}, do: [ai]}
"""
    plan = load(tmp_path, text)
    calls = [record(n, from_number="anonymous", started_at=OPEN) for n in range(200)]
    calls = [replace(call, route=ask(plan, "1", "anonymous", call_id=call.id).route_name) for call in calls]
    assert 60 < sum(call.route == "some" for call in calls) < 140
    assert replay(plan, calls).same == 200


def test_no_calls_change_nothing(tmp_path: Path) -> None:
    outcome = replay(load(tmp_path, PLAN), [])
    assert (outcome.calls, outcome.same, outcome.changes) == (0, 0, ())

"""Recorded calls through another plan: which would go elsewhere. Pure."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from gateway.core.record import CallRecord
from gateway.dialplan.dialplan import Dialplan
from gateway.dialplan.match import assumed_header
from gateway.dialplan.runtime import CallFactsView

EXAMPLES: Final = 3
"""Calls shown for each change."""


@dataclass(slots=True)
class Change:
    """Calls that went one way and would go another."""

    before: str
    """Route that took them; empty: none."""
    after: str
    """Route that would; empty: none."""
    count: int = 0
    examples: list[CallRecord] = field(default_factory=list)
    """The first few."""


@dataclass(frozen=True, slots=True)
class Replay:
    """What came out."""

    calls: int
    same: int
    changes: tuple[Change, ...]
    """The most frequent first."""
    granted: tuple[tuple[str, int], ...] = ()
    """Conditions that counted as met because the record does not hold what they ask for, and for how many
    calls; the most frequent first."""


def replay(plan: Dialplan, records: Iterable[CallRecord]) -> Replay:
    """Decide about every recorded call again, at the time when it began."""
    calls = same = 0
    changes: dict[tuple[str, str], Change] = {}
    granted: Counter[str] = Counter()
    for record in records:
        calls += 1
        decision = plan.decide(_facts(record), record.started_at, _unknown(plan, record))
        after = decision.route_name
        if decision.route is not None:
            granted.update(decision.route.conditions.assumptions(decision.subject))
        if after == record.route:
            same += 1
            continue
        change = changes.setdefault((record.route, after), Change(record.route, after))
        change.count += 1
        if len(change.examples) < EXAMPLES:
            change.examples.append(record)
    ordered = sorted(changes.values(), key=lambda change: (-change.count, change.before, change.after))
    return Replay(calls, same, tuple(ordered), tuple(granted.most_common()))


def _unknown(plan: Dialplan, record: CallRecord) -> frozenset[str]:
    """What is not known of the call: conditions on it count as met.

    Records hold the headers that the plan of their time asked for, those of an earlier version none.
    """
    unknown = {assumed_header(name) for name in plan.headers.difference(record.headers or ())}
    return frozenset(unknown if record.trunk is not None else {"trunk", *unknown})


def _facts(record: CallRecord) -> CallFactsView:
    asked_by_name = record.kind == "webrtc" and record.route == f"agent {record.agent}"
    return CallFactsView(
        kind=record.kind,
        direction=record.direction,
        to_number=record.to_number,
        from_number=record.from_number,
        trunk=record.trunk or "",
        headers={name: value for name, value in (record.headers or {}).items() if value is not None},
        call_id=record.id,
        agent=record.agent if asked_by_name else "",
    )

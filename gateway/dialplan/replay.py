"""Recorded calls through another plan: which would go elsewhere. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from gateway.core.record import CallRecord
from gateway.dialplan.dialplan import Dialplan
from gateway.dialplan.runtime import CallFactsView

EXAMPLES: Final = 3
"""Calls shown for each change."""

_NOT_RECORDED: Final = frozenset({"trunk", "header"})
"""Conditions on what records do not hold count as met."""


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


def replay(plan: Dialplan, records: Iterable[CallRecord]) -> Replay:
    """Decide about every recorded call again, at the time when it began."""
    calls = same = 0
    changes: dict[tuple[str, str], Change] = {}
    for record in records:
        calls += 1
        after = plan.decide(_facts(record), record.started_at, _NOT_RECORDED).route_name
        if after == record.route:
            same += 1
            continue
        change = changes.setdefault((record.route, after), Change(record.route, after))
        change.count += 1
        if len(change.examples) < EXAMPLES:
            change.examples.append(record)
    ordered = sorted(changes.values(), key=lambda change: (-change.count, change.before, change.after))
    return Replay(calls, same, tuple(ordered))


def _facts(record: CallRecord) -> CallFactsView:
    asked_by_name = record.kind == "webrtc" and record.route == f"agent {record.agent}"
    return CallFactsView(
        kind=record.kind,
        direction=record.direction,
        to_number=record.to_number,
        from_number=record.from_number,
        agent=record.agent if asked_by_name else "",
    )

"""Between `CallRecord` and the rows of the tables. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import astuple, fields
from typing import Any

from gateway.core.ids import CallId, CardId
from gateway.core.quality.track import QualityPoint
from gateway.core.record import CallRecord, TimelineEvent, TimelineKind
from gateway.core.termination import Reason, Result

COLUMNS = tuple(field.name for field in fields(CallRecord) if field.name not in CallRecord.APART)
"""Fields that are columns of the table of calls, under the same names."""


def to_row(record: CallRecord) -> dict[str, Any]:
    """The row of the table of calls."""
    row = {name: getattr(record, name) for name in COLUMNS}
    return row | {
        "headers": None if record.headers is None else dict(record.headers),
        "result": record.result.value,
        "reason": record.reason.value,
        "cards": list(record.cards),
    }


def to_events(timeline: Sequence[TimelineEvent]) -> list[list[Any]]:
    """The JSON of a timeline."""
    return [[event.at_ms, event.kind.value, dict(event.fields)] for event in timeline]


def to_points(quality: Sequence[QualityPoint]) -> list[list[Any]]:
    """The JSON of a line's quality."""
    return [list(astuple(point)) for point in quality]


def from_row(
    row: Mapping[str, Any], events: Sequence[Sequence[Any]] = (), points: Sequence[Sequence[Any]] = ()
) -> CallRecord:
    """The record of a row, its timeline and quality. Raises ValueError for unknown words."""
    values = {name: row[name] for name in COLUMNS}
    values |= {
        "id": CallId(row["id"]),
        "result": Result(row["result"]),
        "reason": Reason(row["reason"]),
        "cards": tuple(CardId(card) for card in row["cards"]),
    }
    timeline = tuple(TimelineEvent(at_ms, TimelineKind(kind), details) for at_ms, kind, details in events)
    quality = tuple(QualityPoint(*point) for point in points)
    return CallRecord(**values, timeline=timeline, quality=quality)

"""Call records and timelines as plain values for JSON, the same on the command line and over HTTP. Pure."""

from collections.abc import Iterable
from dataclasses import asdict, fields
from datetime import datetime
from enum import Enum
from typing import Any

from gateway.core.record import CallRecord, TimelineEvent


def record_as_data(record: CallRecord, *, timeline: bool = False) -> dict[str, Any]:
    """The fields of a record by name; personal data is among them."""
    data = {
        field.name: plain(getattr(record, field.name))
        for field in fields(record)
        if field.name not in CallRecord.APART
    }
    if not timeline:
        return data
    quality = [asdict(point) for point in record.quality]
    return data | {"timeline": timeline_as_data(record.timeline), "quality": quality}


def timeline_as_data(timeline: Iterable[TimelineEvent]) -> list[dict[str, Any]]:
    """The events in order of time: some are known only after others that followed them."""
    return [event_as_data(event) for event in sorted(timeline, key=lambda event: event.at_ms)]


def event_as_data(event: TimelineEvent) -> dict[str, Any]:
    """One event; its own fields stand beside `at_ms` and `kind` and cannot replace them."""
    named = {"at_ms": event.at_ms, "kind": event.kind.value}
    return named | dict(event.fields) | named


def plain(value: object) -> Any:
    """A record's value as JSON has it: aware moments as ISO 8601 in UTC, enums by value, tuples as lists."""
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, Enum):
        return value.value
    return list(value) if isinstance(value, tuple) else value

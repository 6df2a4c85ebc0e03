"""Records survive the way to a row and back."""

import json
from dataclasses import fields

import pytest

from gateway.core.record import CallRecord
from gateway.store.rows import COLUMNS, from_row, to_events, to_points, to_row
from gateway.store.tables import calls
from tests.unit.store.records import record


def test_the_table_has_a_column_for_every_field() -> None:
    names = {field.name for field in fields(CallRecord)} - set(CallRecord.APART)
    assert {column.name for column in calls.columns} == names == set(COLUMNS)


def test_required_fields_are_not_null_and_optional_ones_are() -> None:
    row = to_row(record())
    nullable = {column.name for column in calls.columns if column.nullable}
    optional = {field.name for field in fields(CallRecord) if "None" in str(field.type)}
    assert nullable == optional
    assert nullable <= set(row)


def test_round_trip_through_json() -> None:
    one = record()
    events = json.loads(json.dumps(to_events(one.timeline)))
    points = json.loads(json.dumps(to_points(one.quality)))
    assert from_row(to_row(one), events, points) == one


def test_a_word_of_a_later_version_is_an_error() -> None:
    with pytest.raises(ValueError, match="teleported"):
        from_row(to_row(record()) | {"reason": "teleported"})

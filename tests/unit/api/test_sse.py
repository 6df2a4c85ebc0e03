"""Server-sent events as text."""

import json

import pytest

from gateway.api.sse import EventId, Told, notice_text, read_event_id, told_text
from gateway.core.ids import CallId
from gateway.core.record import TimelineEvent, TimelineKind


def test_an_event_is_one_block_whatever_was_said() -> None:
    event = TimelineEvent(3.5, TimelineKind.SAID, {"role": "caller", "text": "a\n\nid: 9\r\ndata: x\u2028ü"})
    text = told_text(Told(7, CallId("call_1"), event), "ab12").decode()
    lines = text.splitlines()
    assert text.endswith("\n\n")
    assert lines[:2] == ["id: ab12-7", "event: said"]
    assert len([line for line in lines if line]) == 3
    data = json.loads(lines[2].removeprefix("data: "))
    assert data == {"at_ms": 3.5, "kind": "said", "call_id": "call_1", **event.fields}


def test_a_notice_has_no_id() -> None:
    assert notice_text("gap", {}) == b"event: gap\ndata: {}\n\n"


def test_ids_survive() -> None:
    assert read_event_id(str(EventId("ab12", 40))) == EventId("ab12", 40)


@pytest.mark.parametrize("text", ["", "-", "5", "ab-", "-5", "ab-x", "ab--", "ab-²", "ab-" + "1" * 80])
def test_ids_of_others(text: str) -> None:
    assert read_event_id(text) is None

"""One response: order of events, pacing ahead of real time, cancellation."""

from collections.abc import Callable
from typing import Any

import pytest

from gateway.bot.dialogue import Reply, ToolCall
from gateway.bot.response import DELTA_MS, LEAD_MS, SPEED, Response
from gateway.bot.settings import Settings
from gateway.core.audio import WireFormat

NewId = Callable[[str], str]
SECOND = bytes(16000)
"""One second of PCM at 8 kHz."""


def response(new_id: NewId, *say: str, call: ToolCall | None = None) -> Response:
    settings = Settings(output_format=WireFormat.PCMU)
    return Response(Reply(say, call), settings, new_id, conversation_id="conv_1")


def all_of(
    made: Response, find: Callable[[str], bytes | None] = lambda _text: SECOND
) -> list[dict[str, Any]]:
    """Every event, each at its time."""
    events = [*made.start(), *made.advance(0.0, find)]
    while (at := made.next_deadline) is not None:
        events += made.advance(at, find)
    return events


def kinds(events: list[dict[str, Any]]) -> list[str]:
    """Event types, repetitions left out."""
    found = [event["type"] for event in events]
    return [kind for index, kind in enumerate(found) if index == 0 or found[index - 1] != kind]


def audio_ms(events: list[dict[str, Any]]) -> float:
    return sum(len(e["delta"]) / 8 for e in events if e["type"] == "response.output_audio.delta")


def test_events_come_in_the_protocols_order(new_id: NewId) -> None:
    events = all_of(response(new_id, "One.", call=ToolCall("end_call", '{"a": 1}')))
    assert kinds(events) == [
        "response.created",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_audio_transcript.delta",
        "response.output_audio.delta",
        "response.output_audio.done",
        "response.output_audio_transcript.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.output_item.added",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
        "response.output_item.done",
        "response.done",
    ]
    done = events[-1]["response"]
    assert done["status"] == "completed"
    assert [item["type"] for item in done["output"]] == ["message", "function_call"]
    assert [e["output_index"] for e in events if e["type"] == "response.output_item.done"] == [0, 1]


def test_all_audio_and_words_arrive(new_id: NewId) -> None:
    made = response(new_id, "One.", "Two.")
    events = all_of(made)
    assert audio_ms(events) == made.sent_ms == 2000
    assert made.sentence_ends_ms == [1000, 2000]
    deltas = [e["delta"] for e in events if e["type"] == "response.output_audio_transcript.delta"]
    assert "".join(deltas) == made.transcript == "One. Two."
    sizes = {len(e["delta"]) for e in events if e["type"] == "response.output_audio.delta"}
    assert sizes == {DELTA_MS * 8}


def test_audio_is_sent_ahead_of_real_time_but_not_at_once(new_id: NewId) -> None:
    made = response(new_id, *["Long."] * 5)
    first = made.start() + made.advance(10.0, lambda _text: SECOND)
    assert LEAD_MS <= audio_ms(first) <= LEAD_MS + DELTA_MS
    later = made.advance(10.25, lambda _text: SECOND)
    total = audio_ms(first) + audio_ms(later)
    assert LEAD_MS + 250 * SPEED <= total <= LEAD_MS + 250 * SPEED + DELTA_MS
    deadline = made.next_deadline
    assert deadline is not None
    assert 10.25 < deadline <= 10.25 + DELTA_MS / 1000 / SPEED
    assert audio_ms(made.advance(deadline, lambda _text: SECOND)) == DELTA_MS


def test_it_waits_for_speech_that_is_not_there_yet(new_id: NewId) -> None:
    made = response(new_id, "One.", "Two.")
    ready = {"One.": SECOND}
    made.start()
    made.advance(0.0, ready.get)
    made.advance(10.0, ready.get)
    assert made.waiting_for == "Two."
    assert made.next_deadline is None
    ready["Two."] = SECOND
    assert made.advance(11.0, ready.get)[-1]["type"] == "response.done"


def test_a_cancelled_response_ends_incomplete_and_calls_nothing(new_id: NewId) -> None:
    made = response(new_id, "One.", "Two.", call=ToolCall("end_call", "{}"))
    made.start()
    made.advance(0.0, lambda _text: SECOND)
    events = made.cancel("turn_detected")
    assert events[-1]["response"]["status"] == "cancelled"
    assert events[-1]["response"]["status_details"] == {"type": "cancelled", "reason": "turn_detected"}
    assert [item["status"] for item in events[-1]["response"]["output"]] == ["incomplete"]
    assert "One." in made.transcript
    assert made.finished
    assert made.next_deadline is None
    assert made.advance(9.0, lambda _text: SECOND) == []


def test_a_response_that_cannot_be_spoken_fails(new_id: NewId) -> None:
    made = response(new_id, "One.")
    made.start()
    made.advance(0.0, lambda _text: None)
    failed = made.fail("speech_failed")[-1]["response"]
    assert failed["status"] == "failed"
    assert failed["status_details"]["error"]["code"] == "speech_failed"


def test_a_response_with_nothing_to_say_is_just_completed(new_id: NewId) -> None:
    assert kinds(all_of(response(new_id))) == ["response.created", "response.done"]


@pytest.mark.parametrize(
    ("wire", "rate_hz", "bytes_of_100_ms"),
    [(WireFormat.PCMU, 8000, 800), (WireFormat.PCMA, 8000, 800), (WireFormat.PCM24K, 24000, 4800)],
)
def test_audio_is_in_the_format_that_was_asked_for(
    new_id: NewId, wire: WireFormat, rate_hz: int, bytes_of_100_ms: int
) -> None:
    made = Response(Reply(("One.",)), Settings(output_format=wire), new_id, conversation_id="c")
    events = all_of(made, lambda _text: bytes(rate_hz * 2))
    deltas = [e["delta"] for e in events if e["type"] == "response.output_audio.delta"]
    assert [len(delta) for delta in deltas] == [bytes_of_100_ms] * 10
    assert made.sent_ms == 1000

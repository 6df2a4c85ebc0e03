from dataclasses import replace
from datetime import UTC, datetime

from gateway.cli.demo_verdict import Line, measured, missing, transcript
from gateway.core.ids import CallId
from gateway.core.record import CallRecord, TimelineEvent, TimelineKind
from gateway.core.termination import Reason, Result
from gateway.softphone.measure import Figures, Turn

FIGURES = Figures(
    setup_ms=12.0,
    first_utterance_ms=80.0,
    turns=(
        Turn("interrupt.wav", True, 320.0, 700.0),
        Turn("ask_billing.wav", False, None, 600.0),
    ),
)


def said(at_ms: float, role: str, text: str) -> TimelineEvent:
    return TimelineEvent(at_ms, TimelineKind.SAID, {"role": role, "text": text})


RECORD = CallRecord(
    id=CallId("call_1"),
    node="demo",
    sip_call_id="x",
    started_at=datetime(2026, 1, 1, tzinfo=UTC),
    ended_at=datetime(2026, 1, 1, tzinfo=UTC),
    duration_s=20.0,
    result=Result.COMPLETED,
    reason=Reason.AGENT_HANGUP,
    sip_status=200,
    setup_ms=8.0,
    timeline=(
        TimelineEvent(0.0, TimelineKind.INCOMING),
        said(900.0, "agent", "Welcome. Billing or sales?"),
        said(5000.0, "caller", "I need Billing please"),
    ),
)


def test_a_conversation_that_worked_misses_nothing() -> None:
    assert missing(FIGURES, "", RECORD) == []


def test_the_transcript_holds_what_both_said_with_seconds() -> None:
    assert transcript(RECORD) == [
        Line(0.9, "agent", "Welcome. Billing or sales?"),
        Line(5.0, "caller", "I need Billing please"),
    ]


def test_the_word_must_be_in_what_the_caller_said() -> None:
    only_agent = replace(RECORD, timeline=RECORD.timeline[:2])
    assert missing(FIGURES, "", only_agent) == ['"billing" was not understood']


def test_everything_that_is_missing_is_named() -> None:
    silent = replace(FIGURES, first_utterance_ms=None, turns=())
    assert missing(silent, "hear: not within 10 s", None) == [
        "hear: not within 10 s",
        "the greeting was not heard",
        "the interruption did not stop the agent",
        "the request was not answered",
        "the call left no record",
    ]


def test_a_refused_call_misses_only_that() -> None:
    assert missing(Figures(), "the call was refused: 503", None) == ["the call was refused: 503"]


def test_an_agent_that_stops_much_later_was_not_interrupted() -> None:
    late = replace(FIGURES, turns=(Turn("interrupt.wav", True, 1800.0, None), FIGURES.turns[1]))
    assert missing(late, "", RECORD) == ["the interruption did not stop the agent"]


def test_a_figure_is_judged_at_the_phones_ear() -> None:
    by_name = {figure.name: figure for figure in measured(FIGURES, RECORD)}
    assert by_name["set-up"].gateway_ms == 8.0
    assert by_name["response delay"].phone_ms == 650.0
    assert {name: figure.verdict for name, figure in by_name.items()} == dict.fromkeys(by_name, "good")
    slow = measured(replace(FIGURES, setup_ms=900.0, turns=()), None)
    assert [figure.verdict for figure in slow] == ["slow", "good", "missing", "missing"]

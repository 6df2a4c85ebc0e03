"""The written memory of a call."""

from datetime import timedelta

import pytest

from gateway.backends.contract import Utterance
from gateway.calls.conversation import MAX_TEXT_CHARS
from gateway.calls.journal import MAX_EVENTS
from gateway.calls.oai_requests import PeerStats
from gateway.core.ids import LegId
from gateway.core.record import TimelineKind
from gateway.core.termination import Reason, Termination
from gateway.wire.card import Quality
from tests.unit.calls.journals import Clock, journal

K = TimelineKind
HANGUP = Termination(Reason.CALLER_HANGUP)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_events_are_timed_from_the_start_and_in_order_of_time(clock: Clock) -> None:
    book = journal(clock)
    clock.now += 2
    book.note(K.NOTE, text="late")
    book.note(K.SPEECH_STARTED, at_s=clock.now - 0.5)
    record = book.record(HANGUP)
    assert [(event.at_ms, event.kind) for event in record.timeline] == [
        (1500.0, K.SPEECH_STARTED),
        (2000.0, K.NOTE),
        (2000.0, K.ENDED),
    ]
    assert record.timeline[-1].fields == {"result": "completed", "reason": "caller_hangup", "detail": ""}


def test_a_long_timeline_keeps_its_beginning_and_its_end(clock: Clock) -> None:
    book = journal(clock)
    for n in range(MAX_EVENTS + 100):
        clock.now += 0.001
        book.note(K.NOTE, text=str(n))
    record = book.record(HANGUP)
    assert len(record.timeline) == MAX_EVENTS + 1
    assert record.timeline[0].fields == {"text": "0"}
    assert record.timeline[-1].kind is K.ENDED


def test_long_texts_are_cut_everywhere(clock: Clock) -> None:
    book = journal(clock)
    book.said("i", Utterance("agent", "x" * 100_000))
    book.note(K.TOOL_CALL, name="f", arguments="y" * 100_000)
    assert len(book.conversation.utterances[0].text) == MAX_TEXT_CHARS
    assert {len(str(event.fields.get("text") or event.fields["arguments"])) for event in book.events} == {
        MAX_TEXT_CHARS
    }


def test_an_answered_call(clock: Clock) -> None:
    book = journal(clock)
    book.answered(clock.now + 0.4)
    book.agent_heard(clock.now + 0.5)
    book.agent_heard(clock.now + 3.0)
    clock.now += 10
    record = book.record(HANGUP)
    assert record.setup_ms == pytest.approx(400)
    assert record.first_utterance_ms == pytest.approx(100)
    assert record.duration_s == pytest.approx(10)
    assert record.billable_s == pytest.approx(9.6)
    assert record.answered_at == book.facts.started_at + timedelta(seconds=0.4)
    assert record.ended_at == book.facts.started_at + timedelta(seconds=10)
    assert record.sip_status == 200
    assert [event.kind for event in record.timeline].count(K.FIRST_UTTERANCE) == 1


@pytest.mark.parametrize(("status", "expected"), [(None, 487), (486, 486)])
def test_an_unanswered_call(clock: Clock, status: int | None, expected: int) -> None:
    book = journal(clock)
    book.figures.sip_status = status
    record = book.record(Termination(Reason.CANCELLED))
    assert (record.answered_at, record.billable_s, record.setup_ms) == (None, 0.0, None)
    assert record.sip_status == expected


def test_an_answered_call_that_failed_had_its_200(clock: Clock) -> None:
    book = journal(clock)
    book.answered(clock.now)
    assert book.record(Termination(Reason.BACKEND_LOST)).sip_status == 200


def test_the_delay_to_the_ear_is_taken_from_whoever_measures_it(clock: Clock) -> None:
    figures = journal(clock).figures
    assert figures.delay_to_ear_ms == 0.0, "nobody has measured it"
    figures.quality = Quality(LegId(1), 100, 2, 0, 1.5, 40.0, 99, -1, 90.0, 90.0, 3, 250)
    assert figures.delay_to_ear_ms == 45.0, "the far end has not reported"
    figures.quality = Quality(LegId(1), 100, 2, 0, 1.5, 40.0, 99, 0, 10.0, 80.0, 3, 250)
    assert figures.delay_to_ear_ms == 40.0 + 30.0
    figures.peer = PeerStats(
        packets_received=500,
        packets_lost=5,
        jitter_ms=2.0,
        total_samples=960_000,
        concealed_samples=0,
        silent_concealed_samples=0,
        jitter_buffer_delay_s=48_000.0,
        jitter_buffer_emitted=960_000,
        rtt_ms=60.0,
        uplink_lost_percent=None,
        target_bitrate_bps=None,
    )
    assert figures.delay_to_ear_ms == 30.0 + 50.0, "the page knows its buffer"


def test_figures_of_the_leg(clock: Clock) -> None:
    book = journal(clock)
    assert book.record(HANGUP).rtt_ms is None
    book.figures.quality = Quality(LegId(1), 100, 2, 0, 1.5, 40.0, 99, -1, 0.0, -1.0, 3, 250)
    record = book.record(HANGUP)
    assert (record.rx_packets, record.rx_lost, record.rx_jitter_ms) == (100, 2, 1.5)
    assert (record.tx_lost, record.rtt_ms) == (None, None), "unknown is not zero"
    assert (record.underruns, record.playout_dropped_ms) == (3, 250.0)


def test_turns_and_barge_ins_are_medians(clock: Clock) -> None:
    book = journal(clock)
    book.meter.response_delays_ms += [100.0, 900.0, 200.0]
    book.meter.barge_in_stops_ms += [80.0, 120.0]
    record = book.record(HANGUP)
    assert (record.turns, record.response_delay_p50_ms, record.response_delay_max_ms) == (3, 200.0, 900.0)
    assert (record.barge_ins, record.barge_in_stop_p50_ms) == (2, 100.0)


def test_an_empty_transcript_is_not_noted(clock: Clock) -> None:
    book = journal(clock)
    book.said("i", Utterance("caller", ""))
    assert book.events == []
    assert not book.conversation.begun


def test_a_watcher_is_told_of_every_event_that_is_kept(clock: Clock) -> None:
    book = journal(clock)
    book.note(K.INCOMING)
    seen: list[tuple[int, TimelineKind]] = []
    book.watch(lambda event: seen.append((book.events.index(event), event.kind)))
    book.note(K.RINGING)
    book.record(HANGUP)
    assert seen == [(1, K.RINGING), (2, K.ENDED)]


def test_a_watcher_is_told_of_nothing_that_is_not_kept(clock: Clock) -> None:
    book = journal(clock)
    for n in range(MAX_EVENTS):
        book.note(K.NOTE, text=str(n))
    seen: list[TimelineKind] = []
    book.watch(lambda event: seen.append(event.kind))
    book.note(K.NOTE, text="more")
    book.record(HANGUP)
    assert seen == [K.ENDED]

"""What a call leaves with its leg."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.backends.contract import Utterance
from gateway.calls import checkpoint
from gateway.calls.journal import Journal
from gateway.core.record import TimelineKind
from gateway.core.termination import Reason, Termination
from gateway.errors import LocalError
from tests.unit.calls.journals import Clock, journal


def full(clock: Clock) -> Journal:
    book = journal(clock)
    book.figures.agent, book.figures.route, book.figures.codec = "receptionist", "all", "PCMU/8000"
    book.answered(clock.now + 0.5)
    book.agent_heard(clock.now + 0.7)
    book.said("1", Utterance("agent", "Grüß Gott"))
    book.said("2", Utterance("caller", "\N{EURO SIGN} billing"))
    book.meter.response_delays_ms.append(321.5)
    book.meter.barge_in_stops_ms.append(99.5)
    book.note(TimelineKind.DTMF_IN, digit="5", method="info")
    return book


def restored(state: bytes, clock: Clock) -> Journal:
    kept = checkpoint.unpack(state)
    book = Journal(checkpoint.facts_of(kept), clock)
    checkpoint.restore(book, kept)
    return book


def test_a_call_that_is_taken_over_loses_nothing() -> None:
    clock = Clock()
    old = full(clock)
    clock.now += 5
    new = restored(checkpoint.pack(old), clock)
    assert new.facts == old.facts
    assert new.conversation.utterances == old.conversation.utterances
    assert new.events[:-1] == old.events
    assert new.events[-1].kind is TimelineKind.RECOVERED
    clock.now += 5
    end = Termination(Reason.CALLER_HANGUP)
    before, after = old.record(end), new.record(end)
    for name in (
        "id",
        "agent",
        "route",
        "codec",
        "started_at",
        "answered_at",
        "setup_ms",
        "first_utterance_ms",
        "response_delay_p50_ms",
        "barge_in_stop_p50_ms",
        "turns",
        "barge_ins",
        "duration_s",
        "cards",
    ):
        assert getattr(after, name) == getattr(before, name), name
    assert (before.recovered, after.recovered) == (0, 1)


def test_a_call_taken_over_twice() -> None:
    clock = Clock()
    book = restored(checkpoint.pack(restored(checkpoint.pack(full(clock)), clock)), clock)
    assert book.figures.recovered == 2
    assert [event.kind for event in book.events].count(TimelineKind.RECOVERED) == 2


def test_a_long_call_leaves_a_small_checkpoint_with_its_latest_events() -> None:
    clock = Clock()
    book = full(clock)
    for n in range(4000):
        book.note(TimelineKind.NOTE, text=f"event {n}")
    state = checkpoint.pack(book)
    assert len(state) < 64_000
    events = checkpoint.unpack(state).events
    assert len(events) == checkpoint.MAX_KEPT_EVENTS
    assert events[-1].fields["text"] == "event 3999"


@given(st.binary(max_size=200))
def test_what_is_no_checkpoint_is_a_local_error(state: bytes) -> None:
    with pytest.raises(LocalError):
        checkpoint.unpack(state)


def test_a_damaged_checkpoint_is_a_local_error_or_a_checkpoint() -> None:
    state = checkpoint.pack(full(Clock()))
    damaged = 0
    for at in range(len(state)):
        try:
            checkpoint.unpack(state[:at] + b"\xff" + state[at + 1 :])
        except LocalError:
            damaged += 1
    assert damaged > len(state) // 10


def test_how_things_stood_is_kept() -> None:
    standing = checkpoint.Standing(
        stage="person",
        recording=checkpoint.KeptRecording("call_1.wav", 12.5),
        held=True,
        muted=True,
        agent_role="listen",
        allow=("sip:anna@pbx", "tel:+49*"),
    )
    state = checkpoint.pack(full(Clock()), standing)
    assert checkpoint.standing_of(checkpoint.unpack(state)) == standing

"""A leg whose call we place: progress, answer, and giving up."""

import pytest

from gateway.cards.sip.contract import PjsipError
from gateway.wire import card as wire
from tests.unit.cards.sip.leg_bench import MEDIA, Bench


@pytest.fixture
def calling() -> Bench:
    """A leg whose call we place."""
    return Bench(outbound=True)


def test_each_provisional_answer_is_told_with_whether_there_is_audio(calling: Bench) -> None:
    assert calling.state() == "calling"
    calling.leg.on_state("calling", 0, "")
    calling.leg.on_state("early", 180, "Ringing")
    calling.leg.on_state("early", 183, "Session Progress")
    calling.call.media = MEDIA
    calling.leg.on_media(MEDIA)
    calling.tick(2)
    progress = [m for m in calling.sent if isinstance(m, wire.Progress)]
    assert [(m.status, m.reason, m.early_media) for m in progress] == [
        (180, "Ringing", False),
        (183, "Session Progress", True),
    ]
    assert calling.state() == "ringing"
    assert calling.leg.audible
    assert not calling.leg.live


def test_without_early_media_a_ringing_leg_is_not_heard(calling: Bench) -> None:
    calling.leg.on_state("early", 180, "Ringing")
    assert not calling.leg.audible


def test_progress_comes_before_the_answer_and_the_end(calling: Bench) -> None:
    calling.leg.on_state("early", 180, "Ringing")
    calling.answered()
    kinds = [type(m).__name__ for m in calling.sent]
    assert kinds.index("Progress") < kinds.index("Answered")
    other = Bench(outbound=True)
    other.leg.on_state("early", 180, "Ringing")
    other.leg.on_state("disconnected", 486, "Busy Here")
    assert [type(m).__name__ for m in other.sent] == ["Progress", "LegClosed"]
    closed = other.sent[-1]
    assert isinstance(closed, wire.LegClosed)
    assert (closed.status, closed.reason, closed.by) == (486, "Busy Here", "far_end")


def test_hanging_up_before_the_answer_is_a_cancel_with_patience(calling: Bench) -> None:
    calling.leg.on_state("early", 180, "Ringing")
    calling.leg.hangup(480, "", drain=False)
    assert calling.call.asked == [("hangup",)]
    calling.leg.hangup(480, "", drain=False)
    assert calling.call.asked == [("hangup",)]
    calling.now += 1.5
    calling.leg.each_second(calling.now)
    closed = calling.sent[-1]
    assert isinstance(closed, wire.LegClosed)
    assert (closed.status, closed.by) == (487, "gateway")
    calling.leg.on_state("disconnected", 487, "Request Terminated")
    assert [type(m).__name__ for m in calling.sent].count("LegClosed") == 1
    assert calling.closed == [calling.leg]


def test_an_answer_that_crosses_the_cancel_is_none(calling: Bench) -> None:
    calling.leg.hangup(480, "", drain=False)
    calling.answered()
    assert not any(isinstance(m, wire.Answered) for m in calling.sent)
    assert not calling.leg.live


def test_what_is_for_incoming_calls_is_refused(calling: Bench) -> None:
    for refused in (calling.leg.ring, calling.leg.answer, lambda: calling.leg.reject(486, "", ())):
        with pytest.raises(PjsipError, match="the call is ours"):
            refused()
    assert calling.call.asked == []


def test_a_snapshot_says_who_called(calling: Bench) -> None:
    assert calling.leg.snapshot().outbound
    assert not Bench().leg.snapshot().outbound

"""A leg whose call comes in: its states, its audio, its end."""

import pytest

from gateway.cards.sip.contract import PjsipError
from gateway.cards.sip.leg import HELD_TIMEOUT_S
from gateway.core.ids import LegId, Mark
from gateway.wire import card as wire
from gateway.wire.frames import HeardFlag, unpack_heard
from tests.unit.cards.sip.leg_bench import HELD, INCOMING, MEDIA, Bench


@pytest.fixture
def bench() -> Bench:
    """A leg whose call comes in."""
    return Bench()


def test_from_invite_to_bye(bench: Bench) -> None:
    bench.leg.ring()
    bench.leg.on_state("early", 180, "Ringing")
    assert bench.state() == "ringing"
    bench.leg.answer()
    bench.answered()
    assert bench.leg.live
    bench.leg.on_state("disconnected", 200, "Normal call clearing")
    assert bench.port.speak is None
    assert bench.port.hear is None
    assert bench.closed == [bench.leg]
    kinds = [type(m).__name__ for m in bench.sent]
    assert kinds == ["MediaChanged", "Answered", "LegClosed"]
    assert bench.sent[-1] == wire.LegClosed(LegId(7), 200, "Normal call clearing", "far_end")
    assert [a[:2] for a in bench.call.asked] == [("answer", 180), ("answer", 200)]


def test_a_hold_of_the_far_end_changes_the_state_only_after_the_answer(bench: Bench) -> None:
    bench.leg.on_media(HELD)
    assert bench.state() == "incoming"
    bench.answered()
    bench.leg.on_media(HELD)
    assert bench.state() == "held"
    assert bench.leg.live
    bench.leg.on_media(MEDIA)
    assert bench.state() == "connected"
    assert [m.held for m in bench.sent if isinstance(m, wire.MediaChanged)] == [True, False, True, False]


@pytest.mark.parametrize(("status", "sent"), [(486, 486), (200, 480), (0, 480)])
def test_a_leg_that_rings_is_hung_up_with_a_final_status(bench: Bench, status: int, sent: int) -> None:
    bench.leg.hangup(status, "why", drain=True)
    assert bench.call.asked == [("answer", sent, "why", ())]


def test_ringing_is_told_with_early_media_or_without(bench: Bench) -> None:
    bench.leg.ring()
    bench.leg.ring(early_media=True)
    assert [asked[:2] for asked in bench.call.asked] == [("answer", 180), ("answer", 183)]


def test_a_reject_after_the_answer_is_refused(bench: Bench) -> None:
    bench.answered()
    with pytest.raises(PjsipError):
        bench.leg.reject(486, "", ())
    assert bench.call.asked == []


def test_a_drain_waits_for_the_audio_and_a_little_longer(bench: Bench) -> None:
    bench.answered()
    bench.leg.playout.play(b"\1\0" * 160 * 5, Mark(1), last=True)
    bench.leg.hangup(0, "", drain=True)
    bench.tick(5)
    assert bench.call.asked == []
    bench.tick(4)
    assert bench.call.asked == []
    bench.tick(2)
    assert bench.call.asked == [("hangup",)]
    bench.tick(50)
    assert bench.call.asked == [("hangup",)]


def test_a_drain_ends_when_the_far_end_holds_or_nothing_moves(bench: Bench) -> None:
    bench.answered()
    bench.leg.playout.play(bytes(16000), Mark(1))
    bench.leg.hangup(0, "", drain=True)
    bench.leg.on_media(HELD)
    bench.leg.after_tick(bench.now)
    assert bench.call.asked == [("hangup",)]
    stuck = Bench()
    stuck.answered()
    stuck.leg.playout.play(bytes(16000), Mark(1))
    stuck.leg.hangup(0, "", drain=True)
    stuck.leg.playout.pause()
    stuck.tick(200)
    assert stuck.call.asked == []
    stuck.now += 3.0
    stuck.tick()
    assert stuck.call.asked == [("hangup",)]


def test_a_bye_without_answer_is_told_after_a_second_and_only_once(bench: Bench) -> None:
    bench.answered()
    bench.leg.hangup(0, "", drain=False)
    bench.leg.each_second(bench.now + 0.5)
    assert not [m for m in bench.sent if isinstance(m, wire.LegClosed)]
    bench.leg.each_second(bench.now + 1.0)
    assert bench.state() == "closed"
    bench.leg.on_state("disconnected", 408, "Request Timeout")
    assert [m.by for m in bench.sent if isinstance(m, wire.LegClosed)] == ["gateway"]
    assert bench.closed == [bench.leg]


def test_what_is_heard_and_what_is_missing(bench: Bench) -> None:
    bench.answered()
    assert bench.port.hear is not None
    bench.port.hear(b"\5\0" * 160)
    assert list(unpack_heard(bench.leg.heard_record())) == [(7, HeardFlag.NONE, b"\5\0" * 160)]
    assert list(unpack_heard(bench.leg.heard_record())) == [(7, HeardFlag.CONCEALED, bytes(320))]


def test_marks_and_flush(bench: Bench) -> None:
    bench.answered()
    bench.leg.playout.play(bytes(640), Mark(3), last=True)
    bench.tick(2)
    bench.leg.playout.play(bytes(3200), Mark(4))
    bench.tick(1)
    bench.leg.flush(9)
    marks = [m for m in bench.sent if isinstance(m, wire.PlayStarted | wire.PlayFinished | wire.Flushed)]
    assert [type(m).__name__ for m in marks] == ["PlayStarted", "PlayFinished", "PlayStarted", "Flushed"]
    assert isinstance(marks[1], wire.PlayFinished)
    assert marks[1].played_ms == 40
    assert marks[-1] == wire.Flushed(LegId(7), 9, Mark(4), 24, 176, bench.now)


@pytest.mark.parametrize("digits", ["", "12x", "1 2"])
def test_only_dtmf_digits_are_sent(bench: Bench, digits: str) -> None:
    with pytest.raises(PjsipError):
        bench.leg.send_dtmf(digits)
    bench.leg.send_dtmf("12ab#*")
    assert bench.call.asked == [("dtmf", "12AB#*")]


def test_a_silent_far_end_is_told_unless_someone_holds(bench: Bench) -> None:
    bench.answered()
    for second in range(10):
        bench.leg.each_second(100.0 + second)
    assert [m.silent_s for m in bench.sent if isinstance(m, wire.RtpStalled)] == [5.0]
    for hold in ("far_end", "gateway"):
        other = Bench()
        other.answered()
        if hold == "far_end":
            other.leg.on_media(HELD)
        else:
            other.leg.hold(True)
        for second in range(10):
            other.leg.each_second(100.0 + second)
        assert not [m for m in other.sent if isinstance(m, wire.RtpStalled)]
        other.leg.each_second(100.0 + 9.0 + HELD_TIMEOUT_S)
        assert [m.silent_s >= HELD_TIMEOUT_S for m in other.sent if isinstance(m, wire.RtpStalled)] == [True]


def test_an_answered_leg_without_media_is_a_silent_far_end(bench: Bench) -> None:
    # An ACK that does not answer our offer leaves PJSIP without a stream, and the call up.
    bench.leg.on_state("confirmed", 200, "OK")
    for second in range(10):
        bench.leg.each_second(100.0 + second)
    assert [m.silent_s for m in bench.sent if isinstance(m, wire.RtpStalled)] == [5.0]


def test_the_snapshot_carries_what_the_core_kept(bench: Bench) -> None:
    bench.leg.kept = b"state"
    assert bench.leg.snapshot() == wire.LegSnapshot(INCOMING, "incoming", b"state")

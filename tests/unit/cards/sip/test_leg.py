"""One leg with a call that records what it is asked to do, and a clock that we turn."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest

from gateway.cards.sip.contract import (
    BusyError,
    DtmfMethod,
    Headers,
    MediaInfo,
    PjsipError,
    StreamQuality,
)
from gateway.cards.sip.counters import TRANSFER_TIMEOUT_S
from gateway.cards.sip.leg import HELD_TIMEOUT_S, Leg, LegContext
from gateway.core.audio import PcmFormat
from gateway.core.ids import LegId, Mark
from gateway.wire import card as wire
from gateway.wire.frames import HeardFlag, unpack_heard

FORMAT = PcmFormat(8000)
MEDIA = MediaInfo("PCMU", 8000, 20, srtp=False, sending=True, receiving=True)
HELD = MediaInfo("PCMU", 8000, 20, srtp=False, sending=False, receiving=True)
INCOMING = wire.Incoming(LegId(7), "c", "sip:x", "<sip:a>", "<sip:b>", (), "udp:1", 0.0)


@dataclass
class RecordedCall:
    """A SIP call that does nothing but remember."""

    media: MediaInfo | None = None
    stats: StreamQuality | None = None
    asked: list[tuple[object, ...]] = field(default_factory=list)

    def answer(self, status: int, reason: str = "", headers: Headers = ()) -> None:
        self.asked.append(("answer", status, reason, headers))

    def hangup(self, status: int = 0, reason: str = "", headers: Headers = ()) -> None:
        self.asked.append(("hangup",))

    def hold(self, held: bool) -> None:
        self.asked.append(("hold", held))

    def send_dtmf(self, digits: str, method: DtmfMethod | None = None) -> None:
        self.asked.append(("dtmf", digits))

    def transfer(self, uri: str, headers: Headers = ()) -> None:
        self.asked.append(("transfer", uri, headers))

    def renegotiate(self, codec: str, ptime_ms: int) -> None:
        self.asked.append(("renegotiate", codec, ptime_ms))

    def keep_media(self) -> None:
        self.asked.append(("keep_media",))

    def quality(self) -> StreamQuality | None:
        return self.stats


@dataclass
class BarePort:
    hear: Callable[[bytes], None] | None = None
    speak: Callable[[], bytes | None] | None = None


class Bench:
    """A leg and everything around it."""

    def __init__(self, *, outbound: bool = False) -> None:
        self.now = 100.0
        self.sent: list[wire.FromCard] = []
        self.closed: list[Leg] = []
        self.call, self.port = RecordedCall(), BarePort()
        tiers = ("ILBC/30", "GSM/20", "SPEEX/16000/20")
        context = LegContext(FORMAT, 5.0, lambda: self.now, self.sent.append, self.closed.append, tiers)
        self.leg = Leg(INCOMING, self.call, self.port, context, outbound=outbound)

    def answered(self) -> None:
        self.call.media = MEDIA
        self.leg.on_media(MEDIA)
        self.leg.on_state("connecting", 200, "OK")
        self.leg.on_state("confirmed", 200, "OK")

    def state(self) -> str:
        return self.leg.state

    def tick(self, count: int = 1) -> list[bytes | None]:
        frames = []
        for _ in range(count):
            assert self.port.speak is not None
            frames.append(self.port.speak())
            self.now += 0.02
            self.leg.after_tick(self.now)
        return frames


@pytest.fixture
def bench() -> Bench:
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


# ---- calls that we place ------------------------------------------------------------------------


@pytest.fixture
def calling() -> Bench:
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


def test_a_snapshot_says_who_called(calling: Bench, bench: Bench) -> None:
    assert calling.leg.snapshot().outbound
    assert not bench.leg.snapshot().outbound


# ---- transfer -----------------------------------------------------------------------------------


def transfers(bench: Bench) -> list[tuple[int, str, bool]]:
    return [(m.status, m.reason, m.final) for m in bench.sent if isinstance(m, wire.TransferProgress)]


def test_a_transfer_is_told_from_its_beginning_to_its_end(bench: Bench) -> None:
    bench.answered()
    bench.leg.transfer("sip:op1@pbx", (("X", "y"),))
    assert bench.call.asked == [("transfer", "sip:op1@pbx", (("X", "y"),))]
    bench.leg.on_transfer(100, "Accepted", final=False)
    bench.leg.on_transfer(200, "OK", final=True)
    bench.leg.on_transfer(200, "OK", final=True)
    assert transfers(bench) == [(100, "Accepted", False), (200, "OK", True)]


def test_one_transfer_at_a_time_and_only_of_a_connected_call(bench: Bench) -> None:
    with pytest.raises(PjsipError, match="not connected"):
        bench.leg.transfer("sip:a@b", ())
    bench.answered()
    bench.leg.transfer("sip:a@b", ())
    with pytest.raises(PjsipError, match="under way"):
        bench.leg.transfer("sip:a@b", ())
    bench.leg.on_transfer(603, "Decline", final=True)
    bench.leg.transfer("sip:c@d", ())
    bench.leg.hangup(200, "", drain=False)
    bench.leg.on_transfer(603, "Decline", final=True)
    with pytest.raises(PjsipError, match="not connected"):
        bench.leg.transfer("sip:a@b", ())


def test_a_far_end_that_never_says_how_it_went_is_given_up(bench: Bench) -> None:
    bench.answered()
    bench.leg.transfer("sip:a@b", ())
    bench.now += TRANSFER_TIMEOUT_S - 1
    bench.leg.each_second(bench.now)
    assert transfers(bench) == []
    bench.now += 1
    bench.leg.each_second(bench.now)
    assert transfers(bench) == [(408, "the far end did not say how it went", True)]
    bench.leg.each_second(bench.now + 100)
    assert len(transfers(bench)) == 1


def test_another_codec_is_asked_for_once_at_a_time() -> None:
    bench = Bench()
    bench.answered()
    bench.leg.set_tier("ILBC/30")
    assert bench.call.asked[-1] == ("renegotiate", "ILBC", 30)
    with pytest.raises(BusyError):
        bench.leg.set_tier("GSM/20")
    bench.leg.on_media(replace(MEDIA, codec="iLBC", ptime_ms=30))
    bench.leg.set_tier("SPEEX/16000/20")
    assert bench.call.asked[-1] == ("renegotiate", "SPEEX/16000", 20)


def test_a_refused_codec_is_told_with_its_status_and_may_be_followed_by_another() -> None:
    bench = Bench()
    bench.answered()
    bench.leg.set_tier("ILBC/30")
    bench.leg.on_refused(488, "Not Acceptable Here")
    assert bench.sent[-1] == wire.Refused(INCOMING.leg, "SetTier", "Not Acceptable Here", 488)
    assert bench.call.asked[-1] == ("keep_media",)
    bench.leg.set_tier("GSM/20")


def test_a_refusal_of_something_else_is_not_told() -> None:
    bench = Bench()
    bench.answered()
    before = len(bench.sent)
    bench.leg.on_refused(488, "Not Acceptable Here")
    assert len(bench.sent) == before


def test_no_codec_is_asked_for_on_hold_or_during_a_transfer() -> None:
    bench = Bench()
    bench.answered()
    bench.leg.hold(True)
    with pytest.raises(BusyError):
        bench.leg.set_tier("ILBC/30")
    bench.leg.hold(False)
    bench.leg.transfer("sip:op@192.0.2.9", ())
    with pytest.raises(BusyError):
        bench.leg.set_tier("ILBC/30")

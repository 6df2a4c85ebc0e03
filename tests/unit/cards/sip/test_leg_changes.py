"""Changes in the middle of a call: another target, another codec."""

from dataclasses import replace

import pytest

from gateway.cards.sip.contract import BusyError, PjsipError
from gateway.cards.sip.counters import TRANSFER_TIMEOUT_S
from gateway.wire import card as wire
from tests.unit.cards.sip.leg_bench import HELD, INCOMING, MEDIA, Bench


@pytest.fixture
def bench() -> Bench:
    """A leg whose call came in."""
    return Bench()


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


def holds(bench: Bench) -> list[object]:
    return [asked[1] for asked in bench.call.asked if asked[0] == "hold"]


@pytest.fixture(params=[False, True], ids=["inbound", "outbound"])
def talking(request: pytest.FixtureRequest) -> Bench:
    """A call that is answered."""
    bench = Bench(outbound=request.param)
    bench.answered()
    return bench


def test_a_resume_in_the_same_turn_as_a_hold_is_offered_once_the_hold_is_agreed_on(talking: Bench) -> None:
    talking.leg.hold(True)
    talking.leg.hold(False)
    talking.tick(5)
    assert holds(talking) == [True]
    talking.leg.on_media(HELD)
    talking.tick(5)
    assert holds(talking) == [True, False]
    talking.leg.on_media(MEDIA)
    talking.tick(200)
    assert holds(talking) == [True, False]


def test_a_hold_during_an_offer_of_another_codec_comes_after_it(talking: Bench) -> None:
    talking.leg.set_tier("ILBC/30")
    talking.leg.hold(True)
    talking.tick(5)
    assert holds(talking) == []
    talking.leg.on_refused(488, "Not Acceptable Here")
    talking.tick()
    assert holds(talking) == [True]
    with pytest.raises(BusyError):
        talking.leg.set_tier("GSM/20")


def test_a_hold_during_an_offer_of_the_far_end_is_made_later(talking: Bench) -> None:
    talking.call.offering = True
    talking.leg.hold(True)
    talking.tick(300)
    assert holds(talking) == []
    talking.call.offering = False
    talking.tick(300)
    assert holds(talking) == [True]


def test_a_hold_that_crosses_an_offer_of_the_far_end_is_repeated_after_a_pause(talking: Bench) -> None:
    talking.leg.hold(True)
    talking.leg.on_refused(491, "Request Pending")
    talking.tick(40)
    assert holds(talking) == [True]
    talking.tick(200)
    assert holds(talking) == [True, True]
    talking.leg.on_media(HELD)
    talking.leg.hold(False)
    talking.leg.on_refused(491, "Request Pending")
    talking.tick(200)
    assert holds(talking) == [True, True, False, False]
    assert not [message for message in talking.sent if isinstance(message, wire.Refused)]


def test_a_far_end_that_does_not_want_to_hold_is_told_of_and_left_alone(talking: Bench) -> None:
    talking.leg.hold(True)
    talking.leg.on_refused(488, "Not Acceptable Here")
    assert talking.sent[-1] == wire.Refused(INCOMING.leg, "Hold", "Not Acceptable Here", 488)
    talking.tick(300)
    assert holds(talking) == [True]
    talking.leg.set_tier("ILBC/30")


def test_only_a_call_that_is_connected_can_be_held(bench: Bench) -> None:
    with pytest.raises(PjsipError, match="not connected"):
        bench.leg.hold(True)
    bench.answered()
    bench.tick()
    bench.leg.hangup(200, "", drain=False)
    with pytest.raises(PjsipError, match="not connected"):
        bench.leg.hold(True)
    assert holds(bench) == []


def test_nobody_is_put_on_hold_any_more_who_is_being_hung_up(talking: Bench) -> None:
    talking.call.offering = True
    talking.leg.hold(True)
    talking.leg.hangup(200, "", drain=False)
    talking.call.offering = False
    talking.tick(300)
    assert holds(talking) == []

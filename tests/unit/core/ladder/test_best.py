"""Loss answered by the codec that is predicted best, and fewer bits on trial."""

import pytest

from gateway.core.ladder.commands import SipCoding
from gateway.core.ladder.sip import Busy, Refused
from tests.unit.core.ladder import paths
from tests.unit.core.ladder.test_sip import Leg

TWELVE = paths.report(loss=0.12)


@pytest.fixture
def leg() -> Leg:
    return Leg(lossy="best")


def lossy(leg: Leg, seconds: int, loss: float, while_wide: float | None = None) -> list[str]:
    """So much loss, or another one (`while_wide`) as long as G.711 is spoken."""
    asked = []
    for _ in range(seconds):
        wide = while_wide is not None and leg.ladder.coding.codec == "PCMU"
        asked += leg.seconds(1, paths.report(loss=while_wide if wide else loss))
    return asked


def test_g711_stays_when_a_little_is_lost(leg: Leg) -> None:
    assert leg.seconds(60, paths.report(loss=0.04)) == []
    assert leg.ladder.stuck


def test_wideband_goes_to_g711_and_back() -> None:
    leg = Leg(start=SipCoding("G722", 20), lossy="best")
    assert leg.seconds(60, paths.LOSSY) == ["PCMU/20"]
    assert leg.seconds(60, paths.GOOD) == ["G722/20"]


def test_loss_that_fewer_bits_do_away_with_keeps_them_until_the_path_is_good(leg: Leg) -> None:
    assert lossy(leg, 40, 0.015, while_wide=0.15) == ["ILBC/30"]
    assert leg.seconds(40, paths.GOOD) == ["PCMU/20"]


def test_a_path_that_polices_is_tried_again_ever_more_seldom(leg: Leg) -> None:
    lossy(leg, 900, 0.0, while_wide=0.15)
    ups = [at for at, coding in leg.asked if coding.codec == "PCMU"]
    assert 3 <= len(ups) <= 8
    assert leg.ladder.coding.codec == "ILBC"
    assert ups[-1] - ups[-2] > 2 * (ups[1] - ups[0])


def test_loss_that_stays_leads_back_and_is_not_tried_against_again_for_long(leg: Leg) -> None:
    leg.seconds(1600, TWELVE)
    steps = [(coding.codec, round(at)) for at, coding in leg.asked]
    assert [codec for codec, _ in steps] == ["ILBC", "PCMU"] * 3
    downs = [at for codec, at in steps if codec == "ILBC"]
    ups = [at for codec, at in steps if codec == "PCMU"]
    assert [up - down for down, up in zip(downs, ups, strict=True)] == [13, 13, 13]
    assert downs[1] - ups[0] == pytest.approx(300, abs=3)
    assert downs[2] - ups[1] == pytest.approx(600, abs=3)


def test_a_peak_that_passes_by_itself_is_no_proof(leg: Leg) -> None:
    assert leg.seconds(5, TWELVE) == ["ILBC/30"]
    assert leg.seconds(20, paths.LOSSY) == ["PCMU/20"]


def test_a_trial_on_a_path_that_turns_out_thin_is_none(leg: Leg) -> None:
    assert leg.seconds(5, TWELVE) == ["ILBC/30"]
    assert leg.seconds(20, paths.THIN_AND_LOSSY)[:1] == ["ILBC/60"]
    assert "PCMU" not in {coding.codec for _, coding in leg.asked}


def test_hold_makes_a_trial_longer(leg: Leg) -> None:
    assert leg.seconds(5, TWELVE) == ["ILBC/30"]
    leg.ladder.handle(Busy(True), leg.now)
    leg.seconds(60, TWELVE)
    leg.ladder.handle(Busy(False), leg.now)
    assert leg.seconds(11, TWELVE) == []
    assert leg.seconds(5, TWELVE) == ["PCMU/20"]


def test_who_refuses_fewer_bits_is_not_tried_upon(leg: Leg) -> None:
    leg.answer = lambda asked: Refused("unsupported")
    leg.seconds(100, TWELVE)
    assert leg.ladder.coding.codec == "PCMU"
    assert len({coding for _, coding in leg.asked}) == len(leg.asked), "each codec once"


def test_without_a_lean_codec_there_is_no_trial() -> None:
    leg = Leg(offered=("PCMU", "PCMA", "G722"), lossy="best")
    assert leg.seconds(100, paths.HEAVY) == []

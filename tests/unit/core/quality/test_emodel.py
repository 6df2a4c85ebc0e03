"""The E-model against the figures that the recommendation gives."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.quality.codecs import G711_BARE, codec_profile, residual_after_fec
from gateway.core.quality.emodel import R_DEFAULT, delay_impairment, equipment_impairment, mos, rating


def test_the_default_path_has_the_recommended_rating() -> None:
    assert rating(0.0) == pytest.approx(R_DEFAULT, abs=0.01)
    assert mos(rating(0.0)) == pytest.approx(4.41, abs=0.005)


@pytest.mark.parametrize(("r", "score"), [(90, 4.34), (80, 4.03), (70, 3.60), (60, 3.10), (50, 2.58)])
def test_scores_of_the_table_in_annex_b(r: float, score: float) -> None:
    assert mos(r) == pytest.approx(score, abs=0.0075)


@pytest.mark.parametrize(("r", "score"), [(-20, 1.0), (0, 1.0), (3, 1.0), (100, 4.5), (130, 4.5)])
def test_scores_stay_on_the_scale(r: float, score: float) -> None:
    assert mos(r) == score


def test_without_any_delay_only_the_listener_echo_remains() -> None:
    assert delay_impairment(0.0) == pytest.approx(0.149, abs=0.001)


def test_delay_hardly_matters_below_150_ms_and_much_beyond() -> None:
    assert rating(0) - rating(150) < 4
    # Idd of 400 ms by hand: X = 2, 25 (65^(1/6) - 3 (1 + (2/3)^6)^(1/6) + 2) = 24.1
    assert delay_impairment(400) - delay_impairment(100) > 24.1
    assert mos(rating(400)) < 3.3


def test_loss_without_concealment_by_hand() -> None:
    assert equipment_impairment(G711_BARE.ie, G711_BARE.bpl, 0.05) == pytest.approx(95 * 5 / (5 + 4.3))
    # G.729A with VAD has Ie 11 and Bpl 19.
    assert equipment_impairment(11, 19, 0.02) == pytest.approx(11 + 84 * 2 / 21)


def test_bursts_cost_more_than_single_losses() -> None:
    single, bursty = (equipment_impairment(0, 25.1, 0.05, ratio) for ratio in (1.0, 3.0))
    assert single == pytest.approx(15.78, abs=0.01)
    assert bursty == pytest.approx(95 * 5 / (5 / 3 + 25.1), abs=0.01)


# Below 20 ms, which no packet gets by, the echo formulas rise by up to 0.06 before they fall.
@given(st.floats(20, 2000), st.floats(0, 2000), st.floats(0, 1), st.floats(0, 1), st.floats(1, 10))
def test_more_delay_or_loss_is_never_better(
    delay: float, more_delay: float, loss: float, more_loss: float, burst: float
) -> None:
    worse_delay, worse_loss = delay + more_delay, min(1.0, loss + more_loss)
    better = rating(delay, equipment_impairment(0, 25.1, loss, burst))
    worse = rating(worse_delay, equipment_impairment(0, 25.1, worse_loss, burst))
    assert worse <= better + 1e-9
    assert mos(worse) <= mos(better) + 1e-9


@pytest.mark.parametrize(
    "name", ["PCMU", "pcma", "G722", "GSM", "iLBC", "speex/8000", "opus", "x-unheard-of"]
)
def test_every_codec_has_a_profile(name: str) -> None:
    profile = codec_profile(name)
    assert 0 <= profile.ie < 50
    assert profile.bpl > 0


def test_codecs_stand_in_the_order_that_a_ladder_needs() -> None:
    def r(name: str, loss: float, bitrate_bps: int | None = None) -> float:
        profile = codec_profile(name, bitrate_bps)
        return rating(50, equipment_impairment(profile.ie, profile.bpl, loss))

    assert r("PCMU", 0) > r("ILBC", 0) > r("SPEEX", 0) > r("GSM", 0)
    assert r("ILBC", 0.05) > r("SPEEX", 0.05) > r("GSM", 0.05)
    assert r("OPUS", 0, 32_000) == r("OPUS", 0, 24_000) > r("OPUS", 0, 20_000) > r("OPUS", 0, 12_000)


def test_fec_brings_back_single_losses_and_the_last_of_each_run() -> None:
    assert residual_after_fec(0.05, 1.0) == 0.0
    assert residual_after_fec(0.06, 3.0) == pytest.approx(0.04)

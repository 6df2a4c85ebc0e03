"""Which coding to try against which trouble."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.ladder.codings import (
    KNOWN,
    against_thinness,
    best_against_loss,
    family,
    predicted_rating,
    robust_against_loss,
    wire_bps,
)
from gateway.core.ladder.commands import SipCoding


def yes(_coding: SipCoding) -> bool:
    return True


@pytest.mark.parametrize(
    ("codec", "kbps"),
    [
        ("PCMU", {20: 80, 40: 72, 60: 69.3}),
        ("G722", {20: 80, 40: 72, 60: 69.3}),
        ("GSM", {20: 29.2, 40: 21.2, 60: 18.5}),
        ("ILBC", {30: 24, 60: 18.7}),
        ("SPEEX", {20: 24, 40: 16, 60: 13.3}),
    ],
)
def test_wire_rates_are_the_measured_ones(codec: str, kbps: dict[int, float]) -> None:
    assert {ptime: wire_bps(SipCoding(codec, ptime)) / 1000 for ptime in kbps} == pytest.approx(kbps, abs=0.1)


def chain(now: SipCoding, offered: Sequence[str], trouble: str, most_ptime_ms: int = 60) -> list[str]:
    """Every step down until there is none."""
    steps: list[str] = []
    coding: SipCoding | None = now
    while coding is not None:
        now = coding
        coding = (
            robust_against_loss(now, offered, yes)
            if trouble == "lossy"
            else against_thinness(now, offered, yes, most_ptime_ms)
        )
        if coding is not None:
            steps.append(f"{coding.codec}/{coding.ptime_ms}")
    return steps


@pytest.mark.parametrize(
    ("start", "offered", "steps"),
    [
        ("G722", KNOWN, ["PCMU/20", "ILBC/30"]),
        ("SPEEX/16000", ("PCMA", "PCMU", "ILBC"), ["PCMA/20", "ILBC/30"]),
        ("G722", ("G722", "ILBC"), ["ILBC/30"]),
        ("PCMU", KNOWN, ["ILBC/30"]),
        ("PCMU", ("PCMU", "GSM", "SPEEX"), []),
        ("GSM", KNOWN, ["ILBC/30"]),
    ],
)
def test_loss_leads_to_the_codec_that_bears_it(start: str, offered: Sequence[str], steps: list[str]) -> None:
    assert chain(SipCoding(start, 20), offered, "lossy") == steps


@pytest.mark.parametrize(
    ("start", "offered", "steps"),
    [
        ("PCMU", KNOWN, ["ILBC/30", "ILBC/60", "SPEEX/60"]),
        ("G722", ("G722", "SPEEX"), ["SPEEX/20", "SPEEX/40", "SPEEX/60"]),
        ("PCMU", ("PCMU", "PCMA"), ["PCMU/40", "PCMU/60"]),
        ("PCMU", ("PCMU", "GSM"), ["GSM/20", "GSM/40", "GSM/60"]),
        ("PCMA", ("PCMA", "ILBC"), ["ILBC/30", "ILBC/60"]),
        ("GSM", KNOWN, ["GSM/40", "SPEEX/40", "SPEEX/60"]),
        ("OPUS", ("PCMU",), []),
    ],
)
def test_thinness_leads_to_fewer_bits_and_longer_packets(
    start: str, offered: Sequence[str], steps: list[str]
) -> None:
    assert chain(SipCoding(start, 20), offered, "thin") == steps


def test_a_trunk_may_forbid_long_packets() -> None:
    assert chain(SipCoding("PCMU", 20), KNOWN, "thin", most_ptime_ms=40) == ["ILBC/30", "SPEEX/40"]


@given(
    st.sampled_from([*KNOWN, "G729"]),
    st.sampled_from([20, 30, 40, 60]),
    st.lists(st.sampled_from(KNOWN), unique=True),
    st.sampled_from([20, 40, 60]),
)
def test_every_step_against_thinness_takes_less_and_only_what_is_offered(
    codec: str, ptime_ms: int, offered: list[str], most_ptime_ms: int
) -> None:
    now = SipCoding(codec, ptime_ms)
    lean = against_thinness(now, offered, yes, most_ptime_ms)
    if lean is not None:
        assert wire_bps(lean) < wire_bps(now)
        assert lean.codec in (*offered, codec)
    robust = robust_against_loss(now, offered, yes)
    if robust is not None:
        assert robust.codec in offered
        assert family(robust.codec) in ("g711", "robust")


def best(now: str, loss: float, offered: Sequence[str] = KNOWN, burst_ratio: float = 1.0) -> str | None:
    codec, _, ptime_ms = now.rpartition("/")
    coding = SipCoding(codec, int(ptime_ms))
    found = best_against_loss(
        coding, offered, yes, 60, lambda each: predicted_rating(each, loss, burst_ratio)
    )
    return f"{found.codec}/{found.ptime_ms}" if found is not None else None


@pytest.mark.parametrize(
    ("now", "loss", "wanted"),
    [
        ("PCMU/20", 0.05, None),  # its concealment is as good, and it begins better
        ("PCMU/20", 0.15, None),
        ("PCMU/60", 0.05, None),
        ("PCMU/60", 0.15, "ILBC/30"),  # holes of 60 ms are not to be hidden
        ("G722/20", 0.05, "PCMU/20"),
        ("GSM/20", 0.05, "ILBC/30"),
        ("SPEEX/20", 0.05, "ILBC/30"),
        ("SPEEX/60", 0.05, "ILBC/60"),  # not back to short packets on a thin path
        ("ILBC/30", 0.30, None),
    ],
)
def test_the_best_codec_at_a_loss_of_about_as_many_bits(now: str, loss: float, wanted: str | None) -> None:
    assert best(now, loss) == wanted


def test_without_loss_nothing_is_better_than_what_there_is() -> None:
    for now in ("PCMU/20", "G722/20", "PCMA/20"):
        assert best(now, 0.0) is None


@given(st.sampled_from(KNOWN), st.sampled_from([20, 30, 40, 60]), st.floats(0, 1), st.floats(1, 10))
def test_the_best_is_heard_to_be_better_and_takes_no_more_than_a_path_may_have(
    codec: str, ptime_ms: int, loss: float, burst_ratio: float
) -> None:
    now = SipCoding(codec, ptime_ms)

    def rated(coding: SipCoding) -> float:
        return predicted_rating(coding, loss, burst_ratio)

    found = best_against_loss(now, KNOWN, yes, 60, rated)
    if found is not None:
        assert rated(found) >= rated(now) + 3
        assert wire_bps(found) <= 1.5 * wire_bps(now)

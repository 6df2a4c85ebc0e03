"""Impairments as text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.impair.impairment import Impairment, ImpairmentError, Stall
from gateway.impair.quantities import parse_bps, parse_impairment, parse_ms, parse_share, parse_stall


@pytest.mark.parametrize(("text", "share"), [("5%", 0.05), ("0.05", 0.05), (" 12.5 % ", 0.125), ("1", 1.0)])
def test_shares(text: str, share: float) -> None:
    assert parse_share(text) == pytest.approx(share)


@pytest.mark.parametrize(("text", "ms"), [("40ms", 40), ("0.5s", 500), ("250us", 0.25), ("1m", 60_000)])
def test_times(text: str, ms: float) -> None:
    assert parse_ms(text) == pytest.approx(ms)


@pytest.mark.parametrize(
    ("text", "bps"), [("64kbit", 64e3), ("1.5Mbit", 1.5e6), ("800bit/s", 800), ("2kbps", 0)]
)
def test_rates(text: str, bps: float) -> None:
    if bps:
        assert parse_bps(text) == pytest.approx(bps)
    else:
        with pytest.raises(ImpairmentError):
            parse_bps(text)


def test_stalls() -> None:
    assert parse_stall("2s@10s") == Stall(2.0, 10.0)
    assert parse_stall("200ms@1m") == Stall(0.2, 60.0)


def test_a_whole_impairment() -> None:
    parsed = parse_impairment("loss=5%, burst=3,jitter=40ms,reorder,rate=64kbit,stall=2s@10s")
    assert parsed == Impairment(
        loss=0.05, burst_packets=3, jitter_ms=40, reorder=True, rate_bps=64_000, stall=Stall(2, 10)
    )


def test_changes_leave_the_rest_of_the_base() -> None:
    base = Impairment(loss=0.05, delay_ms=80)
    assert parse_impairment("loss=10%,reorder=no", base) == Impairment(loss=0.1, delay_ms=80)
    assert parse_impairment("", base) == base


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("loss=5", "more than all; write 5%"),
        ("loss=-5%", "no share"),
        ("delay=40", "no time"),
        ("rate=64kb", "no rate"),
        ("stall=2s", "2s@10s"),
        ("stall=12s@10s", "shorter than"),
        ("burst=many", "no number"),
        ("reorder=maybe", "neither yes nor no"),
        ("lost=5%", "'lost' is no impairment; there are loss,"),
        ("delay", "needs a value"),
        ("loss=1%,loss=2%", "given twice"),
    ],
)
def test_mistakes_are_told_with_a_way_out(text: str, said: str) -> None:
    with pytest.raises(ImpairmentError, match=said):
        parse_impairment(text)


@given(
    st.text(max_size=30) | st.from_regex(r"(loss|delay|rate|stall|burst)=[0-9a-z@.%]{0,8}", fullmatch=True)
)
def test_any_text_is_parsed_or_refused(text: str) -> None:
    try:
        parsed = parse_impairment(text)
    except ImpairmentError:
        return
    assert 0 <= parsed.loss <= 1

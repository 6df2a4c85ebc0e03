"""Counters across streams, and the watch over a silent far end."""

from dataclasses import replace

from gateway.cards.sip.contract import StreamQuality
from gateway.cards.sip.counters import LegCounters, StallWatch

START = StreamQuality(
    rx_packets=0,
    rx_lost=0,
    rx_discarded=0,
    rx_jitter_ms=0.0,
    jitter_buffer_ms=0.0,
    tx_packets=0,
    tx_reports=0,
    tx_lost=-1,
    tx_jitter_ms=0.0,
)


def test_counters_go_on_when_a_new_stream_begins() -> None:
    counters = LegCounters()
    counters.add(replace(START, rx_packets=100, rx_lost=3, tx_packets=90, tx_lost=2, tx_reports=1))
    after = counters.add(replace(START, rx_packets=5, rx_jitter_ms=7.0, tx_packets=6))
    assert (after.rx_packets, after.rx_lost, after.tx_packets, after.tx_lost) == (105, 3, 96, 2)
    assert after.rx_jitter_ms == 7.0
    third = counters.add(replace(START, rx_packets=1, rx_lost=1))
    assert (third.rx_packets, third.rx_lost) == (106, 4)


def test_loss_stays_unknown_until_the_far_end_reports() -> None:
    counters = LegCounters()
    assert counters.add(replace(START, tx_packets=50)).tx_lost == -1
    assert counters.add(replace(START, tx_packets=60, tx_lost=4, tx_reports=1)).tx_lost == 4


def test_a_stall_is_told_once() -> None:
    watch = StallWatch(5.0, 0.0)
    quality = replace(START, rx_packets=10)
    assert watch.check(quality, 1.0, expected=True) is None
    assert watch.check(quality, 5.9, expected=True) is None
    assert watch.check(quality, 6.0, expected=True) == 5.0
    assert watch.check(quality, 30.0, expected=True) is None


def test_rtp_or_rtcp_is_life_and_a_second_stall_is_told_again() -> None:
    watch = StallWatch(5.0, 0.0)
    watch.check(START, 1.0, expected=True)
    assert watch.check(replace(START, tx_reports=1), 5.5, expected=True) is None
    assert watch.check(replace(START, tx_reports=1), 10.0, expected=True) is None
    assert watch.check(replace(START, tx_reports=1), 10.5, expected=True) == 5.0
    assert watch.check(replace(START, rx_packets=1, tx_reports=1), 11.0, expected=True) is None
    assert watch.check(replace(START, rx_packets=1, tx_reports=1), 16.5, expected=True) == 5.5


def test_the_watch_rests_while_nothing_need_come() -> None:
    watch = StallWatch(5.0, 0.0)
    assert watch.check(START, 100.0, expected=False) is None
    assert watch.check(START, 104.0, expected=True) is None
    assert watch.check(START, 105.0, expected=True) == 5.0


def test_no_stream_at_all_is_a_stall_too() -> None:
    watch = StallWatch(5.0, 0.0)
    assert watch.check(None, 4.0, expected=True) is None
    assert watch.check(None, 5.0, expected=True) == 5.0

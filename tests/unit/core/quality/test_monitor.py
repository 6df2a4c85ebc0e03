"""The monitor on readings as cards send them, in a time of its own."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.quality.codecs import codec_profile
from gateway.core.quality.emodel import equipment_impairment, rating
from gateway.core.quality.monitor import Coding, QualityMonitor, QualityReport
from gateway.core.quality.reading import StreamReading, round_trip_ms

PCMU = Coding(codec_profile("PCMU"))


class Stream:
    """A stream of 50 packets a second and the monitor over it."""

    def __init__(self, coding: Coding = PCMU) -> None:
        self.monitor = QualityMonitor(coding)
        self.now = 500.0
        self.reading = StreamReading(0, 0, reports=None)
        self.report: QualityReport

    def seconds(
        self, n: int, *, lost: int = 0, discarded: int = 0, runs: int = 0, **gauges: Any
    ) -> QualityReport:
        for _ in range(n):
            self.now += 1.0
            before = self.reading
            loss_runs = None if before.loss_runs is None else before.loss_runs + runs
            self.reading = replace(
                before,
                expected=before.expected + 50,
                lost=before.lost + lost,
                discarded=before.discarded + discarded,
                loss_runs=loss_runs,
                **gauges,
            )
            self.report = self.monitor.add(self.reading, self.now)
        return self.report


@pytest.fixture
def stream() -> Stream:
    return Stream()


def test_a_clean_stream(stream: Stream) -> None:
    report = stream.seconds(10, rtt_ms=20.0, jitter_buffer_ms=20.0)
    assert (report.loss, report.discarded, report.worst_loss, report.burst_ratio) == (0, 0, 0, 1.0)
    assert report.one_way_ms == pytest.approx(10 + 20 + 20)
    assert report.r_factor == pytest.approx(rating(50))
    assert report.mos > 4.3
    assert report.confidence == 1.0


def test_loss_shows_within_the_window_and_passes_with_it(stream: Stream) -> None:
    stream.seconds(10)
    assert stream.seconds(1, lost=5).loss == pytest.approx(5 / 300)
    assert stream.report.worst_loss == pytest.approx(0.1)
    assert stream.seconds(5, lost=5).loss == pytest.approx(0.1)
    assert stream.seconds(6).loss == 0.0
    assert stream.report.worst_loss == 0.0


def test_r_counts_what_is_lost_and_what_is_late(stream: Stream) -> None:
    report = stream.seconds(8, lost=2, discarded=1, rtt_ms=0.0)
    assert report.discarded == pytest.approx(0.02)
    assert report.r_factor == pytest.approx(rating(20, equipment_impairment(0, 25.1, 0.06)))


def test_bursts_are_told_from_single_losses() -> None:
    single, bursty = Stream(), Stream()
    for each in (single, bursty):
        each.reading = replace(each.reading, loss_runs=0)
    assert single.seconds(8, lost=6, runs=6).burst_ratio == 1.0
    assert bursty.seconds(8, lost=6, runs=2).burst_ratio == pytest.approx(3 * (1 - 0.12))
    assert bursty.report.mos < single.report.mos


def test_what_the_decoder_made_up_counts_instead_of_packets_where_it_is_known(stream: Stream) -> None:
    stream.reading = replace(stream.reading, concealed_ms=0.0)
    report = stream.seconds(1, lost=5)
    report = stream.seconds(8, lost=5, concealed_ms=0.0)
    assert report.loss == pytest.approx(0.1)
    assert report.concealed == 0.0
    assert report.r_factor == pytest.approx(rating(report.one_way_ms))
    for _ in range(8):
        made_up = stream.reading.concealed_ms
        assert made_up is not None
        report = stream.seconds(1, concealed_ms=made_up + 50.0)
    assert report.concealed == pytest.approx(0.05)


def test_fec_hides_single_losses_of_what_we_send() -> None:
    plain, fec = (
        Stream(Coding(codec_profile("opus"), 40)),
        Stream(Coding(codec_profile("opus"), 40, fec=True)),
    )
    assert fec.seconds(8, lost=5).mos > plain.seconds(8, lost=5).mos + 0.5


def test_a_stall_is_as_bad_as_it_gets_and_certain(stream: Stream) -> None:
    stream.seconds(8)
    stream.now += 3
    report = stream.monitor.add(replace(stream.reading, stalled=True), stream.now)
    assert report.stalled
    assert report.mos < 1.7
    assert report.confidence == 1.0


def test_queues_show_as_a_rise_of_the_round_trip(stream: Stream) -> None:
    assert stream.seconds(10, rtt_ms=40.0).queueing_ms == 0.0
    assert stream.seconds(10, rtt_ms=240.0).queueing_ms == pytest.approx(200, abs=10)
    assert stream.seconds(90, rtt_ms=240.0).queueing_ms == pytest.approx(0, abs=1), (
        "a longer route, not a queue"
    )


def test_a_measured_rise_of_the_delay_goes_before_the_round_trip(stream: Stream) -> None:
    assert stream.seconds(3).queueing_ms is None
    assert stream.seconds(3, rtt_ms=40.0, delay_rise_ms=120.0).queueing_ms == 120.0


def test_gauges_are_smoothed(stream: Stream) -> None:
    stream.seconds(10, jitter_ms=2.0)
    assert stream.seconds(1, jitter_ms=52.0).jitter_ms == pytest.approx(17.0)
    assert stream.seconds(12, jitter_ms=52.0).jitter_ms == pytest.approx(52.0, abs=1.0)


def test_confidence_grows_with_the_window_and_fades_without_news(stream: Stream) -> None:
    assert stream.seconds(1).confidence == 0.0
    assert stream.seconds(3).confidence == pytest.approx(0.5)
    assert stream.seconds(3).confidence == 1.0
    monitor = QualityMonitor(PCMU)
    for n in range(3):
        monitor.add(StreamReading(250 * n, 0, reports=n), 5.0 * n)
    confidences = [
        monitor.add(StreamReading(500 + 50 * n, 0, reports=2), 10.0 + n).confidence for n in range(14)
    ]
    assert confidences[:7] == [1.0] * 7
    assert confidences[9] == pytest.approx(0.5)
    assert confidences[-1] == 0.0


def test_rare_reports_of_the_far_end_are_compared_with_what_was_sent_between_them() -> None:
    monitor = QualityMonitor(PCMU)
    seen = []
    for second in range(1, 31):
        reports = second // 5
        seen.append(
            monitor.add(StreamReading(50 * second, 25 * reports, reports=reports), float(second)).loss
        )
    assert seen[14:] == [pytest.approx(0.1)] * 16


def test_a_new_stream_starts_anew_instead_of_counting_backwards(stream: Stream) -> None:
    stream.seconds(10, lost=10)
    stream.reading = StreamReading(0, 0)
    assert stream.seconds(1).loss == 0.0
    assert stream.seconds(3, lost=5).loss == pytest.approx(0.1)


numbers = st.integers(0, 10_000)
readings = st.builds(
    StreamReading,
    expected=numbers,
    lost=numbers,
    discarded=numbers,
    loss_runs=st.none() | numbers,
    concealed_ms=st.none() | st.floats(0, 1e6),
    jitter_ms=st.floats(0, 1e4),
    jitter_buffer_ms=st.floats(0, 1e4),
    rtt_ms=st.none() | st.floats(0, 1e5),
    stalled=st.booleans(),
    reports=st.none() | numbers,
)


@given(st.lists(st.tuples(readings, st.floats(0, 30)), max_size=20))
def test_no_reading_however_senseless_leaves_the_scales(steps: list[tuple[StreamReading, float]]) -> None:
    monitor, now = QualityMonitor(PCMU), 0.0
    for reading, gap in steps:
        now += gap
        report = monitor.add(reading, now)
        for share in (report.loss, report.discarded, report.worst_loss, report.confidence):
            assert 0 <= share <= 1
        assert 1 <= report.mos <= 4.5
        assert report.burst_ratio >= 1
        assert report.queueing_ms is None or report.queueing_ms >= 0


def test_round_trips_from_rtcp() -> None:
    # The example of RFC 3550 §6.4.1: A = b710:8000, LSR = b705:2000, DLSR = 0005:4000 (5.25 s).
    assert round_trip_ms(0xB7108000, 0xB7052000, 0x00054000) == pytest.approx(6125, abs=0.1)
    assert round_trip_ms(0xB7108000, 0, 0) is None
    assert round_trip_ms(0x00000800, 0xFFFFF800, 0x0800) == pytest.approx(2048 * 1000 / 65536)
    assert round_trip_ms(0x1000, 0x0800, 0x0900) == 0.0

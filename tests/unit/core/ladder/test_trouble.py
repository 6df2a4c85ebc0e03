"""Loss, thinness and jitter told apart."""

from dataclasses import replace

import pytest

from gateway.core.ladder.trouble import Thresholds, Trouble, judge, worst
from gateway.core.quality.codecs import codec_profile
from gateway.core.quality.monitor import Coding, QualityMonitor, QualityReport
from gateway.core.quality.reading import StreamReading
from gateway.impair.impairment import Impairment
from gateway.impair.model import Line
from tests.unit.core.ladder import paths

LIMITS = Thresholds()


@pytest.mark.parametrize(
    ("report", "trouble"),
    [
        (paths.GOOD, "good"),
        (paths.FAIR, "fair"),
        (paths.LOSSY, "lossy"),
        (paths.THIN, "thin"),
        (paths.THIN_AND_LOSSY, "thin"),
        (paths.JITTERY, "jittery"),
        (paths.STALLED, "stalled"),
        (paths.UNKNOWN, "unknown"),
        (paths.report(available_bps=60_000.0), "thin"),
        (paths.report(queueing_ms=60.0), "fair"),
        (paths.report(queueing_ms=None), "good"),
    ],
)
def test_each_report_has_its_trouble(report: QualityReport, trouble: Trouble) -> None:
    assert judge(report, LIMITS, 80_000).trouble == trouble


def test_the_worst_direction_counts_and_an_unknown_one_only_alone() -> None:
    verdicts = {name: judge(getattr(paths, name), LIMITS, 80_000) for name in ("GOOD", "LOSSY", "UNKNOWN")}
    assert worst([verdicts["GOOD"], verdicts["LOSSY"]]) is verdicts["LOSSY"]
    assert worst([verdicts["GOOD"], verdicts["UNKNOWN"]]) is verdicts["GOOD"]
    assert worst([verdicts["UNKNOWN"]]).trouble == "unknown"
    assert worst([]).trouble == "unknown"


def simulated(impairment: Impairment, measured: str, seconds: int = 40) -> set[Trouble]:
    """What is said of 80 kbit/s through a modelled network, once the monitor has settled.

    The first ten seconds are unimpaired, so that the least delay is known.
    """
    line, monitor = (
        Line(Impairment(delay_ms=impairment.delay_ms), 5),
        QualityMonitor(Coding(codec_profile("PCMU"))),
    )
    lost, jitter_ms, before, least, seen = 0, 0.0, None, float("inf"), set()
    for second in range(seconds):
        if second == 10:
            line.change(impairment)
        delays: list[float] = []
        for now in (second + n * 0.02 for n in range(50)):
            releases = line.releases(172, now)
            lost += not releases
            for at in releases:
                delays.append(1000 * (at - now))
                if before is not None:  # RFC 3550 §6.4.1
                    jitter_ms += (abs(delays[-1] - before) - jitter_ms) / 16
                before = delays[-1]
        least = min(least, *delays)
        reading = StreamReading((second + 1) * 50, lost, jitter_ms=jitter_ms)
        if measured == "rtt":
            reading = replace(reading, rtt_ms=delays[-1] + impairment.delay_ms)
        else:
            reading = replace(reading, delay_rise_ms=min(delays) - least)
        verdict = judge(monitor.add(reading, float(second)), LIMITS, 80_000)
        if second >= 20:
            seen.add(verdict.trouble)
    return seen


@pytest.mark.parametrize("measured", ["rtt", "delay_rise"])
@pytest.mark.parametrize(
    ("impairment", "trouble"),
    [
        (Impairment(delay_ms=30), "good"),
        (Impairment(loss=0.1), "lossy"),
        (Impairment(loss=0.15, delay_ms=100), "lossy"),
        (Impairment(jitter_ms=150, reorder=True), "jittery"),
        (Impairment(jitter_ms=400, reorder=True), "jittery"),
        (Impairment(rate_bps=64_000), "thin"),
        (Impairment(rate_bps=40_000, queue_ms=500), "thin"),
        (Impairment(rate_bps=64_000, loss=0.05), "thin"),
    ],
)
def test_modelled_networks_are_recognised_without_wavering(
    impairment: Impairment, trouble: Trouble, measured: str
) -> None:
    assert simulated(impairment, measured) == {trouble}


@pytest.mark.parametrize("jitter_ms", [60, 120, 200])
def test_jitter_that_keeps_the_order_is_neither_queue_nor_loss(jitter_ms: float) -> None:
    assert simulated(Impairment(jitter_ms=jitter_ms), "delay_rise") <= {"good", "fair", "jittery"}

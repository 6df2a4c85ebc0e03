"""The Opus ladder through good and bad minutes, in a time of its own."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.ladder.commands import UseRung
from gateway.core.ladder.opus import RUNGS, OpusLadder, OpusSettings
from gateway.core.quality.monitor import QualityReport
from tests.unit.core.ladder import paths


class Call:
    """A ladder that gets a report every second."""

    def __init__(self) -> None:
        self.now = 100.0
        self.ladder = OpusLadder(OpusSettings(), self.now)
        self.changes: list[tuple[float, UseRung]] = []

    def seconds(self, n: int, report: QualityReport) -> list[str]:
        """The rungs taken meanwhile."""
        taken = []
        for _ in range(n):
            for command in self.ladder.handle([report], self.now):
                self.changes.append((self.now, command))
                taken.append(command.rung.name)
            self.now += 1.0
        return taken


@pytest.fixture
def call() -> Call:
    return Call()


def test_the_rungs_are_those_of_the_measurements() -> None:
    assert [rung.name for rung in RUNGS] == ["32k/20ms", "24k/40ms", "20k/60ms", "12k/60ms"]
    assert [round(rung.wire_bps / 1000) for rung in RUNGS] == [58, 37, 29, 21]


def test_a_good_path_changes_nothing(call: Call) -> None:
    call.seconds(600, paths.GOOD)
    assert call.changes == []


def test_a_thin_path_goes_down_every_rung_and_up_again(call: Call) -> None:
    assert call.seconds(30, paths.THIN) == ["24k/40ms", "20k/60ms", "12k/60ms"]
    assert call.ladder.stuck
    assert call.seconds(120, paths.GOOD) == ["20k/60ms", "24k/40ms", "32k/20ms"]
    times = [at for at, _ in call.changes]
    assert [round(later - earlier) for earlier, later in pairwise(times)][:2] == [5, 5]
    assert not call.ladder.stuck


def test_a_lossy_path_gets_fec_and_no_more_than_that(call: Call) -> None:
    assert call.seconds(120, paths.LOSSY) == ["24k/40ms"]
    (_, change), *_ = call.changes
    assert change.rung.fec
    assert "lossy: loss 5.0%" in change.why
    assert call.ladder.stuck


def test_heavy_loss_goes_as_far_as_fec_reaches(call: Call) -> None:
    assert call.seconds(60, paths.HEAVY) == ["24k/40ms", "20k/60ms"]


def test_a_thin_and_lossy_path_stays_above_the_fec_limit(call: Call) -> None:
    assert call.seconds(60, paths.THIN_AND_LOSSY) == ["24k/40ms", "20k/60ms"]


def test_loss_on_the_lowest_rung_goes_back_to_fec_without_waiting(call: Call) -> None:
    call.seconds(30, paths.THIN)
    assert call.seconds(2, paths.LOSSY) == ["20k/60ms"]


@pytest.mark.parametrize("report", [paths.JITTERY, paths.FAIR, paths.UNKNOWN, paths.STALLED])
def test_jitter_silence_and_guesses_are_no_reason_to_move(call: Call, report: QualityReport) -> None:
    assert call.seconds(120, report) == []
    call.seconds(10, paths.LOSSY)
    assert call.seconds(120, report) == []


def test_an_oscillating_network_is_followed_ever_more_slowly(call: Call) -> None:
    minutes = 20
    for _ in range(minutes):
        call.seconds(25, paths.GOOD)
        call.seconds(35, paths.LOSSY)
    # Down, up, down again: that relapse doubled the patience, and 25 good seconds do not suffice any more.
    assert len(call.changes) == 3
    assert call.ladder.rung.fec


def test_two_directions_do_not_disturb_each_other() -> None:
    down, up = Call(), Call()
    for _ in range(60):
        down.seconds(1, paths.THIN)
        up.seconds(1, paths.GOOD)
    assert (len(down.changes), len(up.changes)) == (3, 0)


REPORTS = [
    paths.GOOD, paths.FAIR, paths.LOSSY, paths.HEAVY, paths.THIN, paths.THIN_AND_LOSSY, paths.JITTERY,
    paths.STALLED, paths.UNKNOWN,
]  # fmt: skip


@given(st.lists(st.tuples(st.sampled_from(REPORTS), st.integers(1, 60)), max_size=40))
def test_whatever_happens_the_rules_hold(phases: list[tuple[QualityReport, int]]) -> None:
    call = Call()
    index, poor_s = 0, 0
    for report, seconds in phases:
        for _ in range(seconds):
            before = len(call.changes)
            call.seconds(1, report)
            known = report.confidence >= 0.5 and not report.stalled
            for _, change in call.changes[before:]:
                step, index = RUNGS.index(change.rung) - index, RUNGS.index(change.rung)
                assert abs(step) == 1
                assert change.rung.bitrate_bps >= 17_000 or report.loss <= 0.02
            poor_s = (
                poor_s + 1 if known and report.loss > 0.02 and call.ladder.rung.bitrate_bps < 17_000 else 0
            )
            assert poor_s <= 5, "no longer than the space between two changes"
    assert all(later - earlier >= 5.0 for (earlier, _), (later, _) in pairwise(call.changes))

"""What is wrong with a path: too little of it, holes in it, or unsteadiness. Pure.

- thin: packets queue up. Even the fastest ones of some seconds come well after the fastest of the last
  minute, and by more than jitter explains. Or somebody who estimates says that the path carries less than
  we send.
- lossy: packets vanish without queueing first (radio, broken equipment).
- jittery: all packets come, at odd times.

Between good and bad lies a band that is neither, so that a path at the border moves nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from gateway.core.quality.monitor import QualityReport

Trouble = Literal["good", "fair", "jittery", "lossy", "thin", "stalled", "unknown"]

_SEVERITY: Final[tuple[Trouble, ...]] = ("unknown", "good", "fair", "jittery", "lossy", "thin", "stalled")


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Where trouble begins; and where it has ended, which is further down."""

    bad_loss: float = 0.03
    good_loss: float = 0.01
    thin_queueing_ms: float = 100.0
    good_queueing_ms: float = 40.0
    queueing_per_jitter: float = 4.0
    """A rise of the delay below so many times the jitter is jitter, when only a few round trips tell."""
    bad_jitter_ms: float = 30.0
    good_jitter_ms: float = 20.0
    bad_discarded: float = 0.02
    good_discarded: float = 0.005
    least_confidence: float = 0.5
    """Reports below say nothing."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The state of a path, and its figures for those who ask why."""

    trouble: Trouble
    loss: float = 0.0
    queueing_ms: float = 0.0
    jitter_ms: float = 0.0
    burst_ratio: float = 1.0
    """Mean run of losses over what chance alone makes."""

    def describe(self) -> str:
        """In a few words, for timelines."""
        return (
            f"{self.trouble}: loss {self.loss:.1%}, queues {self.queueing_ms:.0f} ms, "
            f"jitter {self.jitter_ms:.0f} ms"
        )


def judge(report: QualityReport, thresholds: Thresholds, wire_bps: float) -> Verdict:
    """One direction; wire_bps: what we send on it, headers included."""
    queueing_ms = report.queueing_ms or 0.0
    return Verdict(
        _trouble(report, queueing_ms, thresholds, wire_bps),
        report.loss,
        queueing_ms,
        report.jitter_ms,
        report.burst_ratio,
    )


def _trouble(report: QualityReport, queueing_ms: float, limits: Thresholds, wire_bps: float) -> Trouble:
    if report.stalled:
        return "stalled"
    if report.confidence < limits.least_confidence:
        return "unknown"
    steady_ms = limits.queueing_per_jitter * report.jitter_ms
    too_slow = report.available_bps is not None and report.available_bps < wire_bps
    if too_slow or (queueing_ms >= limits.thin_queueing_ms and queueing_ms >= steady_ms):
        return "thin"
    if report.loss >= limits.bad_loss:
        return "lossy"
    if report.jitter_ms >= limits.bad_jitter_ms or report.discarded >= limits.bad_discarded:
        return "jittery"
    good = (
        report.loss <= limits.good_loss
        and queueing_ms <= limits.good_queueing_ms
        and report.jitter_ms <= limits.good_jitter_ms
        and report.discarded <= limits.good_discarded
    )
    return "good" if good else "fair"


def worst(verdicts: Sequence[Verdict]) -> Verdict:
    """Of several directions; those that nothing is known about count only if there are no others."""
    return max(
        verdicts, key=lambda each: (_SEVERITY.index(each.trouble), each.loss), default=Verdict("unknown")
    )

"""The ladder of one direction of a WebRTC leg: Opus bitrate, packet time and FEC, no renegotiation. Pure.

    thin               → one rung down: fewer bits and, above all, fewer packets
    lossy              → down to the first rung with FEC; under heavy loss further, as far as FEC reaches
    good for a while   → one rung up
    loss over the FEC limit on a rung too poor for FEC → back to one that has it, without waiting

A rung below the FEC limit is for paths that are thin and not lossy.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from gateway.core.ladder.commands import OpusRung, UseRung
from gateway.core.ladder.pace import Direction, Pace, PaceSettings
from gateway.core.ladder.trouble import Thresholds, Verdict, judge, worst
from gateway.core.quality.monitor import QualityReport

RUNGS: Final = (
    OpusRung(32_000, 20, fec=False),
    OpusRung(24_000, 40, fec=True),
    OpusRung(20_000, 60, fec=True),
    OpusRung(12_000, 60, fec=False),
)


@dataclass(frozen=True, slots=True)
class OpusSettings:
    """The ladder, from the best rung to the most frugal."""

    rungs: tuple[OpusRung, ...] = RUNGS
    start: int = 0
    fec_limit_bps: int = 17_000
    """Below, Opus has no room for FEC."""
    fec_loss: float = 0.02
    """With more loss than this no rung below the FEC limit is used."""
    heavy_loss: float = 0.10
    """Reason to go further down even with FEC."""
    thresholds: Thresholds = field(default_factory=Thresholds)
    pace: PaceSettings = field(default_factory=PaceSettings)


class OpusLadder:
    """One direction of one leg; times are monotonic seconds."""

    def __init__(self, settings: OpusSettings, now: float) -> None:
        self._settings = settings
        self._index = settings.start
        self._pace = Pace(settings.pace, now)
        self.stuck = False
        """There is trouble, and no rung that would help against it."""

    @property
    def rung(self) -> OpusRung:
        """What should be sent now."""
        return self._settings.rungs[self._index]

    def handle(self, reports: Sequence[QualityReport], now: float) -> list[UseRung]:
        """The reports of this second about this direction: the receiver's, or ours and the far end's."""
        rate = self.rung.wire_bps
        verdict = worst([judge(report, self._settings.thresholds, rate) for report in reports])
        if verdict.trouble in ("stalled", "unknown"):
            self._pace.forget()
            self.stuck = verdict.trouble == "stalled"
            return []
        down, rescue = self._down(verdict), self._rescue(verdict)
        trouble = verdict.trouble in ("lossy", "thin")
        self.stuck = trouble and down is None and rescue is None
        self._pace.observe(trouble=trouble, remedy=down is not None, good=verdict.trouble == "good", now=now)
        if rescue is not None:
            return self._move(rescue, "down", verdict, now) if self._pace.free(now) else []
        due = self._pace.due(now)
        if due == "down" and down is not None:
            return self._move(down, "down", verdict, now)
        if due == "up" and self._index > 0:
            return self._move(self._index - 1, "up", verdict, now)
        return []

    def _allowed(self, index: int, loss: float) -> bool:
        settings = self._settings
        return loss <= settings.fec_loss or settings.rungs[index].bitrate_bps >= settings.fec_limit_bps

    def _rescue(self, verdict: Verdict) -> int | None:
        """The nearest rung above that the loss allows, when it does not allow this one."""
        if self._allowed(self._index, verdict.loss):
            return None
        above = range(self._index - 1, -1, -1)
        return next((index for index in above if self._allowed(index, verdict.loss)), None)

    def _down(self, verdict: Verdict) -> int | None:
        """The rung below, if the trouble is one that it helps against."""
        below = self._index + 1
        if below >= len(self._settings.rungs) or not self._allowed(below, verdict.loss):
            return None
        if verdict.trouble == "thin":
            return below
        if verdict.trouble != "lossy" or not self._settings.rungs[below].fec:
            return None
        return below if not self.rung.fec or verdict.loss >= self._settings.heavy_loss else None

    def _move(self, index: int, direction: Direction, verdict: Verdict, now: float) -> list[UseRung]:
        self._index = index
        self._pace.moved(direction, now)
        return [UseRung(self.rung, verdict.describe())]

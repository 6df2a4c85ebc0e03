"""How good a call's line was from second to second, in a bounded number of points. Pure."""

from dataclasses import dataclass
from typing import Final

MAX_POINTS: Final = 600
"""Of calls longer than so many seconds, ever more seconds share a point."""


@dataclass(frozen=True, slots=True)
class QualityPoint:
    """One or more seconds of both directions; of several seconds the worst.

    received: what we hear · sent: what the far end hears, None while it has not told.
    """

    at_ms: float
    """From the call's start to the end of these seconds."""
    received_loss: float
    """Share of packets, 0 to 1."""
    sent_loss: float | None
    received_mos: float
    sent_mos: float | None
    rtt_ms: float | None
    jitter_ms: float
    tier: str
    """What was sent, as cards name it: `PCMU/20`, `24k/40ms`."""

    @property
    def mos(self) -> float:
        """Of the worse direction."""
        return self.received_mos if self.sent_mos is None else min(self.received_mos, self.sent_mos)


class QualityTrack:
    """Of one leg, from its answer to its end."""

    def __init__(self) -> None:
        self._points: list[QualityPoint] = []
        self._open: QualityPoint | None = None
        """Gathers seconds until they make a point."""
        self._seconds = 0
        self._per_point = 1
        self._mos_sum, self._mos_count = 0.0, 0
        self.mos_min: float | None = None
        """Of the worse direction in the worst second."""

    @property
    def points(self) -> tuple[QualityPoint, ...]:
        """In order of time."""
        return tuple(self._points) if self._open is None else (*self._points, self._open)

    @property
    def mos_mean(self) -> float | None:
        """Of the worse direction, over all seconds."""
        return self._mos_sum / self._mos_count if self._mos_count else None

    def add(self, point: QualityPoint) -> None:
        """One more second."""
        self._mos_sum, self._mos_count = self._mos_sum + point.mos, self._mos_count + 1
        self.mos_min = point.mos if self.mos_min is None else min(self.mos_min, point.mos)
        self._open = point if self._open is None else _worse(self._open, point)
        self._seconds += 1
        if self._seconds < self._per_point:
            return
        self._points.append(self._open)
        self._open, self._seconds = None, 0
        if len(self._points) >= MAX_POINTS:
            pairs = zip(self._points[::2], self._points[1::2], strict=True)
            self._points = [_worse(one, other) for one, other in pairs]
            self._per_point *= 2


def _worse(one: QualityPoint, other: QualityPoint) -> QualityPoint:
    return QualityPoint(
        at_ms=other.at_ms,
        received_loss=max(one.received_loss, other.received_loss),
        sent_loss=_max(one.sent_loss, other.sent_loss),
        received_mos=min(one.received_mos, other.received_mos),
        sent_mos=_min(one.sent_mos, other.sent_mos),
        rtt_ms=_max(one.rtt_ms, other.rtt_ms),
        jitter_ms=max(one.jitter_ms, other.jitter_ms),
        tier=other.tier,
    )


def _max(one: float | None, other: float | None) -> float | None:
    return max((each for each in (one, other) if each is not None), default=None)


def _min(one: float | None, other: float | None) -> float | None:
    return min((each for each in (one, other) if each is not None), default=None)

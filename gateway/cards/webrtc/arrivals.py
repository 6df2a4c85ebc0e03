"""Counters of a received RTP stream: loss and jitter (RFC 3550 appendix A.3 and A.8). Pure."""

from collections import OrderedDict, deque
from typing import Final

_BASELINE_S: Final = 60.0
_MOST_MISSING: Final = 64
_REORDERED_S: Final = 0.03
"""What comes sooner was overtaken."""
_HALF: Final = 1 << 15
_SEQUENCES: Final = 1 << 16
_CLOCK_WRAP: Final = 1 << 32


class Arrivals:
    """One stream."""

    def __init__(self, clock_rate_hz: int) -> None:
        self._clock_rate_hz = clock_rate_hz
        self.packets = 0
        self._first: int | None = None
        self._newest = 0
        self._cycles = 0
        self._transit: int | None = None
        self._jitter = 0.0
        self.loss_runs = 0
        """Gaps in the sequence; one that is filled later, by order or by a retransmission, counts too."""
        self.repaired = 0
        """Packets that came so long after those behind them that they must have been sent again."""
        self._missing: OrderedDict[int, float] = OrderedDict()
        """Sequence numbers that were left out lately, and when that was seen."""
        self._reference: int | None = None
        self._fastest_s: float | None = None
        """Of this second; delays in seconds against the first packet."""
        self._baseline: deque[tuple[float, float]] = deque()
        """(second, its fastest packet) of the last minute."""

    @property
    def lost(self) -> int:
        """Packets expected and not received, less duplicates."""
        if self._first is None:
            return 0
        return max(0, self._cycles + self._newest - self._first + 1 - self.packets)

    @property
    def jitter_ms(self) -> float:
        """Interarrival jitter."""
        return self._jitter * 1000 / self._clock_rate_hz

    def add(self, sequence: int, timestamp: int, now: float) -> None:
        """A packet arrived."""
        self.packets += 1
        if self._first is None:
            self._first = self._newest = sequence
        elif (missed_at := self._missing.pop(sequence, None)) is not None:
            self.repaired += now - missed_at >= _REORDERED_S
        elif (sequence - self._newest) % _SEQUENCES < _HALF:
            self._miss(sequence, now)
            self._cycles += _SEQUENCES if sequence < self._newest else 0
            self.loss_runs += (sequence - self._newest) % _SEQUENCES > 1
            self._newest = sequence
        transit = (int(now * self._clock_rate_hz) - timestamp) % _CLOCK_WRAP
        if self._transit is not None:
            change = (transit - self._transit) % _CLOCK_WRAP
            change = min(change, _CLOCK_WRAP - change)
            self._jitter += (change - self._jitter) / 16
        self._transit = transit
        self._keep_delay(transit)

    def _miss(self, sequence: int, now: float) -> None:
        """Remember what was left out before this packet."""
        gap = (sequence - self._newest) % _SEQUENCES
        for behind in range(min(gap - 1, _MOST_MISSING), 0, -1):
            self._missing[(sequence - behind) % _SEQUENCES] = now
        while len(self._missing) > _MOST_MISSING:
            self._missing.popitem(last=False)

    def _keep_delay(self, transit: int) -> None:
        if self._reference is None:
            self._reference = transit
        ticks = (transit - self._reference + _CLOCK_WRAP // 2) % _CLOCK_WRAP - _CLOCK_WRAP // 2
        delay_s = ticks / self._clock_rate_hz
        if self._fastest_s is None or delay_s < self._fastest_s:
            self._fastest_s = delay_s

    def delay_rise_ms(self, now: float) -> float | None:
        """By how much the fastest packet since the last question was slower than that of the last minute.

        None if none came. Jitter lets some packet through early; a queue that stands lets none.
        """
        fastest_s, self._fastest_s = self._fastest_s, None
        baseline = self._baseline
        while baseline and now - baseline[0][0] > _BASELINE_S:
            baseline.popleft()
        if fastest_s is None:
            return None
        baseline.append((now, fastest_s))
        return (fastest_s - min(delay_s for _, delay_s in baseline)) * 1000

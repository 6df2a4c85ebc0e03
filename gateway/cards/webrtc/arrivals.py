"""Counters of a received RTP stream: loss and jitter (RFC 3550 appendix A.3 and A.8). Pure."""

from typing import Final

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
        elif (sequence - self._newest) % _SEQUENCES < _HALF:
            self._cycles += _SEQUENCES if sequence < self._newest else 0
            self._newest = sequence
        transit = (int(now * self._clock_rate_hz) - timestamp) % _CLOCK_WRAP
        if self._transit is not None:
            change = (transit - self._transit) % _CLOCK_WRAP
            change = min(change, _CLOCK_WRAP - change)
            self._jitter += (change - self._jitter) / 16
        self._transit = transit

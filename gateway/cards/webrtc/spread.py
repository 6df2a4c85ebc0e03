"""How unevenly packets arrive: the delay of each beyond the shortest one lately. Pure, time injected.

Delay = arrival minus RTP timestamp, whose zero nobody knows; so only differences count. Shortest and
longest are kept for the current and the previous few seconds, so that drifting clocks and changed routes
are forgotten.
"""

from typing import Final

_WINDOW: Final = 250
"""Packets after which the older half of the memory is dropped."""
_CLOCK_WRAP: Final = 1 << 32


class DelaySpread:
    """Delays of one stream, in seconds relative to its first packet."""

    def __init__(self, clock_rate_hz: int) -> None:
        self._clock_rate_hz = clock_rate_hz
        self._first_ticks: int | None = None
        self._count = 0
        self._now = self._before = (0.0, 0.0)
        """(shortest, longest) of this window and of the one before."""

    @property
    def shortest_s(self) -> float:
        """The least delay lately."""
        return min(self._now[0], self._before[0])

    @property
    def peak_s(self) -> float:
        """How much longer the longest delay was."""
        return max(self._now[1], self._before[1]) - self.shortest_s

    def delay_s(self, timestamp: int, now: float) -> float:
        """Delay of a packet that arrived at `now`."""
        ticks = int(now * self._clock_rate_hz) - timestamp
        if self._first_ticks is None:
            self._first_ticks = ticks
        change = (ticks - self._first_ticks + _CLOCK_WRAP // 2) % _CLOCK_WRAP - _CLOCK_WRAP // 2
        return change / self._clock_rate_hz

    def learn(self, delay_s: float) -> None:
        """Remember a delay."""
        if self._count % _WINDOW == 0:
            self._before = self._now if self._count else (delay_s, delay_s)
            self._now = (delay_s, delay_s)
        self._count += 1
        shortest, longest = self._now
        if delay_s < shortest or delay_s > longest:
            self._now = (min(shortest, delay_s), max(longest, delay_s))

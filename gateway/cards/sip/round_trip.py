"""The round trip that PJSIP measures by RTCP, as far as it can be believed. Pure.

PJSIP cuts a measurement that is more than three times the mean of those before it down to that
(`PJMEDIA_RTCP_NORMALIZE_FACTOR`), and only what is left can be read: a value at this limit is known to be
longer, not how long. A mean of a loopback's fraction of a millisecond makes 2 ms of any later delay.
"""

from dataclasses import dataclass
from typing import Final

_FACTOR: Final = 3
_TELLING_MS: Final = 15.0
"""A limit below this says nothing about a network."""


@dataclass(frozen=True, slots=True)
class RttStat:
    """PJSIP's statistics of a stream, in µs."""

    count: int
    """Measurements so far: one with each report that answers one of ours."""
    last_us: int
    mean_us: int


NO_ROUND_TRIP: Final = RttStat(0, 0, 0)
"""None so far."""


class RoundTrip:
    """Of one leg; streams may follow each other."""

    def __init__(self) -> None:
        self._seen = NO_ROUND_TRIP
        self.rtt_ms: float | None = None
        """The latest one, or the least that it can be; None while nothing is known."""

    def read(self, stat: RttStat) -> None:
        """Take the statistics as they are now."""
        before = self._seen if stat.count >= self._seen.count else NO_ROUND_TRIP
        if stat.count == before.count:
            return
        self._seen = stat
        limit_us = before.mean_us * _FACTOR if before.count else None
        cut = limit_us is not None and stat.last_us >= limit_us - 1
        if not cut or stat.last_us >= _TELLING_MS * 1000:
            self.rtt_ms = stat.last_us / 1000
        else:
            self.rtt_ms = None

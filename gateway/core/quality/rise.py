"""Tells queues from senders that fall behind. Pure.

A one-way delay is arrival minus RTP timestamp. It rises when packets wait in a queue, but also when the
sender's clock stands still for a while: a browser that is short of CPU leaves out samples, and every later
packet seems to be late by as much, for good. A queue makes the round trip longer as well; such a sender
does not.
"""

from collections import deque
from typing import Final

_REMEMBERED_S: Final = 60.0


class DelayRise:
    """Of one direction; times are monotonic seconds."""

    def __init__(self) -> None:
        self._round_trips: deque[tuple[float, float]] = deque()
        """(time, ms), rising: the first one is the least of the last minute."""

    def believe(self, rise_ms: float | None, rtt_ms: float | None, now: float) -> float | None:
        """What of a rise the round trip bears out; all of it while no round trip is known."""
        trips = self._round_trips
        while trips and now - trips[0][0] > _REMEMBERED_S:
            trips.popleft()
        if rtt_ms is None:
            return rise_ms
        while trips and trips[-1][1] >= rtt_ms:
            trips.pop()
        trips.append((now, rtt_ms))
        return None if rise_ms is None else min(rise_ms, rtt_ms - trips[0][1])

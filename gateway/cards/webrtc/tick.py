"""The media clock of a card: when the 20 ms ticks are due. Pure, time injected.

Deadlines are multiples of the period from the start, so that it never drifts. After a pause of the
process a few ticks are made up for; the rest is given up and counted, since old audio is no use.
"""

from typing import Final

_MAX_MADE_UP: Final = 5


class TickSchedule:
    """Counts the ticks of one clock."""

    def __init__(self, period_s: float, now: float) -> None:
        self._period_s = period_s
        self._start_s = now
        self._done = 0
        self.jumped = 0
        """Ticks given up."""

    @property
    def deadline_s(self) -> float:
        """When the next tick is due."""
        return self._start_s + (self._done + 1) * self._period_s

    def due(self, now: float) -> int:
        """How many ticks have become due; they count as done from now on."""
        behind = int((now - self._start_s) / self._period_s + 1e-6) - self._done
        if behind <= 0:
            return 0
        self._done += behind
        made_up = min(behind, _MAX_MADE_UP)
        self.jumped += behind - made_up
        return made_up

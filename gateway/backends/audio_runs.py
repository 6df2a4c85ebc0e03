"""Names for the runs of a voice whose service sends audio and never says where an answer ends. Pure.

A run ends when the service says so in its own way, or when what came would have been played and
nothing followed for a while. Times are monotonic seconds.
"""

from typing import Final

GAP_S: Final = 0.2
"""Longer than the hiccups of a network, shorter than a pause between two answers."""


_AFTER_FLUSH_S: Final = 0.3
"""Added to the gap once: what was under way when it was cut off may stutter before it goes on."""


class AudioRuns:
    """Numbers the runs of one session; each is one item for the playout."""

    def __init__(self, prefix: str, gap_s: float = GAP_S) -> None:
        """`prefix`: what the names of the items begin with. `gap_s`: the pause that ends a run."""
        self._prefix = prefix
        self._gap_s = gap_s
        self._count = 0
        self._plays_until = 0.0
        """When all that came would have been played."""
        self._speaks_until = 0.0
        """The same without the silence at its end."""
        self.current: str | None = None
        """The run that goes on."""

    def add(self, duration_s: float, now: float) -> tuple[str | None, str]:
        """Audio came: the run that had ended before it, if one had, and the run it belongs to."""
        ended = self.handle_timeout(now)
        if self.current is None:
            self._count += 1
            self.current = f"{self._prefix}_{self._count}"
            self._plays_until = now
        self._plays_until = max(self._plays_until, now) + duration_s
        self._speaks_until = self._plays_until
        return ended, self.current

    def add_silence(self, duration_s: float, now: float) -> tuple[str | None, str | None]:
        """Silence came: the run that has ended, and the run it belongs to; neither keeps it going."""
        ended = self.handle_timeout(now)
        self._plays_until = max(self._plays_until, now) + duration_s
        return ended, self.current

    def end(self) -> str | None:
        """The run is complete; its name, if there was one."""
        ended, self.current = self.current, None
        return ended

    def flushed(self, now: float) -> None:
        """What came has been thrown away: audio that follows a pause from now on is another run."""
        self._plays_until = self._speaks_until = now + _AFTER_FLUSH_S

    def next_deadline(self) -> float | None:
        """When `handle_timeout` has something to do."""
        return None if self.current is None else self._speaks_until + self._gap_s

    def handle_timeout(self, now: float) -> str | None:
        """The run that has ended by silence, if it has."""
        deadline = self.next_deadline()
        return self.end() if deadline is not None and now >= deadline else None

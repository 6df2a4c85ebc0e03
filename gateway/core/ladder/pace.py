"""When a ladder may move: quickly down, slowly up, more slowly after each relapse. Pure."""

from dataclasses import dataclass
from typing import Literal

Direction = Literal["down", "up"]


@dataclass(frozen=True, slots=True)
class PaceSettings:
    """How patient a ladder is."""

    spacing_s: float = 5.0
    """Between any two changes."""
    down_after_s: float = 2.0
    """Of trouble without a break."""
    up_after_s: float = 20.0
    """Of good quality without a break, for each step."""
    patience_factor: float = 2.0
    """How much longer the next step up takes after a relapse."""
    most_patience_s: float = 160.0
    relapse_s: float = 60.0
    """A step down so soon after one up is a relapse."""
    forgiven_s: float = 600.0
    """After so long without trouble, relapses are forgotten."""


class Pace:
    """The clock of one ladder; times are monotonic seconds."""

    def __init__(self, settings: PaceSettings, now: float) -> None:
        self._settings = settings
        self._patience_s = settings.up_after_s
        self._bad_since: float | None = None
        self._good_since: float | None = None
        self._free_at = now
        self._up_at: float | None = None
        self._trouble_at = now

    @property
    def patience_s(self) -> float:
        """How long quality must be good for the next step up."""
        return self._patience_s

    def observe(self, *, trouble: bool, remedy: bool, good: bool, now: float) -> None:
        """How the path is now; remedy: whether a step down would help against the trouble."""
        bad = trouble and remedy
        self._bad_since = (now if self._bad_since is None else self._bad_since) if bad else None
        self._good_since = (now if self._good_since is None else self._good_since) if good else None
        if trouble:
            self._trouble_at = now
        elif now - self._trouble_at >= self._settings.forgiven_s:
            self._patience_s = self._settings.up_after_s

    def free(self, now: float) -> bool:
        """Whether any change may be made."""
        return now >= self._free_at

    def due(self, now: float) -> Direction | None:
        """Which way it is time to go, if any."""
        if not self.free(now):
            return None
        if self._bad_since is not None and now - self._bad_since >= self._settings.down_after_s:
            return "down"
        if self._good_since is not None and now - self._good_since >= self._patience_s:
            return "up"
        return None

    def moved(self, direction: Direction, now: float) -> None:
        """A change was made."""
        self.pause(now + self._settings.spacing_s)
        self._bad_since = self._good_since = None
        if direction == "up":
            self._up_at = now
            return
        if self._up_at is not None and now - self._up_at <= self._settings.relapse_s:
            longer_s = self._patience_s * self._settings.patience_factor
            self._patience_s = min(longer_s, self._settings.most_patience_s)
            self._up_at = None

    def pause(self, until: float) -> None:
        """No change before."""
        self._free_at = max(self._free_at, until)

    def forget(self) -> None:
        """What was observed does not hold any more (hold, a new path)."""
        self._bad_since = self._good_since = None

"""When no rung helps: says, a few times at most, that something else has to be done. Pure.

What that is each time (tell the caller, offer a call back, a human) is the dialplan's business.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ResortSettings:
    """When to give up on the network."""

    times: int = 5
    """In one call."""
    mos_below: float = 2.6
    """Nearly all callers are dissatisfied (G.107 Annex B)."""
    after_s: float = 10.0
    """Of such quality with no rung left."""
    between_s: float = 15.0
    """From one time to the next."""


class LastResorts:
    """Of one call; times are monotonic seconds."""

    def __init__(self, settings: ResortSettings) -> None:
        self._settings = settings
        self._left = settings.times
        self._hopeless_since: float | None = None
        self._told_at: float | None = None

    def handle(self, stuck: bool, scores: Sequence[float], now: float) -> bool:
        """Whether it is time; once a second.

        stuck: a ladder of the leg has nothing left. scores: MOS of its directions.
        """
        settings = self._settings
        if not stuck or min(scores, default=5.0) >= settings.mos_below:
            self._hopeless_since = None
            return False
        if self._hopeless_since is None:
            self._hopeless_since = now
        waited = now - self._hopeless_since >= settings.after_s
        spaced = self._told_at is None or now - self._told_at >= settings.between_s
        if not (self._left and waited and spaced):
            return False
        self._told_at = now
        self._left -= 1
        return True

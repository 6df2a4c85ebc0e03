"""What is left when no rung helps: tell the caller, speak more slowly, call back, a human. Pure.

The steps and their order come from the dialplan; each happens once per call at most.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

ResortStep = Literal["tell_caller", "slow_agent", "confirm_by_dtmf", "offer_callback", "transfer"]


@dataclass(frozen=True, slots=True)
class ResortSettings:
    """When to give up on the network."""

    steps: tuple[ResortStep, ...] = ()
    mos_below: float = 2.6
    """Nearly all callers are dissatisfied (G.107 Annex B)."""
    after_s: float = 10.0
    """Of such quality with no rung left."""
    between_s: float = 15.0
    """From one step to the next."""


class LastResorts:
    """Of one call; times are monotonic seconds."""

    def __init__(self, settings: ResortSettings) -> None:
        self._settings = settings
        self._left = list(settings.steps)
        self._hopeless_since: float | None = None
        self._stepped_at: float | None = None

    def handle(self, stuck: bool, scores: Sequence[float], now: float) -> list[ResortStep]:
        """Once a second. stuck: a ladder of the leg has nothing left; scores: MOS of its directions."""
        if not stuck or min(scores, default=5.0) >= self._settings.mos_below:
            self._hopeless_since = None
            return []
        if self._hopeless_since is None:
            self._hopeless_since = now
        waited = now - self._hopeless_since >= self._settings.after_s
        spaced = self._stepped_at is None or now - self._stepped_at >= self._settings.between_s
        if not (self._left and waited and spaced):
            return []
        self._stepped_at = now
        return [self._left.pop(0)]

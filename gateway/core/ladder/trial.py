"""Whether the network loses packets because we send it too many: found out by sending fewer bits. Pure.

A full queue shows by its delay, and is called thin. What polices a rate without a queue, or with a short one,
looks like any other loss. So where no coding bears loss better than the present one, the one with the fewest
bits is tried for a while, if it would be clearly better without the loss: what it does away with was our own
making. If a good part of the loss stays, the way goes back to the better coding, and it is long before the
next try.
"""

from dataclasses import dataclass
from typing import Final

from gateway.core.ladder.codings import predicted_rating
from gateway.core.ladder.commands import SipCoding
from gateway.core.ladder.trouble import Verdict

_GAIN: Final = 14.0
"""Points of R to be won if all the loss is our making: of G.711 that is from 9 % on, beyond what 5 % by
chance may look like."""
_STAYS: Final = 0.35
"""Share of the loss that, left over, shows that it has another cause. A trial begins at a peak, so that a
good part of it goes by itself."""
_SETTLED_S: Final = 12.0
"""The window of the reports, and the time between those of a far end (RFC 3550 §6.2)."""


@dataclass(frozen=True, slots=True)
class _Running:
    before: SipCoding
    loss: float
    since_s: float


class LeanTrial:
    """Of one leg; times are monotonic seconds."""

    def __init__(self, pause_s: float, most_pause_s: float) -> None:
        """pause_s: between a try in vain and the next; doubles each time, up to the most."""
        self._pause_s, self._most_pause_s = pause_s, most_pause_s
        self._not_before_s = float("-inf")
        self._running: _Running | None = None

    def worthwhile(self, now_used: SipCoding, lean: SipCoding, verdict: Verdict, now: float) -> bool:
        """Whether fewer bits may be tried against this loss."""
        if self._running is not None or now < self._not_before_s:
            return False
        lossy = predicted_rating(now_used, verdict.loss, verdict.burst_ratio)
        return predicted_rating(lean, 0.0) - lossy >= _GAIN

    def begin(self, before: SipCoding, loss: float, now: float) -> None:
        """Fewer bits are sent from now on."""
        self._running = _Running(before, loss, now)

    def delay(self, now: float) -> None:
        """Nothing could be observed so far: hold."""
        if self._running is not None:
            self._running = _Running(self._running.before, self._running.loss, now)

    def drop(self) -> None:
        """Something else has changed the coding."""
        self._running = None

    def in_vain(self, loss: float, now: float) -> SipCoding | None:
        """The coding to go back to, once it shows that the loss has another cause."""
        running = self._running
        if running is None or now - running.since_s < _SETTLED_S:
            return None
        self._running = None
        if loss < _STAYS * running.loss:
            return None
        self._not_before_s = now + self._pause_s
        self._pause_s = min(2 * self._pause_s, self._most_pause_s)
        return running.before

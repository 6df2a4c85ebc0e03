"""Whether we want the far end on hold, and whether it has been told. Pure, time injected.

PJSIP sends one re-INVITE at a time, and the far end may have one of its own under way: then it answers
491 (RFC 3261 §14.1). So a wish is kept until an offer of ours has carried it.
"""

from typing import Final

PENDING: Final = 491
_OUR_PAUSE_S: Final = 3.0
"""RFC 3261 §14.1: the side that made the Call-ID waits 2.1 to 4 s before it tries again,"""
_THEIR_PAUSE_S: Final = 1.0
"""the other one up to 2 s."""


class HoldWish:
    """The last word of the core, and what the far end has last been offered."""

    def __init__(self, *, outbound: bool) -> None:
        """outbound: the call is ours, and so is its Call-ID."""
        self.wanted = False
        self.offered = False
        self._pause_s = _OUR_PAUSE_S if outbound else _THEIR_PAUSE_S
        self._not_before_s = 0.0

    @property
    def settled(self) -> bool:
        """Neither on hold, nor about to be."""
        return not self.wanted and not self.offered

    def due(self, now: float) -> bool:
        """Whether an offer has to be made."""
        return self.wanted != self.offered and now >= self._not_before_s

    def offer_made(self) -> None:
        """Our offer is on its way; if it is agreed on, nothing else needs to be said."""
        self.offered = self.wanted

    def postpone(self, now: float) -> None:
        """No offer can be made now."""
        self._not_before_s = now + self._pause_s

    def refused(self, status: int, now: float) -> bool:
        """The far end did not agree to our offer; whether that is its last word."""
        self.offered = not self.offered
        if status == PENDING:
            self.postpone(now)
            return False
        self.wanted = self.offered
        return True

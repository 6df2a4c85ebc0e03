"""An agent that is silent for words which its service may never have heard. Pure.

The gateway stopped it for them, or relied on their being answered. A service that heard nothing owes no
answer, and nobody would say anything any more: it is asked to go on once the caller has been silent for a
while.
"""

from typing import Final

WAIT_S: Final = 1.5
"""Of silence; a service that heard the words has said so by then."""


class OwnStop:
    """Of one call; times are monotonic seconds."""

    def __init__(self) -> None:
        self._quiet_since: float | None = None
        self._service_hears = False

    def stopped(self, now: float) -> None:
        """The gateway stopped the agent, or did not ask it to speak."""
        self._quiet_since = None if self._service_hears else now

    def service_hears(self, hears: bool) -> None:
        """The service hears the caller begin or end."""
        self._service_hears = hears
        self._quiet_since = None

    def service_speaks(self) -> None:
        """It answers, or has ended."""
        self._quiet_since = None

    def frame(self, caller_speaks: bool, now: float) -> bool:
        """20 ms: whether the service must be asked to go on. Hot path."""
        if self._quiet_since is None:
            return False
        if caller_speaks:
            self._quiet_since = now
        elif now - self._quiet_since >= WAIT_S:
            self._quiet_since = None
            return True
        return False

"""A circuit breaker: one per backend, shared by all calls of the node. Pure.

    closed     everybody may connect; too many failures lately → open
    open       nobody may; after a while → half open
    half open  a few may try; enough successes → closed, one failure → open, for twice as long

A failure is a session that could not be opened, and one that was lost without being asked to end.
"""

from collections import deque
from dataclasses import dataclass
from typing import Final, Literal

BreakerState = Literal["closed", "open", "half_open"]

_MOST_OUTCOMES: Final = 500
"""Remembered; a busier node judges by its last ones."""


@dataclass(frozen=True, slots=True)
class BreakerSettings:
    """When a backend counts as ill."""

    failures: int = 5
    """Within the window, at least."""
    failed_share: float = 0.5
    """Of all outcomes within the window, at least: one bad call in a hundred is not an outage."""
    window_s: float = 30.0
    open_s: float = 5.0
    """Before the first probe; doubles each time the probes fail."""
    most_open_s: float = 120.0
    probes: int = 1
    """How many may try at a time while half open."""
    successes: int = 2
    """Of probes, to close again."""
    probe_within_s: float = 15.0
    """A probe of which nothing was heard for so long does not keep others from trying."""


class Breaker:
    """Times are monotonic seconds. Everybody who got True from `admit` reports the outcome."""

    def __init__(self, settings: BreakerSettings | None = None) -> None:
        self._settings = settings or BreakerSettings()
        self._outcomes: deque[tuple[float, bool]] = deque(maxlen=_MOST_OUTCOMES)
        self._state: BreakerState = "closed"
        self._open_s = self._settings.open_s
        self._open_until = 0.0
        self._probes: deque[float] = deque()
        self._successes = 0

    def state(self, now: float) -> BreakerState:
        """As metrics and the standby's choice see it."""
        if self._state == "open" and now >= self._open_until:
            return "half_open"
        return self._state

    def retry_after_s(self, now: float) -> float:
        """How long until somebody may try; 0 when not open."""
        return max(0.0, self._open_until - now) if self._state == "open" else 0.0

    def admit(self, now: float) -> bool:
        """Whether to connect now; half open, a True makes the caller the probe."""
        state = self._state = self.state(now)
        if state != "half_open":
            return state == "closed"
        while self._probes and now - self._probes[0] >= self._settings.probe_within_s:
            self._probes.popleft()
        if len(self._probes) >= self._settings.probes:
            return False
        self._probes.append(now)
        return True

    def succeeded(self, now: float) -> None:
        """A session was opened."""
        if self.state(now) == "half_open":
            self._end_probe()
            self._successes += 1
            if self._successes >= self._settings.successes:
                self._close()
        else:
            self._outcomes.append((now, True))

    def failed(self, now: float) -> None:
        """A session could not be opened, or was lost."""
        state = self.state(now)
        if state == "half_open":
            self._open_s = min(2 * self._open_s, self._settings.most_open_s)
            self._open(now)
        elif state == "closed":
            self._outcomes.append((now, False))
            if self._too_many(now):
                self._open(now)

    def abandoned(self, now: float) -> None:
        """An attempt was given up before its outcome was known (the caller hung up)."""
        if self.state(now) == "half_open":
            self._end_probe()

    def _too_many(self, now: float) -> bool:
        while self._outcomes and now - self._outcomes[0][0] > self._settings.window_s:
            self._outcomes.popleft()
        failures = sum(not good for _, good in self._outcomes)
        return failures >= self._settings.failures and failures >= self._settings.failed_share * len(
            self._outcomes
        )

    def _end_probe(self) -> None:
        if self._probes:
            self._probes.popleft()

    def _open(self, now: float) -> None:
        self._state, self._open_until = "open", now + self._open_s
        self._forget()

    def _close(self) -> None:
        self._state, self._open_s = "closed", self._settings.open_s
        self._forget()

    def _forget(self) -> None:
        self._outcomes.clear()
        self._probes.clear()
        self._successes = 0

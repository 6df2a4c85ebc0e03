"""Watches one call's connection to its AI backend and says what to do before the caller notices. Pure.

    slow (backlog, late pings) or starving  → narrow the audio, connect a standby ahead
    still so, and there is a standby        → failing
    frozen, or lost                         → failing

Failing, the caller hears a filler. A lost session is opened again and the standby connected at the same
time; whichever is there first goes on, with some preference for the session that knows the call. A frozen
or hopelessly slow one is replaced by the standby; a frozen one without standby is opened again. When all of
that has failed, or takes too long: give up, and the dialplan decides what the caller hears; a session that is
merely slow goes on instead, for there is nothing better. Narrowed audio is widened after a minute without
illness, and after twice as long each time that this made the connection ill again. A loss alone narrows
nothing, and a standby begins wide: neither says that the way to the service is too slow.
"""

from collections import deque
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Literal, assert_never

AgentStep = Literal[
    "narrow",
    "widen",
    "warm_standby",
    "release_standby",
    "play_filler",
    "stop_filler",
    "reconnect",
    "take_standby",
    "give_up",
]
"""narrow: PCMU instead of 24 kHz PCM, with the next session update or connection · widen: back again ·
warm_standby: connect the next fallback, with the conversation so far · take_standby: it answers from now
on."""


_SOONEST_S: Final = 0.05
"""From one reading to the next."""
_STARVED_OVER_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class WatchSettings:
    """When a connection is ill."""

    can_narrow: bool = False
    """The session speaks more than G.711, and the backend can G.711."""
    standbys: int = 0
    """Fallbacks of the agent."""
    slow_backlog_ms: float = 100.0
    """Half of what is kept at most."""
    slow_ping_ms: float = 500.0
    starved_ms: float = 200.0
    """Gaps within an answer, in a second; of the last two."""
    ill_after_s: float = 1.0
    """Of slowness or starvation without a break."""
    failing_after_s: float = 4.0
    """The same, although it is ill: when helping has not helped."""
    frozen_after_s: float = 0.8
    """Without an answer to a ping."""
    well_after_s: float = 15.0
    """Without any sign of illness, before the standby is let go."""
    widen_after_s: float = 60.0
    """Without any sign of illness, before the audio is widened; doubles with each time that it was."""
    most_widen_after_s: float = 480.0
    reconnect_first_s: float = 1.0
    """How long a standby that is there waits for the lost session to come back."""
    give_up_after_s: float = 10.0


@dataclass(frozen=True, slots=True)
class AgentReading:
    """The connection now; several times a second, so that a freeze is seen in time."""

    backlog_ms: float
    """Caller's audio waiting to be sent."""
    dropped_ms: float
    """Of it thrown away since the session began."""
    ping_ms: float | None
    """Last round trip of the socket; None before the first."""
    unanswered_s: float
    """Age of the oldest ping without an answer; 0 when there is none."""
    starved_ms: float
    """Playout run dry within answers, since the call began."""


@dataclass(frozen=True, slots=True)
class SessionLost:
    """The session is over, unasked."""

    retryable: bool
    rubbish: bool = False
    """The service sent what it should not: it is opened again only if there is nothing better."""


Happening = Literal["reconnected", "reconnect_failed", "standby_ready", "standby_failed"]
"""What came of a step."""

AgentEvent = AgentReading | SessionLost | Happening
_Standby = Literal["none", "warming", "ready"]


class AgentWatch:
    """One call; times are monotonic seconds."""

    def __init__(self, settings: WatchSettings, now: float) -> None:
        self._settings = settings
        self._standbys_left = settings.standbys
        self._standby: _Standby = "none"
        self._narrowed = False
        self._widen_after_s = settings.widen_after_s
        self._lost = False
        self._frozen = False
        self._reconnecting = False
        self._worth_a_try = False
        """The lost session could be opened again, if no standby can be had."""
        self._failing_since: float | None = None
        self._ill_since: float | None = None
        self._well_since = now
        self._before: AgentReading | None = None
        self._starved: deque[tuple[float, float]] = deque()
        """When how much had been starved; of the last two seconds, for it is told once a second."""
        self._given_up = False

    @property
    def failing(self) -> bool:
        """The caller is not served now."""
        return self._failing_since is not None

    def handle(self, event: AgentEvent, now: float) -> list[AgentStep]:
        """Something was measured or has happened."""
        if self._given_up:
            return []
        match event:
            case AgentReading():
                return self._read(event, now)
            case SessionLost(retryable=retryable, rubbish=rubbish):
                self._lost = True
                replaceable = self._standby != "none" or self._standbys_left > 0
                self._worth_a_try = retryable and rubbish and replaceable
                reconnect = retryable and not self._worth_a_try
                return self._fail(now, reconnect=reconnect) + self._advance(now)
            case "reconnected":
                return self._restored(now) if self._reconnecting else []
            case "reconnect_failed":
                self._reconnecting = False
            case "standby_ready":
                self._standby = "ready" if self._standby == "warming" else self._standby
            case "standby_failed":
                self._standby = "none"
                return self._next_best() + self._advance(now) if self.failing else []
            case _:
                assert_never(event)
        return self._advance(now)

    def next_reading_s(self, reading: AgentReading, every_s: float) -> float:
        """When the next reading is wanted: after `every_s`, sooner when the service may be frozen."""
        if reading.unanswered_s <= 0.0:
            return every_s
        return min(every_s, max(_SOONEST_S, self._settings.frozen_after_s - reading.unanswered_s))

    def next_deadline(self) -> float | None:
        """When `handle_timeout` wants to be called."""
        if self._failing_since is None or self._given_up:
            return None
        if self._standby == "ready":
            return self._failing_since + self._settings.reconnect_first_s
        return self._failing_since + self._settings.give_up_after_s

    def handle_timeout(self, now: float) -> list[AgentStep]:
        """The deadline has passed."""
        return [] if self._given_up else self._advance(now)

    def _read(self, reading: AgentReading, now: float) -> list[AgentStep]:
        if self._lost or self._reconnecting:
            return []  # of a connection that is given up
        slow = self._is_slow(reading, now)
        self._before = reading
        frozen = self._frozen = reading.unanswered_s >= self._settings.frozen_after_s
        if self.failing:
            return self._advance(now) if slow or frozen else self._restored(now)
        if not slow:
            self._ill_since = None
        elif self._ill_since is None:
            self._ill_since = now
        if slow or frozen:
            self._well_since = now
        ill_s = now - self._ill_since if self._ill_since is not None else 0.0
        replaceable = self._standby != "none" or self._standbys_left > 0
        if frozen or (replaceable and ill_s >= self._settings.failing_after_s):
            return self._fail(now, reconnect=False) + self._advance(now)
        if ill_s >= self._settings.ill_after_s:
            return self._narrow() + self._warm()
        return self._relax(now)

    def _is_slow(self, reading: AgentReading, now: float) -> bool:
        settings, before = self._settings, self._before
        return (
            (reading.ping_ms is not None and reading.ping_ms >= settings.slow_ping_ms)
            or reading.backlog_ms >= settings.slow_backlog_ms
            or (before is not None and reading.dropped_ms > before.dropped_ms)
            or self._starves(reading, now)
        )

    def _starves(self, reading: AgentReading, now: float) -> bool:
        """Whether answers run dry again and again. One gap, however long, has one report, or two in a row
        that leave the window before the illness is one."""
        history = self._starved
        history.append((now, reading.starved_ms))
        while now - history[0][0] > _STARVED_OVER_S:
            history.popleft()
        gaps = sum(later[1] > earlier[1] for earlier, later in pairwise(history))
        per_s = (reading.starved_ms - history[0][1]) / _STARVED_OVER_S
        return gaps > 1 and per_s >= self._settings.starved_ms

    def _narrow(self) -> list[AgentStep]:
        if self._narrowed or not self._settings.can_narrow:
            return []
        self._narrowed = True
        return ["narrow"]

    def _warm(self) -> list[AgentStep]:
        if self._standby != "none" or not self._standbys_left:
            return []
        self._standby = "warming"
        self._standbys_left -= 1
        return ["warm_standby"]

    def _next_best(self) -> list[AgentStep]:
        """A standby could not be had."""
        steps = self._warm()
        if not steps and self._worth_a_try:
            self._worth_a_try, self._reconnecting = False, True
            steps = ["reconnect"]
        return steps

    def _relax(self, now: float) -> list[AgentStep]:
        well_s = now - self._well_since
        steps: list[AgentStep] = []
        if self._standby != "none" and well_s >= self._settings.well_after_s:
            self._standby = "none"
            self._standbys_left += 1
            steps.append("release_standby")
        if self._narrowed and well_s >= self._widen_after_s:
            self._narrowed = False
            self._widen_after_s = min(2 * self._widen_after_s, self._settings.most_widen_after_s)
            steps.append("widen")
        return steps

    def _fail(self, now: float, *, reconnect: bool) -> list[AgentStep]:
        steps: list[AgentStep] = []
        if self._failing_since is None:
            self._failing_since = now
            steps.append("play_filler")
        steps += ([] if self._lost else self._narrow()) + self._warm()
        if not self._reconnecting and (reconnect or self._standby == "none"):
            self._reconnecting = reconnect or not self._lost
            steps += ["reconnect"] if self._reconnecting else []
        return steps

    def _advance(self, now: float) -> list[AgentStep]:
        """While failing: take the standby, wait, or give up."""
        if self._failing_since is None:
            return []
        # Sums, as in `next_deadline`: differences may round to just below.
        waited = now >= self._failing_since + self._settings.reconnect_first_s
        if self._standby == "ready" and (waited or not self._reconnecting):
            self._standby, self._narrowed = "none", False
            return ["take_standby", *self._restored(now)]
        hopeless = self._standby == "none" and not self._reconnecting
        if not hopeless and now < self._failing_since + self._settings.give_up_after_s:
            return []
        if not (self._lost or self._frozen):
            return self._restored(now)
        self._given_up = True
        return ["give_up"]

    def _restored(self, now: float) -> list[AgentStep]:
        self._failing_since = self._ill_since = self._before = None
        self._starved.clear()
        self._lost = self._frozen = self._reconnecting = False
        self._well_since = now
        return ["stop_filler"]

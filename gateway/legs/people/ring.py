"""One call that rings at a person's pages, until it is answered or fails.

    ringing ──begin──▶ answering ──complete──▶ over (answered)
       ▲  │                │  │
       │  └────fail────────┼──┴──────────────▶ over (failed)
       └──────retreat──────┘

While a page's offer is on its way the time limit waits: it strikes when that answer comes to nothing.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from gateway.errors import RemoteError
from gateway.legs.contract import Leg
from gateway.legs.people.line import PersonLine, Tab
from gateway.legs.people.messages import TranscriptLine

RingFailure = Literal["not_signed_in", "away", "busy", "declined", "timeout", "gone", "cancelled"]
"""Why nobody answered. gone: all pages of the person were closed while it rang."""

_GONE_STATUS: Final = (487, "Request Terminated")


class RingFailedError(RemoteError):
    """The person does not take the call."""

    def __init__(self, reason: RingFailure) -> None:
        super().__init__(f"the person does not take the call: {reason}")
        self.reason: RingFailure = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class RingInfo:
    """What the person is told about the call; all of it is personal data."""

    from_party: str
    to: str
    agent: str = ""
    """Who hands the call over; empty if nobody spoke with the caller yet."""
    transcript: tuple[TranscriptLine, ...] = ()
    """The last lines."""
    timeout_s: float | None = None
    """How long it rings; None: until who rings gives up."""


class Timer(Protocol):
    """What `call_later` returns."""

    def cancel(self) -> None:
        """Don't call."""


CallLater = Callable[[float, Callable[[], None]], Timer]
"""As `asyncio.loop.call_later`."""


class Ring:
    """Rings from its making on. `answered` or `cancel` has to be called."""

    def __init__(
        self,
        ring_id: str,
        user: str,
        info: RingInfo,
        on_over: Callable[["Ring", str], None],
        call_later: CallLater,
    ) -> None:
        """`on_over` is told once, with the word for the pages."""
        self.id = ring_id
        self.user = user
        self.info = info
        self.line: PersonLine | None = None
        """The person's line, as soon as the ring is answered."""
        self._on_over = on_over
        self._outcome: asyncio.Future[Leg | RingFailure] = asyncio.get_running_loop().create_future()
        self._answering: Tab | None = None
        self._expired = False
        self._timer: Timer | None = None
        if info.timeout_s is not None:
            self._timer = call_later(info.timeout_s, self._time_is_up)

    # ---- for who rings ------------------------------------------------------------------------

    async def answered(self) -> Leg:
        """The leg of the person, not attached yet. Raises `RingFailedError`.

        When the one who waits is cancelled, the ring ends, and so does a leg that nobody takes any more.
        """
        try:
            outcome = await asyncio.shield(self._outcome)
        except asyncio.CancelledError:
            self._abandon()
            raise
        if isinstance(outcome, str):
            raise RingFailedError(outcome)
        return outcome

    def cancel(self, reason: str = "cancelled") -> None:
        """Stop ringing, if it still does; the pages are told `reason`, a word."""
        self.fail("cancelled", reason)

    def _abandon(self) -> None:
        self.cancel()
        if self.line is not None:
            self.line.leg.close(*_GONE_STATUS)
            self.line.left("cancelled")

    # ---- for the pages ------------------------------------------------------------------------

    @property
    def over(self) -> bool:
        """Answered or failed."""
        return self._outcome.done()

    @property
    def answering(self) -> Tab | None:
        """The page whose offer is on its way."""
        return None if self.over else self._answering

    def begin(self, tab: Tab) -> bool:
        """A page answers; False if it is too late or another page was faster."""
        if self.over or self._answering is not None:
            return False
        self._answering = tab
        return True

    def retreat(self) -> None:
        """The answer came to nothing: it goes on ringing, unless its time is up. No effect once over."""
        self._answering = None
        if self._expired:
            self.fail("timeout")

    def complete(self, line: PersonLine) -> None:
        """The answer has become a leg."""
        self.line = line
        self._end(line.leg, "answered_elsewhere")

    def fail(self, reason: RingFailure, word: str = "") -> None:
        """Nobody answers. No effect once over."""
        if not self.over:
            self._end(reason, word or reason)

    def _end(self, outcome: Leg | RingFailure, word: str) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._outcome.set_result(outcome)
        self._on_over(self, word)

    def _time_is_up(self) -> None:
        self._timer = None
        self._expired = True
        if self._answering is None:
            self.fail("timeout")

"""One leg that takes part in a call: the caller's, or that of somebody who was called."""

import asyncio
from collections.abc import Callable
from typing import Final, Literal

from gateway.calls.checkpoint import KeptParty, pack_party
from gateway.core.audio import PcmFormat
from gateway.core.ids import CallId, Mark
from gateway.core.playout import Playout
from gateway.legs.contract import Leg, LegEvent
from gateway.legs.people.line import PersonLine
from gateway.media.overlay import overlay
from gateway.media.resampler import Resampler
from gateway.wire import card as wire

Role = Literal["caller", "person"]

_LIVE: Final = Mark(0xFFFFFFFE)
"""Label of audio that is passed on as it comes; no item or prompt bears it."""


class Party:
    """A leg with its place in the bridge; implements `LegSink`."""

    def __init__(
        self, key: str, role: Role, leg: Leg, name: str, on_event: Callable[[LegEvent], None] | None = None
    ) -> None:
        """`key`: unique in the call. `name`: whom it stands for; personal data.

        `on_event`: gets the leg's events instead of `answered` and `closed`.
        """
        self.key = key
        self.role: Role = role
        self.leg = leg
        self.name = name
        self.pcm_format: PcmFormat = leg.pcm_format
        self.held = False
        self.muted = False
        self.called_by: Literal["plan", "desk"] = "plan"
        self.holds_caller = False
        """Whether this person has put the caller on hold."""
        self.route: Callable[[bytes, int], None] | None = None
        """Where its audio goes; set by the bridge. Gets PCM and `HeardFlag` bits."""
        self.taps: list[Callable[[bytes], None]] = []
        """Get what it says, for recordings."""
        self.tap_heard: Callable[[bytes], None] | None = None
        """Gets what it is played live, for a recording."""
        self._on_event = on_event
        self.care: Callable[[LegEvent], None] | None = None
        """Looks after its line; gets its events first."""
        self.line: PersonLine | None = None
        """The page of a person at a browser."""
        self._call_id = CallId("")
        self.chosen = False
        """Whether the call has taken it in."""
        self.answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.closed: asyncio.Future[wire.LegClosed] = asyncio.get_running_loop().create_future()
        self.prompts = Playout(leg.pcm_format)
        """Prompts for this party alone, laid over what it hears of the others."""
        self._resamplers: dict[int, Resampler] = {}

    def attach(self, call_id: CallId) -> None:
        """Take the leg over."""
        self.leg.attach(call_id, self)
        if self.role == "person":
            self._call_id = call_id
            self.keep()

    def talks_at(self, line: PersonLine) -> None:
        """It is a person at a page."""
        self.line = line
        self.keep()

    def keep(self) -> None:
        """Leave with a person's leg what a core that comes after this one has to know."""
        if self.role != "person":
            return
        user, ring_id = (self.line.user, self.line.ring_id) if self.line is not None else ("", "")
        kept = KeptParty(
            self._call_id,
            self.key,
            user,
            ring_id,
            self.called_by,
            held=self.held,
            muted=self.muted,
            holds_caller=self.holds_caller,
        )
        self.leg.keep(pack_party(kept))

    def restore(self, kept: KeptParty) -> None:
        """Take over what an earlier core knew of this person."""
        self.called_by = kept.by
        self.held, self.muted, self.holds_caller = kept.held, kept.muted, kept.holds_caller
        self.keep()

    def on_audio(self, pcm: bytes, flags: int) -> None:
        """20 ms of the far end. Hot path."""
        for tap in self.taps:
            tap(pcm)
        if self.route is not None and not self.muted and not self.held:
            self.route(pcm, flags)

    def on_leg_event(self, event: LegEvent) -> None:
        """Anything else."""
        if self.care is not None:
            self.care(event)
        if self._on_event is not None:
            self._on_event(event)
            return
        match event:
            case wire.Answered():
                if not self.answered.done():
                    self.answered.set_result(None)
            case wire.LegClosed():
                if not self.closed.done():
                    self.closed.set_result(event)
                self._left(event.reason)
            case wire.RtpStalled():
                self.close("no audio comes from it any more")

    def close(self, reason: str, status: int = 487) -> None:
        """End its leg: BYE, or CANCEL while it rings."""
        self.leg.close(status, reason)
        self._left(reason)

    def _left(self, reason: str) -> None:
        if self.line is not None:
            self.line.left(reason)

    def hear(self, pcm: bytes, sample_rate_hz: int) -> None:
        """Play 20 ms of somebody else now. Hot path."""
        if self.held:
            self._hear_prompts_alone()
            return
        rate_hz = self.pcm_format.sample_rate_hz
        if sample_rate_hz != rate_hz:
            resampler = self._resamplers.get(sample_rate_hz)
            if resampler is None:
                resampler = self._resamplers[sample_rate_hz] = Resampler(sample_rate_hz, rate_hz)
            pcm = resampler.process(pcm)
        if not self.prompts.drained:
            above = self.prompts.next_frame()
            if above is not None:
                pcm = overlay(pcm, above)
        if self.tap_heard is not None:
            self.tap_heard(pcm)
        self.leg.play(pcm, _LIVE, live=True)

    def _hear_prompts_alone(self) -> None:
        """Somebody on hold hears nobody, but what is played to them."""
        above = None if self.prompts.drained else self.prompts.next_frame()
        if above is None:
            return
        if self.tap_heard is not None:
            self.tap_heard(above)
        self.leg.play(above, _LIVE, live=True)

    def describe(self) -> str:
        """Card, leg and format in a few words."""
        card, leg = self.leg.address
        marks = "".join(f" {word}" for word, on in (("held", self.held), ("muted", self.muted)) if on)
        return f"{self.key} {card}/{leg} pcm@{self.pcm_format.sample_rate_hz}{marks}"

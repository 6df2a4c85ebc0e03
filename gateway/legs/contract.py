"""The leg contract: what a bridge may ask of any leg, whatever network it comes from.

Control events are the card's own messages (`gateway.wire.card`), so that a SIP, a WebRTC and a
loopback leg speak one language. All methods are called on, and all callbacks come from, the
core's event loop.
"""

from collections.abc import Awaitable
from typing import Protocol

from gateway.core.audio import PcmFormat
from gateway.core.ids import CallId, CardId, LegId, Mark
from gateway.core.record import CallKind
from gateway.wire import card as wire

LegEvent = (
    wire.Progress
    | wire.Answered
    | wire.TransferProgress
    | wire.MediaChanged
    | wire.Dtmf
    | wire.PlayStarted
    | wire.PlayFinished
    | wire.Quality
    | wire.RtpStalled
    | wire.LegClosed
    | wire.ChannelOpened
    | wire.ChannelText
    | wire.Refused
)


class LegSink(Protocol):
    """Whoever owns a leg."""

    def on_audio(self, pcm: bytes, flags: int) -> None:
        """One 20 ms frame that the far end sent, every tick while connected (`HeardFlag` bits).

        Hot path: about 50 calls a second per leg; must not block, allocate much or log.
        """

    def on_leg_event(self, event: LegEvent) -> None:
        """Anything else that happened to the leg; `LegClosed` is the last one."""


class Leg(Protocol):
    """One party of a call, as the core sees it."""

    @property
    def address(self) -> tuple[CardId, LegId]:
        """Card and serial number."""

    @property
    def kind(self) -> CallKind:
        """Which kind of card carries it."""

    @property
    def pcm_format(self) -> PcmFormat:
        """Format of the audio in both directions."""

    @property
    def capabilities(self) -> wire.Capabilities:
        """What this leg can do besides audio."""

    def attach(self, call_id: CallId, sink: LegSink) -> None:
        """Name the owner; exactly once, before anything else."""

    def ring(self, *, early_media: bool = False) -> None:
        """Tell the caller that we are ringing.

        early_media: what is played from now on is heard before the answer. Raises `LocalError` without
        the capability.
        """

    def answer(self) -> None:
        """Accept the call; audio flows after the `Answered` event."""

    def reject(self, status: int, reason: str, headers: tuple[tuple[str, str], ...] = ()) -> None:
        """Refuse the call with a final SIP status."""

    def play(self, pcm: bytes, mark: Mark, *, last: bool = False, live: bool = False) -> None:
        """Queue audio behind what is already queued; any length, also empty with `last`.

        `last` closes the mark: `PlayFinished` follows when it has been heard. May be called far
        faster than real time; the leg holds up to its playout limit and counts what it drops.

        `live`: what another leg says this moment, one frame every 20 ms by that leg's clock. It is
        heard about 40 ms later, however long it lasts: the two clocks' difference is evened out.
        """

    def flush(self) -> Awaitable[wire.Flushed]:
        """Drop everything queued, at once; resolves with what was really played.

        The command is sent by the call itself, awaiting only fetches the answer. A leg that has
        closed resolves with zero played and zero dropped.
        """

    def pause(self) -> None:
        """Stop playing and keep the queue."""

    def resume(self) -> None:
        """Go on after `pause`."""

    def send_dtmf(self, digits: str) -> None:
        """Send digits to the far end."""

    def send_text(self, text: str) -> None:
        """Send a message over the data channel; lost while none is open, as on a phone."""

    def hold(self, held: bool) -> None:
        """Put the far end on hold or take it back. Raises `LocalError` without the capability."""

    def transfer(self, target_uri: str, headers: tuple[tuple[str, str], ...] = ()) -> None:
        """Ask the far end to call `target_uri` instead (REFER); `TransferProgress` events follow.

        Once the final one says that it worked, the leg is still ours to close. Raises `LocalError`
        without the capability.
        """

    def set_tier(self, tier: str) -> None:
        """Use more or less network: one of `capabilities.tiers`. Raises `LocalError` for any other."""

    def keep(self, state: bytes) -> None:
        """Leave state with the leg, for a core that takes it over after our death."""

    def close(self, status: int, reason: str, *, drain: bool = False) -> None:
        """End the leg; with `drain` after the queued audio has been heard. `LegClosed` follows."""

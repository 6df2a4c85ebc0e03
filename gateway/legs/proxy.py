"""A leg that lives on a card in another process."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final

from gateway.core.audio import PcmFormat
from gateway.core.ids import CallId, CardId, LegId, Mark
from gateway.core.record import CallKind
from gateway.errors import LocalError
from gateway.legs.contract import LegEvent, LegSink
from gateway.wire import card as wire
from gateway.wire.frames import PlayFlag, pack_play

Send = Callable[[bytes], None]

_EARLY_EVENTS: Final = 64
"""The oldest are forgotten; the last one of a leg is its end."""
_PLAY_BYTES: Final = 1 << 20
"""Longer audio goes in several frames."""
_LAST: Final = int(PlayFlag.LAST)  # arithmetic on flags of an enum takes microseconds
_LIVE: Final = int(PlayFlag.LIVE)


class RemoteLeg:
    """The core's end of a card's leg; see `gateway.legs.contract.Leg`."""

    def __init__(
        self, card: CardId, leg: LegId, hello: wire.Hello, send: Send, *, early_events: bool = False
    ) -> None:
        """early_events: what happens before there is an owner is told to it, else dropped."""
        self._card = card
        self._leg = leg
        self._kind: CallKind = hello.kind
        self._format = PcmFormat(hello.sample_rate_hz)
        self._capabilities = hello.capabilities
        self._send = send
        self._sink: LegSink | None = None
        self._flushes: dict[int, asyncio.Future[wire.Flushed]] = {}
        self._next_flush = 1
        self._closed = False
        self._farewell: wire.Reject | wire.Hangup | None = None
        self._early: deque[LegEvent] = deque(maxlen=_EARLY_EVENTS if early_events else 0)

    @property
    def address(self) -> tuple[CardId, LegId]:
        """Card and serial number."""
        return self._card, self._leg

    @property
    def kind(self) -> CallKind:
        """The card's."""
        return self._kind

    @property
    def pcm_format(self) -> PcmFormat:
        """The card's PCM format."""
        return self._format

    @property
    def capabilities(self) -> wire.Capabilities:
        """As the card announced them."""
        return self._capabilities

    def attach(self, call_id: CallId, sink: LegSink) -> None:
        """Name the owner."""
        if self._sink is not None:
            raise LocalError(f"leg {self._leg} of card {self._card} has an owner already ({call_id})")
        self._sink = sink
        if self._early:
            asyncio.get_running_loop().call_soon(self._tell_early)

    def reconnect(self, send: Send) -> None:
        """The connection to the card was made anew: what must not get lost is said again."""
        self._send = send
        for request in self._flushes:
            self._command(wire.Flush(self._leg, request))
        if self._farewell is not None:
            self._command(self._farewell)

    # ---- from the card ------------------------------------------------------------------------

    def deliver_audio(self, pcm: bytes, flags: int) -> None:
        """One frame from the card. Hot path."""
        if self._sink is not None:
            self._sink.on_audio(pcm, flags)

    def deliver(self, event: LegEvent | wire.Flushed) -> None:
        """A control message from the card."""
        if isinstance(event, wire.Flushed):
            waiting = self._flushes.pop(event.request, None)
            if waiting is not None and not waiting.done():
                waiting.set_result(event)
            return
        if isinstance(event, wire.LegClosed):
            self._closed = True
            for request, waiting in self._flushes.items():
                if not waiting.done():
                    waiting.set_result(self._nothing_played(request))
            self._flushes.clear()
        if self._sink is None or self._early:
            self._early.append(event)
        else:
            self._sink.on_leg_event(event)

    def _tell_early(self) -> None:
        assert self._sink is not None
        while self._early:
            event = self._early.popleft()
            self._sink.on_leg_event(event)

    def _nothing_played(self, request: int) -> wire.Flushed:
        return wire.Flushed(self._leg, request, Mark(0), 0, 0, 0.0)

    # ---- to the card --------------------------------------------------------------------------

    def _command(self, message: wire.ToCard) -> None:
        if not self._closed:
            self._send(wire.pack_control(message))

    def ring(self, *, early_media: bool = False) -> None:
        """Send 180 or 183."""
        if early_media and not self._capabilities.early_media:
            raise LocalError("this leg is silent before the answer")
        self._command(wire.Ring(self._leg, early_media))

    def answer(self) -> None:
        """Send 200."""
        self._command(wire.Answer(self._leg))

    def reject(self, status: int, reason: str, headers: tuple[tuple[str, str], ...] = ()) -> None:
        """Refuse with a final status."""
        self._farewell = wire.Reject(self._leg, status, reason, headers)
        self._command(self._farewell)

    def play(self, pcm: bytes, mark: Mark, *, last: bool = False, live: bool = False) -> None:
        """Queue audio at the card. Hot path."""
        if self._closed:
            return
        flags = _LIVE if live else 0
        while len(pcm) > _PLAY_BYTES:
            self._send(pack_play(self._leg, mark, flags, pcm[:_PLAY_BYTES]))
            pcm = pcm[_PLAY_BYTES:]
        self._send(pack_play(self._leg, mark, flags | _LAST if last else flags, pcm))

    def flush(self) -> Awaitable[wire.Flushed]:
        """Drop the card's playout buffer."""
        waiting: asyncio.Future[wire.Flushed] = asyncio.get_running_loop().create_future()
        request = self._next_flush
        self._next_flush += 1
        if self._closed:
            waiting.set_result(self._nothing_played(request))
        else:
            self._flushes[request] = waiting
            self._command(wire.Flush(self._leg, request))
        return waiting

    def pause(self) -> None:
        """Stop playing."""
        self._command(wire.Pause(self._leg))

    def resume(self) -> None:
        """Go on playing."""
        self._command(wire.Resume(self._leg))

    def send_dtmf(self, digits: str) -> None:
        """Send digits."""
        if not self._capabilities.dtmf:
            raise LocalError("this leg cannot send DTMF")
        self._command(wire.SendDtmf(self._leg, digits))

    def send_text(self, text: str) -> None:
        """Send a message over the data channel."""
        self._command(wire.SendText(self._leg, text))

    def hold(self, held: bool) -> None:
        """Hold the far end, or take it back."""
        if not self._capabilities.hold:
            raise LocalError("this leg cannot be put on hold")
        self._command(wire.Hold(self._leg, held))

    def transfer(self, target_uri: str, headers: tuple[tuple[str, str], ...] = ()) -> None:
        """Send REFER."""
        if not self._capabilities.transfer:
            raise LocalError("this leg cannot be transferred")
        self._command(wire.Transfer(self._leg, target_uri, headers))

    def set_tier(self, tier: str) -> None:
        """Use more or less network."""
        if tier not in self._capabilities.tiers:
            raise LocalError(f"this leg knows no tier {tier!r}")
        self._command(wire.SetTier(self._leg, tier))

    def keep(self, state: bytes) -> None:
        """Leave state with the card."""
        self._command(wire.Keep(self._leg, state))

    def close(self, status: int, reason: str, *, drain: bool = False) -> None:
        """End the leg."""
        self._farewell = wire.Hangup(self._leg, status, reason, drain)
        self._command(self._farewell)

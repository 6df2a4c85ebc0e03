"""A leg without a network: both ends are in this process, and time passes by `LoopbackPeer.tick`.

`LoopbackLeg` is the end that a call holds, `LoopbackPeer` the person at the other one. The audio path
is the cards' own (`gateway.core.playout`); events arrive from the event loop, in order and never
within the command that caused them, as they do from a card.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, Literal

import msgspec

from gateway.core.audio import PTIME_MS, PcmFormat
from gateway.core.ids import CallId, CardId, LegId, Mark
from gateway.core.playout import MarkStarted, Playout
from gateway.core.record import CallKind
from gateway.errors import LocalError
from gateway.legs.contract import LegEvent, LegSink
from gateway.wire import card as wire
from gateway.wire.frames import HeardFlag

_AGREED: Final = 200
_TICKS_PER_S: Final = 1000 // PTIME_MS
_DIGITS: Final = frozenset("0123456789ABCD*#")

CAPABILITIES: Final = wire.Capabilities(hold=True, transfer=True, dtmf=True, early_media=True)


class LoopbackLeg:
    """The call's end; see `gateway.legs.contract.Leg`."""

    def __init__(
        self,
        clock: Callable[[], float],
        *,
        sample_rate_hz: int = 8000,
        address: tuple[CardId, LegId] = (CardId(0), LegId(1)),
        rtp_timeout_s: float = 20.0,
        kind: CallKind = "loopback",
        outbound: bool = False,
        tier: str = "L16/20",
        tiers: tuple[str, ...] = (),
    ) -> None:
        """Must be made on the event loop that it is to use; `clock` gives monotonic seconds.

        outbound: the call is ours, and the peer answers it. tier: codec and packet time that are agreed on
        at first. tiers: what `set_tier` takes; the peer offers their codecs.
        """
        self._clock = clock
        self._address = address
        self._kind = kind
        self._format = PcmFormat(sample_rate_hz)
        self._loop = asyncio.get_running_loop()
        self._sink: LegSink | None = None
        self._abandoned = False
        self._draining: wire.Hangup | None = None
        self._rtp_timeout_ticks = round(rtp_timeout_s * _TICKS_PER_S)
        self._ticks = self._ticks_heard = self._ticks_silent = 0
        self.playout = Playout(self._format)
        """What waits to be heard by the peer."""
        self.outbound = outbound
        """Whether the call is ours."""
        self.state: wire.LegState = "calling" if outbound else "incoming"
        """As a card would report it."""
        self.kept = b""
        """What the call left with `keep`."""
        self.digits_sent = ""
        """DTMF that the peer got."""
        self.transfers: list[str] = []
        """Where the peer was asked to call instead."""
        self.texts: list[str] = []
        """Messages that the peer got over the data channel."""
        self.tier = tier
        """Codec and packet time that are agreed on."""
        self.tiers = tiers
        """What can be agreed on."""
        self.early_media = True
        """Whether the peer can hear something before the answer."""
        self._plays_early = False
        self.tiers_wanted: list[str] = []
        """What we asked for."""
        self.peer_held = False
        """Whether we put the peer on hold."""
        self.peer = LoopbackPeer(self)
        """The person at the other end."""

    @property
    def address(self) -> tuple[CardId, LegId]:
        """Card and serial number, as given."""
        return self._address

    @property
    def kind(self) -> CallKind:
        """As given."""
        return self._kind

    @property
    def pcm_format(self) -> PcmFormat:
        """Format of the audio in both directions."""
        return self._format

    @property
    def capabilities(self) -> wire.Capabilities:
        """Hold, transfer and DTMF; tiers and early media as given."""
        return msgspec.structs.replace(CAPABILITIES, tiers=self.tiers, early_media=self.early_media)

    def attach(self, call_id: CallId, sink: LegSink) -> None:
        """Name the owner. Raises `LocalError` the second time."""
        if self._sink is not None:
            raise LocalError(f"the loopback leg has an owner already ({call_id})")
        self._sink = sink
        self._abandoned = False

    def abandon(self) -> None:
        """The owner is gone without a word, and says none any more; the leg lives on for the next one."""
        self._sink = None
        self._abandoned = True

    # ---- commands -----------------------------------------------------------------------------

    def ring(self, *, early_media: bool = False) -> None:
        """The peer hears ringing, or what is played."""
        if early_media and not self.early_media:
            raise LocalError("this leg is silent before the answer")
        self._plays_early = self._plays_early or early_media
        if self.state == "incoming":
            self.state = "ringing"

    def answer(self) -> None:
        """Connect; `Answered` follows."""
        if self.state in ("incoming", "ringing"):
            self.connect()
        elif self.state != "closed":
            self.emit(wire.Refused(self._address[1], wire.Answer.__name__, "the call has been answered"))

    def reject(self, status: int, reason: str, headers: tuple[tuple[str, str], ...] = ()) -> None:
        """Refuse the call."""
        if self.state in ("incoming", "ringing"):
            self.end(status, reason, "gateway")
        elif self.state != "closed":
            self.emit(wire.Refused(self._address[1], wire.Reject.__name__, "the call has been answered"))

    def play(self, pcm: bytes, mark: Mark, *, last: bool = False, live: bool = False) -> None:
        """Queue audio for the peer. Raises `ValueError` for half a sample."""
        if self.state != "closed":
            self.playout.play(pcm, mark, last=last, live=live)
            self.report_marks()

    def flush(self) -> Awaitable[wire.Flushed]:
        """Drop what is queued; resolves in the next turn of the event loop."""
        waiting: asyncio.Future[wire.Flushed] = self._loop.create_future()
        if self.state == "closed":
            answer = wire.Flushed(self._address[1], 0, Mark(0), 0, 0, 0.0)
        else:
            found = self.playout.flush()
            self.report_marks()
            answer = wire.Flushed(
                self._address[1], 0, found.mark, found.played_ms, found.dropped_ms, self._clock()
            )
        self._loop.call_soon(_resolve, waiting, answer)
        return waiting

    def pause(self) -> None:
        """Stop playing and keep the queue."""
        self.playout.pause()

    def resume(self) -> None:
        """Go on after `pause`."""
        self.playout.resume()

    def send_dtmf(self, digits: str) -> None:
        """The peer gets the digits; what are none is refused."""
        if not digits or not _DIGITS.issuperset(digits.upper()):
            self.emit(wire.Refused(self._address[1], wire.SendDtmf.__name__, "not DTMF digits"))
        elif self.state == "connected":
            self.digits_sent += digits.upper()

    def send_text(self, text: str) -> None:
        """The peer gets the message."""
        self.texts.append(text)

    def hold(self, held: bool) -> None:
        """The peer hears nothing and is not heard until it is taken back."""
        self.peer_held = held

    def transfer(self, target_uri: str, headers: tuple[tuple[str, str], ...] = ()) -> None:
        """The peer is asked to call somebody else; it says with `transfer_progress` what came of it."""
        if self.live:
            self.transfers.append(target_uri)
        elif self.state != "closed":
            self.emit(
                wire.Refused(self._address[1], wire.Transfer.__name__, "the call has not been answered")
            )

    def set_tier(self, tier: str) -> None:
        """Ask the peer; it agrees, refuses, or does not answer. Raises `LocalError` for an unknown tier."""
        if tier not in self.tiers:
            raise LocalError(f"this leg knows no tier {tier!r}")
        self.tiers_wanted.append(tier)
        status = self.peer.answers_tiers_with
        if status == _AGREED:
            self.tier = tier
            self.emit(self._media())
        elif status:
            self.emit(wire.Refused(self._address[1], wire.SetTier.__name__, "not acceptable", status))

    def keep(self, state: bytes) -> None:
        """Hold state for the call's next owner."""
        if not self._abandoned:
            self.kept = state

    def close(self, status: int, reason: str, *, drain: bool = False) -> None:
        """Hang up, with `drain` once the queue has been heard."""
        if self._abandoned:
            return
        if drain and self.state == "connected" and not self.playout.drained and not self.playout.paused:
            self._draining = wire.Hangup(self._address[1], status, reason, drain)
        else:
            self.end(200 if self.live else status, reason, "gateway")

    # ---- for the peer -------------------------------------------------------------------------

    @property
    def live(self) -> bool:
        """Answered and not ended."""
        return self.state in ("connected", "held")

    def connect(self) -> None:
        """The call is answered, by whomever it was for."""
        self.state = "connected"
        self.emit(wire.Answered(self._address[1], self._clock()))
        self.emit(self._media())

    def emit(self, event: LegEvent) -> None:
        """Tell the owner in the next turn of the event loop."""
        self._loop.call_soon(self._deliver, event)

    def _deliver(self, event: LegEvent) -> None:
        if self._sink is not None:
            self._sink.on_leg_event(event)

    def end(self, status: int, reason: str, by: Literal["far_end", "gateway", "card"]) -> None:
        """The leg is over."""
        if self.state != "closed":
            self.state = "closed"
            self.emit(wire.LegClosed(self._address[1], status, reason, by))

    def _media(self) -> wire.MediaChanged:
        codec, _, ptime_ms = self.tier.rpartition("/")
        if codec.endswith("k"):  # of a bitrate: Opus
            codec, ptime_ms = "OPUS", ptime_ms.removesuffix("ms")
        name, _, rate_hz = codec.partition("/")
        offered = tuple(dict.fromkeys(tier.rpartition("/")[0] for tier in self.tiers))
        held, sample_rate_hz = self.state == "held", int(rate_hz or self._format.sample_rate_hz)
        return wire.MediaChanged(self._address[1], name, sample_rate_hz, int(ptime_ms), False, held, offered)

    def set_held(self, held: bool) -> None:
        """The peer put us on hold or took us back."""
        if self.live:
            self.state = "held" if held else "connected"
            self.emit(self._media())

    def report_marks(self) -> None:
        """Tell the owner which marks started and finished."""
        for event in self.playout.take_events():
            now = self._clock()
            if isinstance(event, MarkStarted):
                self.emit(wire.PlayStarted(self._address[1], event.mark, now))
            else:
                self.emit(wire.PlayFinished(self._address[1], event.mark, event.played_ms, now))

    def hear(self, pcm: bytes | None) -> None:
        """20 ms from the peer; None when no packet came."""
        if not self.live:
            return
        self._ticks += 1
        self._ticks_heard += pcm is not None
        self._ticks_silent = 0 if pcm is not None else self._ticks_silent + 1
        if self._sink is None:
            return
        if pcm is None or self.peer_held:
            self._sink.on_audio(self._format.silence(PTIME_MS), HeardFlag.CONCEALED)
        else:
            self._sink.on_audio(pcm, HeardFlag.NONE)
        if self._ticks_silent == self._rtp_timeout_ticks and self.state == "connected" and not self.peer_held:
            self.emit(wire.RtpStalled(self._address[1], self._ticks_silent / _TICKS_PER_S))
        if self._ticks % _TICKS_PER_S == 0:
            self.emit(self.peer.network(self._quality()))

    def speak(self) -> bytes | None:
        """20 ms for the peer; None for silence."""
        if not self.live and not (self._plays_early and self.state == "ringing"):
            return None
        frame = self.playout.next_frame()
        self.report_marks()
        ending = self._draining
        if ending is not None and self.playout.drained:
            self._draining = None
            self.end(200, ending.reason, "gateway")
        return None if self.state == "held" else frame

    def _quality(self) -> wire.Quality:
        return wire.Quality(
            leg=self._address[1],
            rx_packets=self._ticks_heard,
            rx_lost=self._ticks - self._ticks_heard,
            rx_discarded=0,
            rx_jitter_ms=0.0,
            jitter_buffer_ms=0.0,
            tx_packets=self._ticks,
            tx_lost=0,
            tx_jitter_ms=0.0,
            rtt_ms=0.0,
            underruns=self.playout.underruns,
            playout_dropped_ms=self.playout.overflow_ms,
            starved_ms=self.playout.starved_ms,
        )


class LoopbackPeer:
    """The far end of a loopback leg."""

    def __init__(self, leg: LoopbackLeg) -> None:
        self._leg = leg
        self.network: Callable[[wire.Quality], wire.Quality] = lambda quality: quality
        """What becomes of the quality report of a perfect network."""
        self.answers_tiers_with = _AGREED
        """SIP status; 0: no answer."""

    def tick(self, says: bytes | None = None) -> bytes | None:
        """Let 20 ms pass: one frame said (None: no packet), one frame heard (None: silence)."""
        self._leg.hear(says)
        return self._leg.speak()

    def press(self, digit: str) -> None:
        """Press a key."""
        if self._leg.live:
            self._leg.emit(wire.Dtmf(self._leg.address[1], digit, 100, "rfc4733"))

    def hold(self, held: bool) -> None:
        """Put the gateway on hold, or take it back."""
        self._leg.set_held(held)

    def progress(self, status: int = 180, reason: str = "Ringing", *, early_media: bool = False) -> None:
        """A provisional answer to our call."""
        if self._leg.state in ("calling", "ringing"):
            self._leg.state = "ringing"
            self._leg.emit(wire.Progress(self._leg.address[1], status, reason, early_media))

    def answer(self) -> None:
        """Pick our call up."""
        if self._leg.state in ("calling", "ringing"):
            self._leg.connect()

    def refuse(self, status: int = 486, reason: str = "Busy Here") -> None:
        """Refuse our call."""
        if not self._leg.live:
            self._leg.end(status, reason, "far_end")

    def transfer_progress(self, status: int, reason: str, *, final: bool) -> None:
        """Say how the call is going that we asked for."""
        if self._leg.live:
            self._leg.emit(wire.TransferProgress(self._leg.address[1], status, reason, final))

    def hang_up(self) -> None:
        """BYE, or CANCEL before the answer."""
        status, reason = (200, "Normal call clearing") if self._leg.live else (487, "Request Terminated")
        self._leg.end(status, reason, "far_end")

    def vanish(self, status: int = 500, reason: str = "line card gone (signal 9)") -> None:
        """The card under the leg dies."""
        self._leg.end(status, reason, "card")


def _resolve(waiting: "asyncio.Future[wire.Flushed]", answer: wire.Flushed) -> None:
    if not waiting.done():
        waiting.set_result(answer)

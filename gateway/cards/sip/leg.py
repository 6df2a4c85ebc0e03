"""One call on the card: its state, its playout buffer and what the core may ask of it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from gateway.cards.sip.contract import (
    BusyError,
    CallState,
    DtmfMethod,
    Headers,
    MediaInfo,
    PjsipError,
    StreamQuality,
)
from gateway.cards.sip.counters import LegCounters, StallWatch, TransferWatch
from gateway.cards.sip.ear import Ear
from gateway.cards.sip.hold import HoldWish
from gateway.cards.sip.round_trip import RoundTrip
from gateway.core.audio import PcmFormat
from gateway.core.ids import LegId
from gateway.core.playout import MarkStarted, Playout
from gateway.observe.log import get_logger
from gateway.wire import card as wire

HELD_TIMEOUT_S = 1800.0
"""So long may a leg on hold show neither RTP nor RTCP; a far end that is gone never says BYE."""
_DRAIN_LINGER_S = 0.1
"""Between the last audio and BYE, so that the far end's jitter buffer can play it."""
_BYE_GRACE_S = 1.0
"""How long the core waits for an answer to BYE before it is told that the leg has ended."""
_CANCELLED = (487, "CANCEL not answered yet")
_DRAIN_GRACE_S = 5.0
"""A drain ends this long after its audio should have been played, whatever holds it up."""

Side = Literal["far_end", "gateway", "card"]

log = get_logger()


class Call(Protocol):
    """The operations of a SIP call that a leg needs; each may raise `PjsipError`."""

    @property
    def media(self) -> MediaInfo | None:
        """Last result of offer and answer."""

    def answer(self, status: int, reason: str = "", headers: Headers = ()) -> None:
        """Respond to the INVITE."""

    def hangup(self, status: int = 0, reason: str = "", headers: Headers = ()) -> None:
        """End the call."""

    def hold(self, held: bool) -> None:
        """Hold or resume the far end."""

    def renegotiate(self, codec: str, ptime_ms: int) -> None:
        """Offer other media."""

    def keep_media(self) -> None:
        """The far end refused them."""

    def send_dtmf(self, digits: str, method: DtmfMethod | None = None) -> None:
        """Send digits."""

    def transfer(self, uri: str, headers: Headers = ()) -> None:
        """Send REFER."""

    def quality(self) -> StreamQuality | None:
        """Counters of the audio stream."""


class Port(Protocol):
    """Where PCM crosses into PJSIP."""

    hear: Callable[[bytes], None] | None
    speak: Callable[[], bytes | None] | None


@dataclass(frozen=True, slots=True)
class LegContext:
    """What all legs of a card share."""

    pcm_format: PcmFormat
    rtp_timeout_s: float
    clock: Callable[[], float]
    """CLOCK_MONOTONIC seconds."""
    emit: Callable[[wire.FromCard], None]
    """To the core, if there is one."""
    closed: Callable[["Leg"], None]
    """The leg is gone."""
    tiers: tuple[str, ...]
    """Codecs and packet times that may be offered, as `ILBC/30`."""


class Leg:
    """Follows one call from INVITE to BYE."""

    def __init__(
        self,
        incoming: wire.Incoming,
        call: Call,
        port: Port,
        context: LegContext,
        *,
        outbound: bool = False,
    ) -> None:
        """outbound: we call; `incoming` says whom."""
        self.incoming, self.outbound = incoming, outbound
        self._id, self._call, self._port, self._context = incoming.leg, call, port, context
        self.state: wire.LegState = "calling" if outbound else "incoming"
        self._progress: tuple[int, str] | None = None
        """A provisional answer that the core has yet to be told of: its SDP is looked at after it."""
        self._transfer = TransferWatch()
        self.kept = b""
        self.playout = Playout(context.pcm_format)
        self._ear = Ear(context.pcm_format)
        self._answered = False
        self._ended_by: Side = "far_end"
        self._ending_since_s: float | None = None
        self._told_closed = False
        self._drain_until_s: float | None = None
        self._drained_at_s: float | None = None
        self._drain_status = (0, "")
        self._hold = HoldWish(outbound=outbound)
        self._offer: Literal["", "hold", "tier"] = ""
        """What we have offered and the far end has not answered."""
        self._counters = LegCounters()
        self._round_trip = RoundTrip()
        self._watch = StallWatch(context.rtp_timeout_s, context.clock())
        self._held_watch = StallWatch(HELD_TIMEOUT_S, context.clock())
        port.hear, port.speak = self._ear.hear, self.playout.next_frame

    @property
    def leg_id(self) -> LegId:
        """Serial number on the card."""
        return self._id

    @property
    def live(self) -> bool:
        """Answered and not yet closed."""
        return self._answered and self.state in ("connected", "held")

    @property
    def audible(self) -> bool:
        """Whether its audio goes to the core: also what the far end plays before it answers us."""
        return self.live or (self.outbound and self.state == "ringing" and self._call.media is not None)

    def snapshot(self) -> wire.LegSnapshot:
        """For a core that has just attached."""
        return wire.LegSnapshot(self.incoming, self.state, self.kept, self.outbound)

    # ---- commands of the core ------------------------------------------------------------------

    def ring(self, *, early_media: bool = False) -> None:
        """180, or 183 with our SDP. Raises `PjsipError`."""
        self._inbound_only()
        self._call.answer(183 if early_media else 180)

    def answer(self) -> None:
        """200 with our SDP. Raises `PjsipError`."""
        self._inbound_only()
        self._call.answer(200)

    def reject(self, status: int, reason: str, headers: Headers) -> None:
        """Final refusal. Raises `PjsipError` when the call has been answered already."""
        self._inbound_only()
        if self._answered:
            raise PjsipError("the call has been answered")
        self._end("gateway", status, reason, headers)

    def hangup(self, status: int, reason: str, *, drain: bool, by: Side = "gateway") -> None:
        """End the leg now, or once its queued audio has been heard."""
        if self._ending_since_s is not None:
            return
        if drain and self.state == "connected" and not self.playout.drained and not self.playout.paused:
            self._drain_status = (status, reason)
            self._drain_until_s = self._context.clock() + self.playout.queued_ms / 1000 + _DRAIN_GRACE_S
            return
        self._end(by, status, reason)

    def flush(self, request: int) -> None:
        """Empty the playout buffer and say what was heard."""
        cut = self.playout.flush()
        self.report_marks()
        now = self._context.clock()
        self._context.emit(wire.Flushed(self._id, request, cut.mark, cut.played_ms, cut.dropped_ms, now))

    def send_dtmf(self, digits: str) -> None:
        """RFC 4733, else INFO. Raises `PjsipError`."""
        if not digits or any(digit not in "0123456789ABCDabcd*#" for digit in digits):
            raise PjsipError("not DTMF digits")
        self._call.send_dtmf(digits.upper())

    def transfer(self, target_uri: str, headers: Headers) -> None:
        """REFER; one at a time. Raises `PjsipError`."""
        if not self.live or self._ending_since_s is not None:
            raise PjsipError("the call is not connected")
        if self._transfer.pending:
            raise PjsipError("a transfer is under way")
        self._call.transfer(target_uri, headers)
        self._transfer.begin(self._context.clock())

    def hold(self, held: bool) -> None:
        """Offer sendonly, or sendrecv again; as soon as that can be. Raises `PjsipError`."""
        if not self.live or self._ending_since_s is not None:
            raise PjsipError("the call is not connected")
        self._hold.wanted = held
        self._settle_hold(self._context.clock())

    def _settle_hold(self, now: float) -> None:
        if self._offer or not self.live or self._ending_since_s is not None or not self._hold.due(now):
            return
        try:
            self._call.hold(self._hold.wanted)
        except PjsipError as exc:  # most often an offer of the far end that is under way
            log.info("the far end is not told of hold yet", leg=self._id, reason=str(exc))
            self._hold.postpone(now)
            return
        self._offer = "hold"
        self._hold.offer_made()

    def set_tier(self, tier: str) -> None:
        """Offer a codec and packet time, `ILBC/30`. Raises `PjsipError`."""
        codec, _, ptime_ms = tier.rpartition("/")
        if tier not in self._context.tiers:
            raise PjsipError(f"no tier is called {tier!r}")
        if self.state != "connected" or not self._hold.settled or self._transfer.pending or self._offer:
            raise BusyError("the session is on hold, being transferred or being changed")
        self._call.renegotiate(codec, int(ptime_ms))
        self._offer = "tier"

    # ---- from PJSIP ----------------------------------------------------------------------------

    def on_state(self, state: CallState, status: int, reason: str) -> None:
        """The SIP dialog moved on."""
        if state == "early" and self.state in ("incoming", "calling", "ringing"):
            self.state = "ringing"
            if self.outbound:
                self._report_progress()
                self._progress = status, reason
        elif state in ("connecting", "confirmed") and not self._answered:
            if self._ending_since_s is not None:
                return  # the answer crossed our CANCEL; PJSIP sends BYE
            self._report_progress()
            self._answered = True
            media = self._call.media
            self.state = "held" if media is not None and not media.sending else "connected"
            self._context.emit(wire.Answered(self._id, self._context.clock()))
        elif state == "disconnected":
            self._report_progress()
            self.state = "closed"
            self._port.hear = self._port.speak = None
            self._tell_closed(status, reason)
            self._context.closed(self)

    def on_media(self, media: MediaInfo) -> None:
        """Offer and answer were agreed on."""
        self._offer = ""
        self._ear.coded(media)
        if self._answered:
            self.state = "connected" if media.sending else "held"
        self.report_media(media)

    def on_digit(self, digit: str, duration_ms: int, method: DtmfMethod) -> None:
        """A DTMF digit arrived."""
        self._context.emit(wire.Dtmf(self._id, digit, duration_ms, method))

    def on_refused(self, status: int, reason: str) -> None:
        """The far end keeps its media."""
        offer, self._offer = self._offer, ""
        if offer == "tier":
            self._call.keep_media()
            self._context.emit(wire.Refused(self._id, wire.SetTier.__name__, reason, status))
        elif offer == "hold" and self._hold.refused(status, self._context.clock()):
            self._context.emit(wire.Refused(self._id, wire.Hold.__name__, reason, status))

    def on_transfer(self, status: int, reason: str, *, final: bool) -> None:
        """The far end says how the transfer goes."""
        if self._transfer.pending:
            self._tell_transfer(status, reason, final=final)

    def _tell_transfer(self, status: int, reason: str, *, final: bool) -> None:
        if final:
            self._transfer.end()
        self._context.emit(wire.TransferProgress(self._id, status, reason, final))

    # ---- time passes ---------------------------------------------------------------------------

    def heard_record(self) -> bytes:
        """What the far end said in this tick, as a record of a HEARD frame."""
        return self._ear.record(self._id)

    def after_tick(self, now: float) -> None:
        """Report marks and progress, make a hold that could not be made before, finish a drain."""
        self._report_progress()
        self.report_marks()
        self._settle_hold(now)
        if self._drain_until_s is None:
            return
        if self.playout.drained and self._drained_at_s is None:
            self._drained_at_s = now
        over = self._drained_at_s is not None and now >= self._drained_at_s + _DRAIN_LINGER_S
        if over or now >= self._drain_until_s or self.state != "connected":
            self._drain_until_s = None
            self._end("gateway", *self._drain_status)

    def each_second(self, now: float) -> None:
        """Report quality, notice a far end that is silent or does not answer BYE."""
        if self._ending_since_s is not None and now - self._ending_since_s >= _BYE_GRACE_S:
            self.state = "closed"
            self._tell_closed(*((200, "BYE not answered yet") if self._answered else _CANCELLED))
        if not self.live:
            return
        if self._transfer.overdue(now):
            self._tell_transfer(408, "the far end did not say how it went", final=True)
        current = self._call.quality()
        expected = self.state == "connected" and not self._hold.offered
        silent_s = self._watch.check(current, now, expected=expected)
        held_s = self._held_watch.check(current, now, expected=not expected)
        silent_s = held_s if silent_s is None else silent_s
        if silent_s is not None:
            self._context.emit(wire.RtpStalled(self._id, silent_s))
        if current is not None:
            self._context.emit(self._quality(self._counters.add(current)))

    def _report_progress(self) -> None:
        if self._progress is not None:
            (status, reason), self._progress = self._progress, None
            early_media = self._call.media is not None
            self._context.emit(wire.Progress(self._id, status, reason, early_media))

    def report_marks(self) -> None:
        """Tell the core which marks started and finished."""
        for event in self.playout.take_events():
            now = self._context.clock()
            if isinstance(event, MarkStarted):
                self._context.emit(wire.PlayStarted(self._id, event.mark, now))
            else:
                self._context.emit(wire.PlayFinished(self._id, event.mark, event.played_ms, now))

    def report_media(self, media: MediaInfo | None = None) -> None:
        """Tell the core what offer and answer agreed on."""
        media = media or self._call.media
        if media is not None:
            self._context.emit(
                wire.MediaChanged(
                    self._id,
                    media.codec.upper(),
                    media.clock_rate_hz,
                    media.ptime_ms,
                    media.srtp,
                    not media.sending,
                    media.offered,
                )
            )

    def _inbound_only(self) -> None:
        if self.outbound:
            raise PjsipError("the call is ours, its far end answers")

    def _tell_closed(self, status: int, reason: str) -> None:
        if not self._told_closed:
            self._told_closed = True
            self._context.emit(wire.LegClosed(self._id, status, reason, self._ended_by))

    def _end(self, by: Side, status: int, reason: str, headers: Headers = ()) -> None:
        self._ended_by = by
        if self._answered or self.outbound:
            self._call.hangup()  # BYE or CANCEL
            self._ending_since_s = self._context.clock()
        else:
            self._call.answer(status if status >= 300 else 480, reason, headers)

    def _quality(self, totals: StreamQuality) -> wire.Quality:
        self._round_trip.read(totals.rtt)
        rtt_ms = self._round_trip.rtt_ms
        return wire.Quality(
            leg=self._id,
            rx_packets=totals.rx_packets,
            rx_lost=totals.rx_lost,
            rx_discarded=totals.rx_discarded,
            rx_jitter_ms=totals.rx_jitter_ms,
            jitter_buffer_ms=totals.jitter_buffer_ms,
            tx_packets=totals.tx_packets,
            tx_lost=totals.tx_lost,
            tx_jitter_ms=totals.tx_jitter_ms,
            rtt_ms=-1.0 if rtt_ms is None else rtt_ms,
            underruns=self.playout.underruns,
            playout_dropped_ms=self.playout.overflow_ms,
            starved_ms=self.playout.starved_ms,
            rx_loss_runs=totals.rx_loss_runs,
            tx_reports=totals.tx_reports,
        )

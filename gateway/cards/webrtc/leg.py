"""One WebRTC peer as a leg: its state, its audio both ways and what the core may ask of it."""

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol

from gateway.cards.webrtc.codecs import CodecKind
from gateway.cards.webrtc.downlink import Downlink
from gateway.cards.webrtc.notice import playout_stopped
from gateway.cards.webrtc.peer import FarReport
from gateway.cards.webrtc.readings import Counts, quality
from gateway.cards.webrtc.sdp import Offer
from gateway.cards.webrtc.uplink import Uplink
from gateway.core.audio import PTIME_MS, PcmFormat
from gateway.core.bucket import TokenBucket
from gateway.core.ids import LegId, Mark
from gateway.core.playout import MarkStarted
from gateway.errors import LocalError
from gateway.observe.log import get_logger
from gateway.wire import card as wire
from gateway.wire.frames import HeardFlag, pack_heard_record

CONNECT_TIMEOUT_S: Final = 10.0
SILENT_S: Final = 8.0
"""Without any sign of life a peer is gone; without RTP alone it is stalled."""
_WAIT_S: Final = 0.1
"""Who has nothing to say by then begins with silence."""
_AHEAD_PACKETS: Final = 2
"""Sent at once when the stream begins."""
_DRAIN_LINGER_S: Final = 0.1
"""Between the last audio and the end, so that the far end's jitter buffer can play it."""
_DRAIN_GRACE_S: Final = 5.0
_TEXTS_PER_S: Final = 100.0
_TEXT_BURST: Final = 200.0
_TEXT_BYTES_PER_S: Final = 256e3
_TEXT_BYTES_BURST: Final = 512e3
_NONE: Final = int(HeardFlag.NONE)
_CONCEALED: Final = int(HeardFlag.CONCEALED)

Side = Literal["far_end", "gateway", "card"]

log = get_logger()


class Connection(Protocol):
    """What a leg needs of its peer."""

    unsent: int

    @property
    def packets_sent(self) -> int:
        """Audio packets so far."""

    @property
    def asked_again(self) -> int:
        """Of them, those that the far end missed."""

    @property
    def first_timestamp(self) -> int:
        """RTP timestamp of our stream's beginning, on the wire."""

    @property
    def channel_open(self) -> bool:
        """Whether the data channel is open."""

    def send(self, payload: bytes, timestamp: int) -> None:
        """An encoded packet."""

    def send_text(self, text: str) -> bool:
        """A text message."""

    async def far_report(self) -> FarReport:
        """The far end's view of our stream."""

    async def close(self) -> None:
        """End it."""


@dataclass(frozen=True, slots=True)
class LegContext:
    """What all legs of a card share."""

    pcm_format: PcmFormat
    clock: Callable[[], float]
    """CLOCK_MONOTONIC seconds."""
    emit: Callable[[wire.FromCard], None]
    """To the core, if there is one."""
    closed: Callable[["WebrtcLeg"], None]
    """The leg is gone."""
    arrived: Callable[["WebrtcLeg"], None]
    """Audio came: `heard` wants to be called soon. Hot path."""
    spawn: Callable[[Coroutine[Any, Any, None]], None]
    """Run to its end in the background, awaited by the card."""


class WebrtcLeg:
    """Follows one peer from its offer to its end."""

    def __init__(self, incoming: wire.Incoming, offer: Offer, context: LegContext) -> None:
        now = context.clock()
        self.incoming = incoming
        self.state: wire.LegState = "incoming"
        self.kept = b""
        self._context = context
        self._kind: CodecKind = offer.codec
        self._speaks = offer.direction != "recvonly"
        self._peer: Connection | None = None
        self.downlink = Downlink(offer.codec, context.pcm_format)
        self.uplink = Uplink(offer.codec, context.pcm_format, now)
        self._connected = self._accepted = self._answered = False
        self._born_s = self._alive_s = now
        self._stalled = False
        self._waits_until_s: float | None = None
        """Till then nothing is sent unless there is something to say; None: the stream runs."""
        self._drain_until_s: float | None = None
        self._drained_at_s: float | None = None
        self._drain_status = (200, "")
        self._texts = TokenBucket(per_s=_TEXTS_PER_S, burst=_TEXT_BURST)
        self._text_bytes = TokenBucket(per_s=_TEXT_BYTES_PER_S, burst=_TEXT_BYTES_BURST)
        self.texts_dropped = 0
        """Messages beyond the limits."""
        self._report = FarReport()
        self._reported = (0, 0)
        self._last_report = FarReport()
        self._far_reports = 0
        """Reports of the far end that differed from the one before."""

    @property
    def leg_id(self) -> LegId:
        """Serial number on the card."""
        return self.incoming.leg

    @property
    def live(self) -> bool:
        """Answered and not yet closed: its audio goes to the core."""
        return self._answered and self.state != "closed"

    def bind(self, peer: Connection) -> None:
        """The peer is there; once, before anything else."""
        self._peer = peer

    def snapshot(self) -> wire.LegSnapshot:
        """For a core that has just attached."""
        return wire.LegSnapshot(self.incoming, self.state, self.kept)

    # ---- commands of the core ------------------------------------------------------------------

    def ring(self) -> None:
        """Nothing to send: the page hears of it over its own channel."""
        if self.state == "incoming":
            self.state = "ringing"

    def answer(self) -> None:
        """The call is taken; audio flows once the connection stands."""
        self._accepted = True
        self._begin()

    def reject(self, status: int, reason: str) -> None:
        """End it before it was answered. Raises `LocalError` after."""
        if self._answered:
            raise LocalError("the call has been answered")
        self.end("gateway", status, reason)

    def hangup(self, status: int, reason: str, *, drain: bool) -> None:
        """End the leg now, or once its queued audio has been heard."""
        playout = self.downlink.playout
        if drain and self.live and not playout.drained and not playout.paused:
            self._drain_status = (status, reason)
            self._drain_until_s = self._context.clock() + playout.queued_ms / 1000 + _DRAIN_GRACE_S
            return
        self.end("gateway", 200 if self._answered else status, reason)

    def play(self, pcm: bytes, mark: Mark, *, last: bool, live: bool) -> None:
        """Queue audio. Raises `ValueError` for half a sample. Hot path."""
        self.downlink.playout.play(pcm, mark, last=last, live=live)
        if self._waits_until_s is not None:
            self._start_sending()
        self.report_marks()

    def pause(self) -> None:
        """Silence that can be taken back."""
        self._tell_silence()
        self.downlink.playout.pause()

    def resume(self) -> None:
        """Go on after `pause`."""
        self.downlink.playout.resume()

    def _tell_silence(self) -> None:
        """The page need not play what is on its way; told at once, before the silence itself is sent."""
        ends, peer = self.downlink.sound_ends, self._peer
        if ends is not None and peer is not None and peer.channel_open and self.live:
            peer.send_text(playout_stopped(peer.first_timestamp + ends))

    def flush(self, request: int) -> None:
        """Empty the playout buffer and say what was heard."""
        self._tell_silence()
        result = self.downlink.playout.flush()
        self.report_marks()
        self._context.emit(
            wire.Flushed(
                self.leg_id, request, result.mark, result.played_ms, result.dropped_ms, self._context.clock()
            )
        )

    def set_tier(self, name: str) -> None:
        """Change bitrate and packet time. Raises `LocalError`."""
        try:
            self.downlink.set_tier(name)
        except ValueError as exc:
            raise LocalError(str(exc)) from exc
        self.report_media()

    def send_text(self, text: str) -> None:
        """Over the data channel; lost while it is not open."""
        if self._peer is not None:
            self._peer.send_text(text)

    def end(self, by: Side, status: int, reason: str) -> None:
        """It is over, whoever ended it."""
        if self.state == "closed":
            return
        self.state = "closed"
        self._context.emit(wire.LegClosed(self.leg_id, status, reason, by))
        self._context.closed(self)
        peer = self._peer
        if peer is None:
            return
        if self.texts_dropped or peer.unsent:
            log.warning("texts dropped", leg=self.leg_id, incoming=self.texts_dropped, outgoing=peer.unsent)
        self._context.spawn(peer.close())

    # ---- from the peer -------------------------------------------------------------------------

    def on_connected(self) -> None:
        """ICE and DTLS are done."""
        self._connected = True
        self._alive_s = self._context.clock()
        self._begin()

    def on_lost(self, status: int, reason: str) -> None:
        """The connection is gone."""
        self.end("far_end", status, reason)

    def on_packet(self, ssrc: int, sequence: int, timestamp: int, payload: bytes) -> Sequence[int]:
        """A packet of audio."""
        missing = self.uplink.take(ssrc, sequence, timestamp, payload, self._context.clock())
        if self._answered:
            self._context.arrived(self)
        return missing

    def on_alive(self) -> None:
        """An authentic sign of life."""
        self._alive_s = self._context.clock()

    def on_channel(self) -> None:
        """The data channel is open."""
        if self.state != "closed":
            self._context.emit(wire.ChannelOpened(self.leg_id))

    def on_text(self, text: str) -> None:
        """A text message, passed on within limits."""
        now = self._context.clock()
        size = len(text.encode(errors="replace"))
        if self.state == "closed" or not (self._texts.take(now) and self._text_bytes.take(now, size)):
            self.texts_dropped += 1
            return
        self._context.emit(wire.ChannelText(self.leg_id, text))

    def _begin(self) -> None:
        if self._answered or not (self._connected and self._accepted) or self.state == "closed":
            return
        now = self._context.clock()
        self._answered, self.state = True, "connected"
        self.uplink.last_packet_s = now
        self.report_media()
        self._context.emit(wire.Answered(self.leg_id, now))
        self._waits_until_s = now + _WAIT_S
        self._start_sending()

    def _start_sending(self) -> None:
        """Begin the stream with the first words, not with silence that they would have to wait behind.

        A browser plays when it has 40 ms, and later plays faster until it holds what the network asks for.
        """
        if self.live and self.downlink.playout.queued_ms >= _AHEAD_PACKETS * PTIME_MS:
            self._waits_until_s = None
            for _ in range(_AHEAD_PACKETS):
                self._send_next()
            self.report_marks()

    def _send_next(self) -> None:
        packet = self.downlink.tick()
        if packet is not None and self._peer is not None:
            self._peer.send(*packet)

    # ---- time passes ---------------------------------------------------------------------------

    def tick(self, now: float) -> bytes:
        """20 ms: send what is due, hand over what was heard as records of a HEARD frame."""
        peer = self._peer
        if peer is None or not self.live:
            return b""
        if self._waits_until_s is None or now >= self._waits_until_s:
            self._waits_until_s = None
            self._send_next()
        self.report_marks()
        if self._drain_until_s is not None:
            self._drain(now, self._drain_until_s)
        frames, concealed = self.uplink.tick(now)
        flags = _CONCEALED if concealed else _NONE
        return b"".join([pack_heard_record(self.leg_id, flags, pcm) for pcm in frames])

    def heard(self, now: float) -> bytes:
        """What came since, for the core, without waiting for the tick."""
        if not self.live:
            return b""
        return b"".join([pack_heard_record(self.leg_id, _NONE, pcm) for pcm in self.uplink.ready(now)])

    async def each_second(self) -> None:
        """Watchdogs, then the quality report."""
        now = self._context.clock()
        if not self._connected and now - self._born_s >= CONNECT_TIMEOUT_S:
            self.end("card", 408, f"no connection within {CONNECT_TIMEOUT_S:.0f} s")
        elif self._connected and now - self._alive_s >= SILENT_S:
            self.end("far_end", 408, f"no sign of life for {SILENT_S:.0f} s")
        elif self.live:
            self._watch_audio(now)
            await self._report_quality()

    def report_marks(self) -> None:
        """Tell the core which marks started and finished."""
        for event in self.downlink.playout.take_events():
            now = self._context.clock()
            if isinstance(event, MarkStarted):
                self._context.emit(wire.PlayStarted(self.leg_id, event.mark, now))
            else:
                self._context.emit(wire.PlayFinished(self.leg_id, event.mark, event.played_ms, now))

    def report_state(self) -> None:
        """What a new core cannot know from the snapshot."""
        if self.live:
            self.report_media()
        if self._peer is not None and self._peer.channel_open:
            self._context.emit(wire.ChannelOpened(self.leg_id))

    def report_media(self) -> None:
        """Codec and packet time."""
        self._context.emit(
            wire.MediaChanged(
                self.leg_id,
                self._kind.name.upper(),
                self._kind.clock_rate_hz,
                self.downlink.ptime_ms,
                srtp=True,
                held=False,
            )
        )

    def _drain(self, now: float, until_s: float) -> None:
        if self.downlink.playout.drained and self._drained_at_s is None:
            self._drained_at_s = now
        over = self._drained_at_s is not None and now >= self._drained_at_s + _DRAIN_LINGER_S
        if over or now >= until_s:
            self._drain_until_s = None
            self.end("gateway", 200, self._drain_status[1])

    def _watch_audio(self, now: float) -> None:
        silent_s = now - self.uplink.last_packet_s
        if not self._speaks or silent_s < SILENT_S:
            self._stalled = False
        elif not self._stalled:
            self._stalled = True
            self._context.emit(wire.RtpStalled(self.leg_id, silent_s))

    async def _report_quality(self) -> None:
        peer = self._peer
        assert peer is not None
        report = self._report = await peer.far_report()
        sent, lost = peer.packets_sent - self._reported[0], report.lost - self._reported[1]
        if report.lost >= 0 and sent >= 50:
            self.downlink.expect_loss(100 * max(0, lost) / sent)
            self._reported = (peer.packets_sent, report.lost)
        uplink, playout = self.uplink, self.downlink.playout
        rise_ms = uplink.delay_rise_ms(self._context.clock())
        if report != self._last_report:
            self._last_report, self._far_reports = report, self._far_reports + 1
        if self.state == "closed":
            return
        counts = Counts(peer.packets_sent, peer.asked_again, self._far_reports)
        self._context.emit(quality(self.leg_id, uplink, playout, report, counts, rise_ms))

"""Looks after the line of one party of a call: measures it, moves it up and down, says when nothing helps."""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from gateway.calls.journal import Journal
from gateway.calls.line.ladders import Ladders
from gateway.calls.line.steering import PeerSteering, PhoneSteering, Steering, TierChange, Unsteered
from gateway.calls.oai_requests import PeerStats
from gateway.calls.party import Party
from gateway.core.ladder.last_resort import LastResorts, ResortSettings
from gateway.core.quality.monitor import QualityMonitor, QualityReport
from gateway.core.quality.reading import StreamReading
from gateway.core.quality.rise import DelayRise
from gateway.core.quality.track import QualityPoint
from gateway.core.record import TimelineKind
from gateway.legs import readings
from gateway.legs.contract import LegEvent
from gateway.wire import card as wire

_SURE: Final = 0.5
"""Least confidence of a figure that is written down."""
_SAMPLES_PER_MS: Final = 48
"""Browsers count at 48 kHz."""


class LineCare:
    """Gets the leg's events beside the call."""

    def __init__(
        self,
        party: Party,
        journal: Journal,
        ladders: Ladders,
        clock: Callable[[], float],
        *,
        trunk: str = "",
        on_hopeless: Callable[[], None] | None = None,
    ) -> None:
        """trunk: by which the party came. `on_hopeless`: told each time that nothing helps for a while."""
        self._party = party
        self._journal = journal
        self._ladders = ladders
        self._clock = clock
        self._trunk = trunk
        self._on_hopeless = on_hopeless
        self._resorts = LastResorts(ResortSettings())
        self._steering: Steering | None = None
        self._received: QualityMonitor | None = None
        self._sent: QualityMonitor | None = None
        self._held = self._stalled = self._transferring = False
        self._packets = -1
        self._rise = DelayRise()
        self._peer = _PeerView()

    @property
    def _is_caller(self) -> bool:
        return self._party.role == "caller"

    def on_event(self, event: LegEvent) -> None:
        """Something happened to the leg."""
        match event:
            case wire.MediaChanged():
                self._on_media(event)
            case wire.Quality():
                self._on_quality(event)
            case wire.RtpStalled():
                self._stalled = True
            case wire.TransferProgress(final=final):
                self._transferring = not final
            case wire.Refused(command=wire.SetTier.__name__, status=status, reason=reason):
                note = f"the far end keeps its codec: {status} {reason}"
                self._journal.note(TimelineKind.NOTE, text=note, party=self._party.key)
                if self._steering is not None:
                    self._steering.on_refused(status, self._clock())
            case _:
                pass

    def _on_media(self, media: wire.MediaChanged) -> None:
        self._held = media.held
        if self._steering is None:
            self._steering = self._steering_for(media)
            received, sent = self._steering.codings
            self._received, self._sent = QualityMonitor(received), QualityMonitor(sent)
        else:
            self._steering.on_media(media, self._clock())
        self._recode()

    def _steering_for(self, media: wire.MediaChanged) -> Steering:
        leg, now = self._party.leg, self._clock()
        phone, peer = self._ladders.for_trunk(self._trunk), self._ladders.peer
        if not leg.capabilities.tiers:
            return Unsteered(media)
        if leg.kind != "webrtc" and phone is not None:
            return PhoneSteering(leg, phone, media, self._note, now)
        if leg.kind == "webrtc" and peer is not None and media.codec == "OPUS":
            return PeerSteering(leg, peer, self._note, now)
        return Unsteered(media)

    def _recode(self) -> None:
        if self._steering is not None and self._received is not None and self._sent is not None:
            self._received.coding, self._sent.coding = self._steering.codings

    def _on_quality(self, quality: wire.Quality) -> None:
        steering, now = self._steering, self._clock()
        if steering is None or self._received is None or self._sent is None:
            return
        if quality.rx_packets != self._packets:
            self._packets, self._stalled = quality.rx_packets, False
        received = self._received.add(self._own_reading(quality, now), now)
        heard = self._far_reading(quality)
        sent = self._sent.add(heard, now) if heard is not None else None
        busy = self._held or self._transferring or self._party.held
        steering.on_reports(received, sent, now, busy=busy)
        self._recode()
        if busy:
            return
        if self._is_caller:
            self._write_down(received, sent, steering.tier)
        scores = [report.mos for report in (received, sent) if report is not None and _sure(report)]
        if self._resorts.handle(steering.stuck, scores, now) and self._on_hopeless is not None:
            self._on_hopeless()

    def _own_reading(self, quality: wire.Quality, now: float) -> StreamReading:
        reading = readings.received(quality, stalled=self._stalled)
        rise_ms = self._rise.believe(reading.delay_rise_ms, reading.rtt_ms, now)
        return replace(reading, delay_rise_ms=rise_ms)

    def _far_reading(self, quality: wire.Quality) -> StreamReading | None:
        """What the far end hears: what its page measures each second, else its RTCP."""
        stats = self._journal.figures.peer if self._is_caller else None
        if stats is None:
            return readings.sent(quality)
        if isinstance(self._steering, PeerSteering):
            self._steering.steerable = True
        return self._peer.reading(stats, quality.tx_repaired)

    def _write_down(self, received: QualityReport, sent: QualityReport | None, tier: str) -> None:
        if not _sure(received):
            return
        known = sent is not None and _sure(sent)
        self._journal.figures.line.add(
            QualityPoint(
                at_ms=round((received.at_s - self._journal.facts.started_s) * 1000),
                received_loss=round(received.loss, 4),
                sent_loss=round(sent.loss, 4) if sent is not None and known else None,
                received_mos=round(received.mos, 2),
                sent_mos=round(sent.mos, 2) if sent is not None and known else None,
                rtt_ms=None if received.rtt_ms is None else round(received.rtt_ms, 1),
                jitter_ms=round(received.jitter_ms, 1),
                tier=tier,
            )
        )

    def _note(self, change: TierChange) -> None:
        self._journal.figures.tier_changes += 1
        self._journal.note(
            TimelineKind.TIER,
            party=self._party.key,
            direction=change.direction,
            before=change.before,
            after=change.after,
            reason=change.why,
        )


class _PeerView:
    """A browser's sums as a stream reading."""

    def __init__(self) -> None:
        self._last: PeerStats | None = None
        self._count = 0
        self._lost = 0

    def reading(self, stats: PeerStats, repaired: int) -> StreamReading:
        """Its newest sums; the same ones again are no new report. repaired: packets it asked for again."""
        if stats is not self._last:
            self._last, self._count = stats, self._count + 1
        # It takes back losses that came late after all; the monitor's counters only grow.
        self._lost = max(self._lost, stats.packets_lost, repaired)
        made_up = max(0, stats.concealed_samples - stats.silent_concealed_samples)
        return StreamReading(
            expected=stats.packets_received + self._lost,
            lost=self._lost,
            concealed_ms=made_up / _SAMPLES_PER_MS,
            jitter_ms=stats.jitter_ms,
            rtt_ms=stats.rtt_ms,
            reports=self._count,
        )


def _sure(report: QualityReport) -> bool:
    return report.confidence >= _SURE

"""What a leg tells of its line once a second. Pure."""

from dataclasses import dataclass

from gateway.cards.webrtc.peer import FarReport
from gateway.cards.webrtc.uplink import Uplink
from gateway.core.ids import LegId
from gateway.core.playout import Playout
from gateway.wire import card as wire


@dataclass(frozen=True, slots=True)
class Counts:
    """Of the downlink, since the beginning."""

    sent: int
    """Packets."""
    asked_again: int
    """Of them, those that the far end missed."""
    reports: int
    """Reports of the far end that differed from the one before."""


def quality(
    leg: LegId, uplink: Uplink, playout: Playout, far: FarReport, counts: Counts, rise_ms: float | None
) -> wire.Quality:
    """rise_ms: see `Uplink.delay_rise_ms`."""
    return wire.Quality(
        leg=leg,
        rx_packets=uplink.packets,
        rx_lost=uplink.lost,
        rx_discarded=uplink.discarded,
        rx_jitter_ms=round(uplink.jitter_ms, 2),
        jitter_buffer_ms=round(uplink.wait_ms, 1),
        tx_packets=counts.sent,
        tx_lost=far.lost,
        tx_jitter_ms=round(far.jitter_ms, 2),
        rtt_ms=round(far.rtt_ms, 1),
        underruns=playout.underruns,
        playout_dropped_ms=playout.overflow_ms,
        starved_ms=playout.starved_ms,
        rx_loss_runs=uplink.loss_runs,
        rx_concealed_ms=round(uplink.concealed_ms, 1),
        rx_delay_rise_ms=-1.0 if rise_ms is None else round(rise_ms, 1),
        tx_reports=counts.reports,
        rx_repaired=uplink.repaired,
        tx_repaired=counts.asked_again,
    )

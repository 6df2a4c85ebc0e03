"""A card's quality message as the two readings that quality monitors take, one per direction."""

from gateway.core.quality.reading import StreamReading
from gateway.wire.card import Quality


def received(quality: Quality, *, stalled: bool = False) -> StreamReading:
    """What we hear. stalled: since the card's `RtpStalled`, until packets come again.

    What was lost and came when it was asked for again counts as lost: it tells what the path is like.
    """
    return StreamReading(
        expected=quality.rx_packets + quality.rx_lost,
        lost=quality.rx_lost + max(0, quality.rx_repaired),
        discarded=quality.rx_discarded,
        loss_runs=_whole(quality.rx_loss_runs),
        concealed_ms=_known(quality.rx_concealed_ms),
        jitter_ms=quality.rx_jitter_ms,
        jitter_buffer_ms=quality.jitter_buffer_ms,
        rtt_ms=_known(quality.rtt_ms),
        delay_rise_ms=_known(quality.rx_delay_rise_ms),
        stalled=stalled,
    )


def sent(quality: Quality) -> StreamReading | None:
    """What the far end hears, as far as it tells; None before its first report."""
    if quality.tx_lost < 0:
        return None
    return StreamReading(
        expected=quality.tx_packets,
        lost=max(quality.tx_lost, quality.tx_repaired),
        jitter_ms=quality.tx_jitter_ms,
        rtt_ms=_known(quality.rtt_ms),
        reports=_whole(quality.tx_reports),
    )


def _known(value: float) -> float | None:
    return None if value < 0 else value


def _whole(value: int) -> int | None:
    return None if value < 0 else value

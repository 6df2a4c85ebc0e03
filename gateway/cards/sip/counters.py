"""Counters of a leg that outlive its streams, and watches over far ends that have gone silent. Pure."""

from dataclasses import replace
from typing import Final

from gateway.cards.sip.contract import StreamQuality

TRANSFER_TIMEOUT_S: Final = 64.0
"""How long a far end may ring its new party without telling us the end."""


class LegCounters:
    """Adds up the counters of a leg's streams: PJSIP starts a new one at each negotiation."""

    def __init__(self) -> None:
        self._base: StreamQuality | None = None
        self._last: StreamQuality | None = None

    def add(self, now: StreamQuality) -> StreamQuality:
        """Totals since the leg began; gauges (jitter, buffer) as they are now."""
        last = self._last
        if last is not None and (now.rx_packets < last.rx_packets or now.tx_packets < last.tx_packets):
            self._base = self._sum(last)
        self._last = now
        return self._sum(now)

    def _sum(self, now: StreamQuality) -> StreamQuality:
        base = self._base
        if base is None:
            return now
        tx_lost = now.tx_lost if base.tx_lost < 0 else base.tx_lost + max(0, now.tx_lost)
        return replace(
            now,
            rx_packets=base.rx_packets + now.rx_packets,
            rx_lost=base.rx_lost + now.rx_lost,
            rx_discarded=base.rx_discarded + now.rx_discarded,
            tx_packets=base.tx_packets + now.tx_packets,
            tx_reports=base.tx_reports + now.tx_reports,
            tx_lost=tx_lost,
            rx_loss_runs=base.rx_loss_runs + now.rx_loss_runs,
        )


class StallWatch:
    """Notices that neither RTP nor RTCP has come for a while."""

    def __init__(self, timeout_s: float, now: float) -> None:
        self._timeout_s = timeout_s
        self._seen: tuple[int, int] | None = None
        self._alive_at_s = now
        self._reported = False

    def check(self, quality: StreamQuality | None, now: float, *, expected: bool) -> float | None:
        """Seconds of silence when they exceed the timeout, once per stall; else None.

        expected: whether the far end should be sending now; while it need not, the watch rests.
        """
        seen = (quality.rx_packets, quality.tx_reports) if quality is not None else None
        if not expected or seen != self._seen:
            self._seen, self._alive_at_s, self._reported = seen, now, False
            return None
        silent_s = now - self._alive_at_s
        if self._reported or silent_s < self._timeout_s:
            return None
        self._reported = True
        return silent_s


class TransferWatch:
    """At most one transfer is under way; its end is not waited for forever."""

    def __init__(self) -> None:
        self._since_s: float | None = None

    @property
    def pending(self) -> bool:
        """Whether the far end owes us its final word."""
        return self._since_s is not None

    def begin(self, now: float) -> None:
        """REFER is out."""
        self._since_s = now

    def end(self) -> None:
        """The final word came, or is not waited for."""
        self._since_s = None

    def overdue(self, now: float) -> bool:
        """Whether it is time to give up."""
        return self._since_s is not None and now - self._since_s >= TRANSFER_TIMEOUT_S

"""What is known about one direction of a leg's audio, once a second; and the arithmetic of RTCP."""

from dataclasses import dataclass

_SHORT_NTP_HZ = 65536


@dataclass(frozen=True, slots=True)
class StreamReading:
    """Counters since the stream began, and gauges as they are now.

    For what we receive they are our own; for what we send, the far end's reports.
    """

    expected: int
    """Packets that should have arrived: received and lost (RFC 3550 Appendix A.3), or sent by us."""
    lost: int
    """Of these, never arrived."""
    discarded: int = 0
    """Arrived, but too late to be played."""
    loss_runs: int | None = None
    """Runs of consecutive losses; tells bursts. None: not counted."""
    concealed_ms: float | None = None
    """Audio made up by the decoder where neither packet nor FEC was there. None: not counted."""
    jitter_ms: float = 0.0
    """Interarrival jitter (RFC 3550 §6.4.1)."""
    jitter_buffer_ms: float = 0.0
    """How long packets wait to be played."""
    rtt_ms: float | None = None
    delay_rise_ms: float | None = None
    """How much later than the fastest packet of the last minute even the fastest one of this second came.

    Jitter lets some packet through early now and then; a queue that stands lets none."""
    available_bps: float | None = None
    """What the path carries, where somebody estimates it."""
    stalled: bool = False
    """Nothing comes although it should."""
    reports: int | None = None
    """Reports of the far end so far, where the counters are only as new as the last one."""


def round_trip_ms(arrival_ntp: int, lsr: int, dlsr: int) -> float | None:
    """Round trip from a reception report (RFC 3550 §6.4.1); None for one that answers no sender report.

    arrival_ntp: when it came; lsr, dlsr as in the report. All in 1/65536 s, the middle 32 bits of an NTP
    timestamp, which wrap. A far end that claims to have held the report longer than it took yields 0.
    """
    if lsr == 0:
        return None
    ticks = (arrival_ntp - lsr - dlsr) & 0xFFFFFFFF
    return 0.0 if ticks >= 1 << 31 else ticks * 1000 / _SHORT_NTP_HZ

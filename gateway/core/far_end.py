"""What the far end has heard of the audio that we sent: it is behind by the network and its buffer. Pure."""

from typing import Final

_LONGEST_WAY_MS: Final = 500.0
"""Of one way: a report that claims more is not believed."""
_LEAST_BUFFER_MS: Final = 20.0
"""A packet is complete before it is played."""
_BUFFER_JITTERS: Final = 3.0
"""Depth of an adaptive buffer in units of the jitter of RFC 3550 section 6.4.1, a mean deviation: with this
many nearly all packets are in time."""
_DEEPEST_BUFFER_MS: Final = 200.0


def delay_to_ear_ms(rtt_ms: float | None, jitter_ms: float | None, buffer_ms: float | None = None) -> float:
    """How long audio takes from the wire here to the far end's ear.

    rtt_ms: by RTCP. jitter_ms: of our packets, as the far end reports it. buffer_ms: depth of its jitter
    buffer where it says so itself, else estimated. None: not known, and taken for nothing.
    """
    way_ms = 0.0 if rtt_ms is None else min(_LONGEST_WAY_MS, rtt_ms / 2)
    if buffer_ms is None:
        if jitter_ms is None:
            return way_ms
        buffer_ms = _BUFFER_JITTERS * jitter_ms
    return way_ms + min(_DEEPEST_BUFFER_MS, max(_LEAST_BUFFER_MS, buffer_ms))


def heard_ms(played_ms: int, delay_ms: float, silent_for_ms: float = 0.0) -> int:
    """How much of what was played has been heard when playing stopped `silent_for_ms` ago.

    delay_ms: to the ear. What was on its way then has arrived since, or part of it.
    """
    under_way_ms = max(0.0, delay_ms - max(0.0, silent_for_ms))
    return max(0, round(played_ms - under_way_ms))

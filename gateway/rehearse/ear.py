"""What a phone plays of the packets it received: a de-jitter buffer worked out afterwards. Pure.

The buffer is as deep as 99 % of the packets need, or as all of them do if `DEPTH_ALL_S` is enough for that,
and at most `DEPTH_MAX_S`; what comes later still is lost, as in a phone. The first packet missing is
replaced by half of the one before, further ones by silence. Second by second the buffer finds its place
anew, so that a sender whose clock slips is late only for a moment.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gateway.media.g711 import ulaw_decode

Samples = NDArray[np.float32]

RATE_HZ: Final = 8000
DEPTH_MAX_S: Final = 0.2
DEPTH_ALL_S: Final = 0.04
_QUANTILE: Final = 99
_JUMP_S: Final = 1.0
"""A larger step between timestamp and clock is another stream."""


@dataclass(frozen=True, slots=True)
class Packet:
    """One RTP packet with µ-law audio."""

    arrived_s: float
    seq: int
    timestamp: int
    ssrc: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Heard:
    """A whole call at the ear."""

    start_s: float
    """Time of the first sample."""
    samples: Samples
    """Full scale is 32768, `RATE_HZ`."""
    depth_ms: float
    """Of the de-jitter buffer."""
    expected: int
    """Packets that were sent to us, by their numbers."""
    lost: int
    """Packets that never came."""
    late: int
    """Packets that came too late to be played."""
    gaps: tuple[tuple[float, float], ...]
    """Times at which something had to be made up, (begin, end)."""

    @property
    def missing_share(self) -> float:
        """Packets that could not be played, 0 to 1."""
        return (self.lost + self.late) / self.expected if self.expected else 0.0


@dataclass(frozen=True, slots=True)
class _Stream:
    """One run of timestamps."""

    packets: tuple[Packet, ...]
    sent_s: NDArray[np.float64]
    """By timestamp, from the first packet's."""


def listen(packets: Sequence[Packet], start_s: float, end_s: float) -> Heard:
    """The sound from `start_s` to `end_s`."""
    sound = np.zeros(max(0, round((end_s - start_s) * RATE_HZ)), np.float32)
    depth_s, expected, lost, late = 0.0, 0, 0, 0
    gaps: list[tuple[float, float]] = []
    for stream in _streams(packets):
        transit = np.array([packet.arrived_s for packet in stream.packets]) - stream.sent_s
        least = _least_transit(transit, stream.sent_s)
        excess = transit - least
        depth = _depth_s(excess)
        played = {
            packet.seq: (packet, float(at + depth) - start_s)
            for packet, at, wait in zip(stream.packets, stream.sent_s + least, excess, strict=True)
            if wait <= depth + 1e-9
        }
        span, came = _span(stream.packets)
        depth_s, expected, lost = max(depth_s, depth), expected + span, lost + span - came
        late += came - len(played)
        gaps += _play(list(played.values()), sound)
    shifted = tuple((begin + start_s, end + start_s) for begin, end in gaps)
    return Heard(start_s, sound, depth_s * 1000, expected, lost, late, shifted)


def _least_transit(transit_s: NDArray[np.float64], sent_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """The shortest time any packet of the same second took, for each packet."""
    seconds = np.floor(sent_s - sent_s.min()).astype(np.int64)
    least = np.full(int(seconds.max()) + 1, np.inf)
    np.minimum.at(least, seconds, transit_s)
    return np.asarray(least[seconds], np.float64)


def _depth_s(excess_s: NDArray[np.float64]) -> float:
    """How much later than at once packets are played."""
    greatest = float(excess_s.max())
    if greatest <= DEPTH_ALL_S:
        return greatest
    return min(DEPTH_MAX_S, max(DEPTH_ALL_S, float(np.percentile(excess_s, _QUANTILE))))


def _streams(packets: Sequence[Packet]) -> Iterator[_Stream]:
    run: list[Packet] = []
    sent: list[float] = []
    for packet in packets:
        if run:
            step = (packet.timestamp - run[-1].timestamp + 2**31) % 2**32 - 2**31
            sent_s = sent[-1] + step / RATE_HZ
            drift_s = packet.arrived_s - run[-1].arrived_s - step / RATE_HZ
            if packet.ssrc != run[-1].ssrc or abs(drift_s) > _JUMP_S:
                yield _Stream(tuple(run), np.array(sent))
                run, sent, sent_s = [], [], 0.0
        else:
            sent_s = 0.0
        run.append(packet)
        sent.append(sent_s)
    if run:
        yield _Stream(tuple(run), np.array(sent))


def _span(packets: Sequence[Packet]) -> tuple[int, int]:
    """Packets sent, by the numbers, and different ones that came."""
    number = highest = lowest = 0
    seen = {0}
    for before, after in pairwise(packets):
        number += (after.seq - before.seq + 2**15) % 2**16 - 2**15
        seen.add(number)
        highest, lowest = max(highest, number), min(lowest, number)
    return highest - lowest + 1, len(seen)


def _play(played: list[tuple[Packet, float]], sound: Samples) -> list[tuple[float, float]]:
    """Lay the packets out in time; returns where something was missing."""
    gaps = []
    ordered = sorted(played, key=lambda each: each[1])
    for packet, at_s in ordered:
        _lay(sound, at_s, _decoded(packet.payload))
    for (before, at_s), (after, next_s) in pairwise(ordered):
        begin_s = at_s + len(before.payload) / RATE_HZ
        missing_s, consecutive = next_s - begin_s, (after.seq - before.seq) % 2**16 <= 1
        if missing_s > 0.001 and after.timestamp == _end_of(before):
            gaps.append((begin_s, next_s))  # the buffer found its place anew
        # Numbers without a hole are a sender that was silent on purpose.
        if missing_s > 0.001 and not consecutive:
            gaps.append((begin_s, next_s))
            room = round((next_s - begin_s) * RATE_HZ)
            _lay(sound, begin_s, _decoded(before.payload)[:room] * np.float32(0.5))
    return gaps


def _end_of(packet: Packet) -> int:
    """Timestamp of the packet behind it."""
    return (packet.timestamp + len(packet.payload)) % 2**32


def _decoded(payload: bytes) -> Samples:
    return np.frombuffer(ulaw_decode(payload), "<i2").astype(np.float32)


def _lay(sound: Samples, at_s: float, samples: Samples) -> None:
    first = round(at_s * RATE_HZ)
    skip = max(0, -first)
    room = sound[first + skip : first + len(samples)]
    room[:] = samples[skip : skip + len(room)]

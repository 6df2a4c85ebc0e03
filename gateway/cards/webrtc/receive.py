"""Receive buffer: packets from the network in, steps for a decoder out. Pure, time injected.

A packet in its turn is handed out at once: there is no prefetch, since whoever listens is a program and
not a loudspeaker that must not run dry. Only a gap makes us wait, until the missing packet would be later
than any has been lately: by 20 ms at the least, 80 ms at the most. Then

    gap of one to five    conceal every lost packet, the last one from the copy that may lie in the packet
                          behind it (RFC 6716 section 2.1.7)
    longer gap            leave it out: nobody invents 100 ms of speech

A packet that comes again because we asked for it is used if it is in time, but does not make us patient.
Sequence numbers are 16 bits and wrap (RFC 3550 section 5.1).
"""

from dataclasses import dataclass
from typing import Final, Literal

from gateway.cards.webrtc.spread import DelaySpread

_LEAST_WAIT_S: Final = 0.020
_MOST_WAIT_S: Final = 0.080
_STEP_S: Final = 0.020
"""Time between packets until we know better."""
_MAX_STEP_S: Final = 0.120
_MAX_CONCEALED: Final = 5
_MAX_AHEAD: Final = 100
"""A packet further ahead than this (2 s) begins anew; so it bounds the buffer too."""
_MAX_BEHIND: Final = 500
_REMEMBERED: Final = 128
_MAX_ASKED: Final = 16
"""Packets asked for again at once: what fits into one NACK."""
_SEQUENCES: Final = 1 << 16
_HALF: Final = 1 << 15


@dataclass(frozen=True, slots=True)
class Step:
    """What the decoder has to do next, for one packet's worth of audio."""

    kind: Literal["decode", "recover", "conceal"]
    """recover: the packet is lost, but the next one, `payload`, may hold a copy of it."""
    payload: bytes


@dataclass(slots=True)
class ReceiveCounters:
    """Packets since the stream began."""

    decoded: int = 0
    concealed: int = 0
    """Lost ones for which something was played (recovered or concealed)."""
    skipped: int = 0
    """Lost ones in a gap too long to fill."""
    late: int = 0
    """Came after they had been given up; counted under concealed or skipped as well."""
    duplicates: int = 0
    resets: int = 0


@dataclass(frozen=True, slots=True)
class _Waiting:
    payload: bytes
    arrived_s: float
    delay_s: float


class ReceiveBuffer:
    """Puts the packets of one stream in order."""

    def __init__(self, clock_rate_hz: int) -> None:
        self.counters = ReceiveCounters()
        self._clock_rate_hz = clock_rate_hz
        self._spread = DelaySpread(clock_rate_hz)
        self._waiting: dict[int, _Waiting] = {}
        self._given_up: dict[int, None] = {}
        self._next: int | None = None
        self._newest = (0, 0)
        """Sequence number and timestamp."""
        self._step_s = _STEP_S

    @property
    def wait_s(self) -> float:
        """How much later than the fastest ones a packet may be."""
        return min(_MOST_WAIT_S, max(_LEAST_WAIT_S, self._spread.peak_s))

    def push(self, sequence: int, timestamp: int, payload: bytes, now: float) -> tuple[int, ...]:
        """Take a packet. Returns sequence numbers that are missing since this very packet, for a NACK."""
        if self._next is None:
            self._restart(sequence, timestamp)
        assert self._next is not None
        ahead = (sequence - self._next) % _SEQUENCES
        if ahead >= _HALF:
            if self._not_begun and _SEQUENCES - ahead <= _MAX_CONCEALED:
                self._next = sequence  # the first two came in the wrong order
            elif _SEQUENCES - ahead <= _MAX_BEHIND:
                self._too_late(sequence)
                return ()
            else:
                self._reset(sequence, timestamp)
        elif ahead > _MAX_AHEAD:
            self._reset(sequence, timestamp)
        elif sequence in self._waiting:
            self.counters.duplicates += 1
            return ()
        delay_s = self._spread.delay_s(timestamp, now)
        self._waiting[sequence] = _Waiting(payload, now, delay_s)
        return self._arrived(sequence, timestamp, delay_s)

    def pull(self, now: float) -> list[Step]:
        """Everything that can be played by now, in order."""
        steps: list[Step] = []
        while self._waiting:
            assert self._next is not None
            entry = self._waiting.pop(self._next, None)
            if entry is not None:
                steps.append(Step("decode", entry.payload))
                self.counters.decoded += 1
                self._next = (self._next + 1) % _SEQUENCES
                continue
            if not self._give_up(now, steps):
                break
        return steps

    @property
    def _not_begun(self) -> bool:
        counters = self.counters
        return not (counters.decoded or counters.concealed or counters.skipped)

    def _arrived(self, sequence: int, timestamp: int, delay_s: float) -> tuple[int, ...]:
        """Learn from a packet that is the newest one; returns what is missing before it."""
        newest, at = self._newest
        gap = (sequence - newest) % _SEQUENCES
        if gap >= _HALF:
            return ()
        self._newest = (sequence, timestamp)
        self._spread.learn(delay_s)
        step_s = (timestamp - at) % (1 << 32) / self._clock_rate_hz
        if gap == 1 and 0 < step_s <= _MAX_STEP_S:
            self._step_s = step_s
        return tuple((newest + k) % _SEQUENCES for k in range(max(1, gap - _MAX_ASKED), gap))

    def _give_up(self, now: float, steps: list[Step]) -> bool:
        """Close the gap before the nearest packet that is there, if it is time to."""
        first = self._next
        assert first is not None
        nearest = min(self._waiting, key=lambda sequence: (sequence - first) % _SEQUENCES)
        gap = (nearest - first) % _SEQUENCES
        behind = self._waiting[nearest]
        # When the last lost packet should have come if it had been as fast as the fastest.
        ideal_s = behind.arrived_s - behind.delay_s + self._spread.shortest_s - self._step_s
        if now < min(ideal_s + self.wait_s, behind.arrived_s + _MOST_WAIT_S):
            return False
        for k in range(gap):
            self._given_up[(first + k) % _SEQUENCES] = None
        while len(self._given_up) > _REMEMBERED:
            del self._given_up[next(iter(self._given_up))]
        if gap > _MAX_CONCEALED:
            self.counters.skipped += gap
        else:
            self.counters.concealed += gap
            steps += [Step("conceal", b"")] * (gap - 1)
            steps.append(Step("recover", behind.payload))
        self._next = nearest
        return True

    def _too_late(self, sequence: int) -> None:
        if sequence in self._given_up:
            del self._given_up[sequence]
            self.counters.late += 1
        else:
            self.counters.duplicates += 1

    def _reset(self, sequence: int, timestamp: int) -> None:
        self.counters.resets += 1
        self._restart(sequence, timestamp)

    def _restart(self, sequence: int, timestamp: int) -> None:
        self._waiting.clear()
        self._given_up.clear()
        self._spread = DelaySpread(self._clock_rate_hz)
        self._next, self._newest = sequence, (sequence, timestamp)

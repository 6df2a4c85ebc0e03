"""Receive buffer: packets from the network in, steps for a decoder out. Pure, time injected.

A packet in its turn is handed out at once: there is no prefetch, since whoever listens is a program and
not a loudspeaker that must not run dry. Only a gap makes us wait, and not for longer than packets that
came too late have taught us: 20 ms at first, 80 ms at most, slowly less again. Then

    gap of one to five    conceal every lost packet, the last one from the copy that may lie in the packet
                          behind it (RFC 6716 section 2.1.7)
    longer gap            leave it out: nobody invents 100 ms of speech

Sequence numbers are 16 bits and wrap (RFC 3550 section 5.1).
"""

from dataclasses import dataclass
from typing import Final, Literal

_WAIT_S: Final = 0.020
_MAX_WAIT_S: Final = 0.080
_WAIT_DECAY: Final = 0.9995
"""Per packet: an hour of quiet line brings the wait back to its beginning within a minute."""
_LATE_MARGIN: Final = 1.1
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


class ReceiveBuffer:
    """Puts the packets of one stream in order."""

    def __init__(self) -> None:
        self.counters = ReceiveCounters()
        self._waiting: dict[int, tuple[bytes, float]] = {}
        self._given_up: dict[int, float] = {}
        self._next: int | None = None
        self._newest = 0
        self._wait_s = _WAIT_S

    @property
    def wait_ms(self) -> float:
        """How long a gap is waited for now."""
        return self._wait_s * 1000

    def push(self, sequence: int, payload: bytes, now: float) -> tuple[int, ...]:
        """Take a packet. Returns sequence numbers that are missing since this very packet, for a NACK."""
        if self._next is None:
            self._restart(sequence)
        assert self._next is not None
        ahead = (sequence - self._next) % _SEQUENCES
        if ahead >= _HALF:
            if _SEQUENCES - ahead <= _MAX_BEHIND:
                self._too_late(sequence, now)
                return ()
            self._reset(sequence)
        elif ahead > _MAX_AHEAD:
            self._reset(sequence)
        elif sequence in self._waiting:
            self.counters.duplicates += 1
            return ()
        self._waiting[sequence] = (payload, now)
        return self._missing(sequence)

    def pull(self, now: float) -> list[Step]:
        """Everything that can be played by now, in order."""
        steps: list[Step] = []
        while self._waiting:
            assert self._next is not None
            entry = self._waiting.pop(self._next, None)
            if entry is not None:
                steps.append(Step("decode", entry[0]))
                self.counters.decoded += 1
                self._next = (self._next + 1) % _SEQUENCES
                self._wait_s = max(_WAIT_S, self._wait_s * _WAIT_DECAY)
                continue
            since = min(arrival for _, arrival in self._waiting.values())
            if now - since < self._wait_s:
                break
            self._give_up(since, steps)
        return steps

    def _missing(self, sequence: int) -> tuple[int, ...]:
        gap = (sequence - self._newest) % _SEQUENCES
        if gap >= _HALF:
            return ()
        newest, self._newest = self._newest, sequence
        return tuple((newest + k) % _SEQUENCES for k in range(max(1, gap - _MAX_ASKED), gap))

    def _give_up(self, since: float, steps: list[Step]) -> None:
        """Close the gap before the nearest packet that is there."""
        first = self._next
        assert first is not None
        nearest = min(self._waiting, key=lambda sequence: (sequence - first) % _SEQUENCES)
        gap = (nearest - first) % _SEQUENCES
        for k in range(gap):
            self._given_up[(first + k) % _SEQUENCES] = since
        while len(self._given_up) > _REMEMBERED:
            del self._given_up[next(iter(self._given_up))]
        if gap > _MAX_CONCEALED:
            self.counters.skipped += gap
        else:
            self.counters.concealed += gap
            steps += [Step("conceal", b"")] * (gap - 1)
            steps.append(Step("recover", self._waiting[nearest][0]))
        self._next = nearest

    def _too_late(self, sequence: int, now: float) -> None:
        since = self._given_up.pop(sequence, None)
        if since is None:
            self.counters.duplicates += 1
            return
        self.counters.late += 1
        self._wait_s = min(_MAX_WAIT_S, max(self._wait_s, (now - since) * _LATE_MARGIN))

    def _reset(self, sequence: int) -> None:
        self.counters.resets += 1
        self._restart(sequence)

    def _restart(self, sequence: int) -> None:
        self._waiting.clear()
        self._given_up.clear()
        self._next = self._newest = sequence

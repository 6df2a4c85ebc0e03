"""One direction of an impaired network: a packet in, the moments at which it comes out. Pure, seeded.

In order: loss → duplication → rate limit with a tail-drop queue → delay and jitter → freezes → order.
Each source of chance draws from a sequence of its own, so that the same packets are lost whatever else is
switched on.
"""

from dataclasses import dataclass
from random import Random
from typing import Final

from gateway.impair.impairment import Impairment

HEADER_BYTES: Final = 28
"""IPv4 and UDP, which the rate limit counts too."""


@dataclass(slots=True)
class LineCounters:
    """What happened to the packets of one direction."""

    packets: int = 0
    """That came in."""
    payload_bytes: int = 0
    lost: int = 0
    """By chance."""
    queue_full: int = 0
    """Did not fit in front of the rate limit."""
    duplicated: int = 0
    reordered: int = 0
    """Leave before a packet that came earlier."""
    frozen: int = 0
    """Waited for the end of a freeze."""

    @property
    def dropped(self) -> int:
        """Packets that never come out."""
        return self.lost + self.queue_full

    def plus(self, other: "LineCounters") -> "LineCounters":
        """The sum of two."""
        return LineCounters(
            self.packets + other.packets,
            self.payload_bytes + other.payload_bytes,
            self.lost + other.lost,
            self.queue_full + other.queue_full,
            self.duplicated + other.duplicated,
            self.reordered + other.reordered,
            self.frozen + other.frozen,
        )


class Line:
    """One direction of one path. Times are monotonic seconds."""

    def __init__(self, impairment: Impairment, seed: int | str) -> None:
        self.counters = LineCounters()
        self._impairment = impairment
        self._loss_chance = Random(f"{seed}/loss")
        self._copy_chance = Random(f"{seed}/duplicate")
        self._jitter_chance = Random(f"{seed}/jitter")
        self._bad = False
        self._first_at: float | None = None
        self._link_free_at = 0.0
        self._latest_release = 0.0

    @property
    def impairment(self) -> Impairment:
        """What the network does now."""
        return self._impairment

    def change(self, impairment: Impairment) -> None:
        """From the next packet on, which is the first one anew for freezes; what is under way stays."""
        self._impairment = impairment
        self._bad = False
        self._first_at = None

    def releases(self, packet_bytes: int, now: float) -> list[float]:
        """When a packet of so many bytes of UDP payload comes out: never, once, or twice."""
        self.counters.packets += 1
        self.counters.payload_bytes += packet_bytes
        if self._first_at is None:
            self._first_at = now
        if self._loses():
            self.counters.lost += 1
            return []
        copies = 1
        # Drawn for every packet, so that the sequence does not depend on the settings.
        if self._copy_chance.random() < self._impairment.duplicate:
            self.counters.duplicated += 1
            copies = 2
        moments = (self._pass(packet_bytes, now) for _ in range(copies))
        return [at for at in moments if at is not None]

    def _loses(self) -> bool:
        setting, chance = self._impairment, self._loss_chance
        moves, falls = chance.random(), chance.random()
        if setting.burst_packets is None:
            return falls < setting.loss
        # Gilbert-Elliott: two states, geometric spells; the good one loses nothing.
        leave_bad = 1 / setting.burst_packets
        good_share = 1 - setting.bad_share
        leave_good = leave_bad * setting.bad_share / good_share
        self._bad = moves >= leave_bad if self._bad else moves < leave_good
        return self._bad and falls < setting.loss_in_burst

    def _pass(self, packet_bytes: int, now: float) -> float | None:
        setting = self._impairment
        at = now
        if setting.rate_bps is not None:
            begins = max(now, self._link_free_at)
            if begins - now > setting.queue_ms / 1000:
                self.counters.queue_full += 1
                return None
            at = begins + (packet_bytes + HEADER_BYTES) * 8 / setting.rate_bps
            self._link_free_at = at
        at += (setting.delay_ms + setting.jitter_ms * self._jitter_chance.random()) / 1000
        return self._in_order(self._after_freeze(at))

    def _after_freeze(self, at: float) -> float:
        stall = self._impairment.stall
        if stall is None or self._first_at is None:
            return at
        periods, into = divmod(at - self._first_at, stall.every_s)
        if periods < 1 or into >= stall.length_s:
            return at
        self.counters.frozen += 1
        return at + stall.length_s - into

    def _in_order(self, at: float) -> float:
        if at < self._latest_release:
            if not self._impairment.reorder:
                return self._latest_release
            self.counters.reordered += 1
            return at
        self._latest_release = at
        return at

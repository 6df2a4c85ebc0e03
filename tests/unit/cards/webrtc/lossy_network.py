"""A seeded network in virtual time: loses, delays and reorders packets, and answers NACKs."""

import heapq
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

TICK_S = 0.02


@dataclass
class LossyNetwork:
    """Delivers packets of 20 ms to a receiver that has a tick of its own."""

    loss: float
    jitter_s: float
    seed: int
    delay_s: float = 0.02
    retransmits: bool = True
    _random: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    def run(
        self,
        packets: Sequence[bytes],
        arrive: Callable[[int, bytes, float], Sequence[int]],
        tick: Callable[[float], None],
    ) -> None:
        """Packet k is sent at k * 20 ms; `arrive` returns what is to be sent again."""
        events: list[tuple[float, int, int]] = []
        order = 0
        for number in range(len(packets)):
            order += 1
            self._send(events, order, number, number * TICK_S)
        phase_s = self._random.uniform(0, TICK_S)
        ticks = len(packets) + round(0.5 / TICK_S)
        for at_s in (phase_s + k * TICK_S for k in range(ticks)):
            while events and events[0][0] <= at_s:
                arrived_s, _, number = heapq.heappop(events)
                missing = arrive(number % 65536, packets[number], arrived_s)
                for sequence in missing if self.retransmits else ():
                    order += 1
                    again = number - (number - sequence) % 65536
                    self._send(events, order, again, arrived_s + self.delay_s)
            tick(at_s)

    def _send(self, events: list[tuple[float, int, int]], order: int, number: int, at_s: float) -> None:
        if self._random.random() >= self.loss:
            delay_s = self.delay_s + self._random.uniform(0, self.jitter_s)
            heapq.heappush(events, (at_s + delay_s, order, number))

"""Repeats what the edge sends on its own account until it is answered. Pure, time injected.

Over UDP a final response to an INVITE is repeated until its ACK comes (RFC 3261 §17.2.1, timers G
and H), a BYE or CANCEL until its response comes (§17.1.2.2, timers E and F): after T1, then twice
as long each time up to T2, for 64 x T1 in all. Over TCP once is enough.
"""

import heapq
from dataclasses import dataclass
from typing import Final

from gateway.edge.commands import Flow, SendOutside

T1_S: Final = 0.5
T2_S: Final = 4.0
GIVE_UP_S: Final = 64 * T1_S
MAX_PENDING: Final = 4096

Key = tuple[bytes, ...]


@dataclass(slots=True)
class _Pending:
    flow: Flow
    data: bytes
    interval_s: float
    until: float


class Retransmitter:
    """A sans-IO machine; beyond MAX_PENDING messages are sent once only."""

    def __init__(self) -> None:
        self._pending: dict[Key, _Pending] = {}
        self._due: list[tuple[float, Key]] = []

    def __len__(self) -> int:
        return len(self._pending)

    def send(self, key: Key, flow: Flow, data: bytes, now: float) -> SendOutside:
        """The first transmission; over UDP more follow until `stop(key)`."""
        if flow.transport == "udp" and len(self._pending) < MAX_PENDING and key not in self._pending:
            self._pending[key] = _Pending(flow, data, T1_S, now + GIVE_UP_S)
            heapq.heappush(self._due, (now + T1_S, key))
        return SendOutside(flow, data)

    def stop(self, key: Key) -> bool:
        """Answered; False if nothing was pending under this key."""
        return self._pending.pop(key, None) is not None

    def next_deadline(self) -> float | None:
        """Time of the next repetition."""
        while self._due and self._due[0][1] not in self._pending:
            heapq.heappop(self._due)
        return self._due[0][0] if self._due else None

    def handle_timeout(self, now: float) -> list[SendOutside]:
        """Repetitions that are due."""
        sends: list[SendOutside] = []
        while self._due and self._due[0][0] <= now:
            _, key = heapq.heappop(self._due)
            pending = self._pending.get(key)
            if pending is None:
                continue
            if now >= pending.until:
                del self._pending[key]
                continue
            sends.append(SendOutside(pending.flow, pending.data))
            pending.interval_s = min(2 * pending.interval_s, T2_S)
            heapq.heappush(self._due, (now + pending.interval_s, key))
        return sends

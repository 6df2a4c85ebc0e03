"""Packets that wait for their moment, and the timer that lets them go."""

import asyncio
import heapq
from collections.abc import Callable
from typing import Final

MOST_WAITING: Final = 20_000
"""Packets; twenty seconds of twenty calls. A stall and a delay beyond that drop what comes next."""


class Outbox:
    """Sends each packet at its time; on the running event loop's clock."""

    def __init__(self, most_waiting: int = MOST_WAITING) -> None:
        self.overflowed = 0
        """Packets dropped because too many were waiting."""
        self._loop = asyncio.get_running_loop()
        self._most_waiting = most_waiting
        self._waiting: list[tuple[float, int, Callable[[bytes], None], bytes]] = []
        self._serial = 0
        self._timer: asyncio.TimerHandle | None = None

    def post(self, at_s: float, send: Callable[[bytes], None], packet: bytes) -> None:
        """Call `send(packet)` at `at_s`, at once if that has passed and nothing waits."""
        if at_s <= self._loop.time() and not self._waiting:
            send(packet)
            return
        if len(self._waiting) >= self._most_waiting:
            self.overflowed += 1
            return
        self._serial += 1
        heapq.heappush(self._waiting, (at_s, self._serial, send, packet))
        self._set_timer()

    def _set_timer(self) -> None:
        first = self._waiting[0][0]
        if self._timer is not None:
            if self._timer.when() <= first:
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(first, self._send_due)

    def _send_due(self) -> None:
        self._timer = None
        now = self._loop.time()
        while self._waiting and self._waiting[0][0] <= now:
            _, _, send, packet = heapq.heappop(self._waiting)
            send(packet)
        if self._waiting:
            self._set_timer()

    def close(self) -> None:
        """Forget what waits."""
        self._waiting.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

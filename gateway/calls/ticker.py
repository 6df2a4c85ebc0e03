"""The core's own 20 ms clock, for audio that several parties share. Runs only while somebody needs it."""

import asyncio
from collections.abc import Callable
from typing import Final

from gateway.core.audio import PTIME_MS

_TICK_S: Final = PTIME_MS / 1000
_MAX_LATE_TICKS: Final = 10
"""A longer stall is not made up for: the parties' buffers have run dry anyway."""


class Ticker:
    """Calls its subscribers 50 times a second; a late tick is made up for."""

    def __init__(self) -> None:
        self._subscribers: dict[Callable[[], None], Callable[[], None]] = {}
        """And what to do when one raises."""
        self._timer: asyncio.TimerHandle | None = None
        self._due_s = 0.0
        self.skipped = 0
        """Ticks that were too late to be made up for."""

    def subscribe(self, subscriber: Callable[[], None], on_fault: Callable[[], None]) -> None:
        """Call it on every tick from now on. It must not wait; one that raises is called no more.

        on_fault: called then, while the exception is handled.
        """
        self._subscribers[subscriber] = on_fault
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._due_s = loop.time() + _TICK_S
            self._timer = loop.call_at(self._due_s, self._tick)

    def unsubscribe(self, subscriber: Callable[[], None]) -> None:
        """Call it no more."""
        self._subscribers.pop(subscriber, None)
        if not self._subscribers and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        late = int((loop.time() - self._due_s) / _TICK_S)
        if late > _MAX_LATE_TICKS:
            self.skipped += late - _MAX_LATE_TICKS
            self._due_s += (late - _MAX_LATE_TICKS) * _TICK_S
            late = _MAX_LATE_TICKS
        for _ in range(late + 1):
            for subscriber, on_fault in list(self._subscribers.items()):
                self._call(subscriber, on_fault)
        self._due_s += (late + 1) * _TICK_S
        self._timer = loop.call_at(self._due_s, self._tick) if self._subscribers else None

    def _call(self, subscriber: Callable[[], None], on_fault: Callable[[], None]) -> None:
        try:
            subscriber()
        except Exception:  # noqa: BLE001 - the fault of one call, which must not silence the others
            self.unsubscribe(subscriber)
            on_fault()

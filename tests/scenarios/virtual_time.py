"""An event loop whose clock jumps to the next timer when nothing is left to do.

Minutes of a call run in milliseconds, every run the same. `loop.time()` is the only clock.
"""

import asyncio
import selectors
from collections.abc import Mapping
from typing import Any


class NothingWillHappenError(RuntimeError):
    """No timer, no ready callback, no file: whoever waits would wait for ever."""


class _JumpingSelector(selectors.SelectSelector):
    """Never waits: an idle wait becomes a jump of the clock."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 1000.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready:
            if timeout is None:
                raise NothingWillHappenError("every task waits, and no timer is set")
            self.now_s += max(0.0, timeout)
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """Deterministic time; no I/O with other processes or threads."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)
        self.unhandled: list[Mapping[str, Any]] = []
        """What the loop's exception handler was told: faults in callbacks and lost tasks."""
        self.set_exception_handler(lambda _loop, context: self.unhandled.append(context))

    def time(self) -> float:
        """Virtual monotonic seconds."""
        return self._jumping.now_s

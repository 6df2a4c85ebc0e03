"""Waiting lines of callers, shared by all calls of the node: the longest waiting comes first."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from gateway.dialplan.runtime import StepFailedError


@dataclass(slots=True)
class _Line:
    """One queue."""

    waiting: deque["Place"] = field(default_factory=deque)
    active: int = 0


class Place:
    """A caller's place in a queue."""

    def __init__(self, line: _Line, max_active: int) -> None:
        self._line = line
        self._max_active = max_active
        self.moved = asyncio.Event()
        """Set whenever the place has changed; whoever waits for it clears it."""

    @property
    def position(self) -> int:
        """1 for the next one to be served."""
        return self._line.waiting.index(self) + 1

    @property
    def its_turn(self) -> bool:
        """Whether people may be called for this caller now."""
        return self.position == 1 and self._line.active < self._max_active

    async def turn(self) -> None:
        """Wait until it is this caller's turn."""
        while not self.its_turn:
            self.moved.clear()
            await self.moved.wait()


class CallQueues:
    """All queues of the node by name."""

    def __init__(self) -> None:
        self._lines: dict[str, _Line] = {}
        self._turns: dict[str, int] = {}

    def lengths(self) -> dict[str, int]:
        """Callers that wait, by queue."""
        return {name: len(line.waiting) for name, line in self._lines.items()}

    @asynccontextmanager
    async def place(self, name: str, max_length: int, max_active: int) -> AsyncIterator[Place]:
        """A place at the end of the line. Raises `StepFailedError` queue_full."""
        line = self._lines.setdefault(name, _Line())
        if len(line.waiting) >= max_length:
            raise StepFailedError("queue_full", f"{max_length} callers wait already")
        place = Place(line, max_active)
        line.waiting.append(place)
        try:
            yield place
        finally:
            if place in line.waiting:
                line.waiting.remove(place)
            self._tell(line)

    @asynccontextmanager
    async def serving(self, name: str, place: Place) -> AsyncIterator[None]:
        """The caller has left the line and talks to somebody."""
        line = self._lines[name]
        line.waiting.remove(place)
        line.active += 1
        self._tell(line)
        try:
            yield
        finally:
            line.active -= 1
            self._tell(line)

    @staticmethod
    def _tell(line: _Line) -> None:
        for place in line.waiting:
            place.moved.set()

    def rotate(self, key: str, targets: tuple[str, ...]) -> tuple[str, ...]:
        """The targets in the order of a round robin: every time it begins one further."""
        turn = self._turns.get(key, 0) % max(1, len(targets))
        self._turns[key] = turn + 1
        return targets[turn:] + targets[:turn]

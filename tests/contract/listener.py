"""A backend's owner that remembers everything, and the call it has."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from gateway.backends.contract import BackendContext, BackendEvent
from gateway.core.audio import PcmFormat
from gateway.core.ids import CallId

_E = TypeVar("_E")

KEY = "sk-very-secret"
CONTEXT = BackendContext(CallId("call_1"), "receptionist", PcmFormat(8000), {})


class Listener:
    """A backend's owner that remembers everything."""

    def __init__(self) -> None:
        self.events: list[BackendEvent] = []
        self.audio: list[tuple[str, bytes]] = []
        self._news = asyncio.Event()

    def on_backend_audio(self, item_id: str, pcm: bytes) -> None:
        self.audio.append((item_id, pcm))
        self._news.set()

    def on_backend_event(self, event: BackendEvent) -> None:
        self.events.append(event)
        self._news.set()

    def of(self, kind: type[_E]) -> list[_E]:
        """Events of one kind."""
        return [event for event in self.events if isinstance(event, kind)]

    def heard(self, item_id: str) -> bytes:
        """All audio of one item."""
        return b"".join(pcm for item, pcm in self.audio if item == item_id)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until what came made the condition true."""
        async with asyncio.timeout(10):
            while not condition():
                self._news.clear()
                await self._news.wait()

    async def event(self, kind: type[_E], count: int = 1) -> _E:
        """The `count`-th event of a kind."""
        await self.until(lambda: len(self.of(kind)) >= count)
        return self.of(kind)[count - 1]

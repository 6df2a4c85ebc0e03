"""A caller at one end of a backend: the gateway's own playout, driven by a clock of 20 ms."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Self, TypeVar

from gateway.backends import contract as ai
from gateway.core.audio import PTIME_MS, PcmFormat
from gateway.core.ids import CallId, Mark
from gateway.core.playout import MarkFinished, Playout
from tests.sounds import frames

PHONE = PcmFormat(8000)
CONTEXT = ai.BackendContext(CallId("call_0123456789abcdef0123"), "parrot", PHONE, {"from": "5551234"})

_E = TypeVar("_E")


class Line:
    """Says what it is told to say, hears what the agent says, and obeys the agent as a call does."""

    def __init__(self, backend: ai.Backend) -> None:
        self._backend = backend
        self._playout = Playout(PHONE)
        self._to_say: deque[bytes] = deque()
        self._marks: dict[str, Mark] = {}
        self._items: dict[Mark, str] = {}
        self._clock: asyncio.Task[None] | None = None
        self._news = asyncio.Condition()
        self.events: list[ai.BackendEvent] = []
        self.heard = bytearray()
        """What the caller heard, 20 ms at a time; silence where the agent was silent."""
        self.discarded_ms = 0

    @property
    def audible(self) -> bool:
        """Whether anything of the agent is still to be heard."""
        return self._playout.queued_bytes > 0

    async def __aenter__(self) -> Self:
        await self._backend.open(self)
        self._backend.greet()
        self._clock = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._clock is not None
        self._clock.cancel()
        await asyncio.gather(self._clock, return_exceptions=True)
        await self._backend.close()

    def say(self, pcm: bytes) -> None:
        """Speak from now on; silence otherwise."""
        self._to_say.extend(frames(pcm))

    async def until(self, condition: Callable[[], bool], within_s: float = 15.0) -> None:
        """Wait until something made the condition true."""
        async with self._news, asyncio.timeout(within_s):
            await self._news.wait_for(condition)

    async def event(self, kind: type[_E], *, since: int = 0) -> _E:
        """The first event of a kind from index `since` on."""

        def found() -> list[_E]:
            return [event for event in self.events[since:] if isinstance(event, kind)]

        await self.until(lambda: bool(found()))
        return found()[0]

    # ---- the agent ----------------------------------------------------------------------------

    def on_backend_audio(self, item_id: str, pcm: bytes) -> None:
        """It speaks."""
        if item_id not in self._marks:
            self._marks[item_id] = Mark(len(self._marks) + 1)
            self._items[self._marks[item_id]] = item_id
        self._playout.play(pcm, self._marks[item_id])

    def on_backend_event(self, event: ai.BackendEvent) -> None:
        """It has finished an item, or takes back what it said."""
        self.events.append(event)
        match event:
            case ai.AudioDone():
                self._playout.play(b"", self._marks[event.item_id], last=True)
            case ai.ClearPlayout():
                self.discarded_ms += self._playout.flush().dropped_ms

    # ---- the clock ----------------------------------------------------------------------------

    async def _run(self) -> None:
        now = asyncio.get_running_loop().time
        due = now()
        while True:
            self.heard += self._playout.next_frame() or bytes(PHONE.frame_bytes)
            self._backend.send_audio(self._to_say.popleft() if self._to_say else bytes(PHONE.frame_bytes))
            for event in self._playout.take_events():
                if isinstance(event, MarkFinished):
                    self._backend.played(self._items[event.mark])
            async with self._news:
                self._news.notify_all()
            due += PTIME_MS / 1000
            await asyncio.sleep(max(0.0, due - now()))

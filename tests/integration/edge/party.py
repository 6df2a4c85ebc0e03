"""Owner of one leg in a test: says a tone, writes down what it hears and what happens."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

import numpy as np

from gateway.core.ids import CallId, Mark
from gateway.legs.contract import LegEvent
from gateway.legs.proxy import RemoteLeg
from gateway.softphone.recording import tone
from gateway.wire import card as wire
from tests.integration.spectrum import Samples

Event = TypeVar("Event", bound=LegEvent)
WITHIN_S = 10.0


class Party:
    """Attached to a leg as soon as it is made."""

    def __init__(self, leg: RemoteLeg) -> None:
        self.leg = leg
        self.events: list[LegEvent] = []
        self._heard = bytearray()
        self._changed = asyncio.Event()
        leg.attach(CallId("test"), self)

    def on_audio(self, pcm: bytes, flags: int) -> None:
        """Keep it."""
        self._heard += pcm
        self._changed.set()

    def on_leg_event(self, event: LegEvent) -> None:
        """Keep it."""
        self.events.append(event)
        self._changed.set()

    def heard(self) -> Samples:
        """Everything so far."""
        return np.frombuffer(bytes(self._heard), dtype="<i2")

    def say_tone(self, frequency_hz: float, duration_ms: int) -> None:
        """Play a tone."""
        self.leg.play(tone(frequency_hz, duration_ms, self.leg.pcm_format), Mark(1), last=True)

    def of(self, kind: type[Event]) -> list[Event]:
        """All events of a kind so far."""
        return [event for event in self.events if isinstance(event, kind)]

    async def expect(self, kind: type[Event], where: Callable[[Event], bool] = lambda _: True) -> Event:
        """The first event of a kind, past or future, that fulfils a condition."""
        await self.until(lambda: any(where(event) for event in self.of(kind)))
        return next(event for event in self.of(kind) if where(event))

    async def hears(self, samples: int) -> None:
        """Wait for as much audio."""
        await self.until(lambda: len(self._heard) >= samples * 2)

    async def closed(self) -> wire.LegClosed:
        """How it ended."""
        return await self.expect(wire.LegClosed)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for something to come true."""
        try:
            async with asyncio.timeout(WITHIN_S):
                while not condition():
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise AssertionError(f"waited in vain; so far: {self.events}") from None

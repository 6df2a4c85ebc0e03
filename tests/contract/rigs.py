"""Every kind of leg, ready to be put through the contract: the call's end and the far end."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

from gateway.core.ids import CallId
from gateway.legs.contract import Leg, LegEvent
from gateway.legs.loopback import LoopbackLeg, LoopbackPeer
from gateway.legs.pool import CardPool
from gateway.legs.proxy import RemoteLeg
from gateway.wire import card as wire
from tests.contract.stand_in_card import CARD, StandInCard

_E = TypeVar("_E")


class Owner:
    """A leg's owner that remembers everything."""

    def __init__(self) -> None:
        self.events: list[LegEvent] = []
        self.audio: list[tuple[bytes, int]] = []
        self._news = asyncio.Condition()
        self._telling: set[asyncio.Task[None]] = set()

    def on_audio(self, pcm: bytes, flags: int) -> None:
        self.audio.append((pcm, flags))
        self._tell()

    def on_leg_event(self, event: LegEvent) -> None:
        self.events.append(event)
        self._tell()

    def _tell(self) -> None:
        task = asyncio.ensure_future(self._notify())
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def _notify(self) -> None:
        async with self._news:
            self._news.notify_all()

    def of(self, kind: type[_E]) -> list[_E]:
        """Events of one kind."""
        return [event for event in self.events if isinstance(event, kind)]

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until what came made the condition true."""
        async with self._news, asyncio.timeout(10):
            await self._news.wait_for(condition)

    async def event(self, kind: type[_E], count: int = 1) -> _E:
        """The `count`-th event of a kind."""
        await self.until(lambda: len(self.of(kind)) >= count)
        return self.of(kind)[count - 1]


class Rig:
    """A leg with both of its ends in hand."""

    def __init__(self, leg: Leg, far: LoopbackLeg, card: StandInCard | None) -> None:
        self.leg = leg
        self.far = far
        """What the leg is at the other end of the wire."""
        self.owner = Owner()
        self._card = card
        self._tokens = 0
        leg.attach(CallId("call_1"), self.owner)

    @property
    def peer(self) -> LoopbackPeer:
        """The person at the far end."""
        return self.far.peer

    async def arrived(self) -> None:
        """Everything that was commanded so far has reached the far end."""
        if self._card is not None:
            self._tokens += 1
            token = b"token %d" % self._tokens
            self.leg.keep(token)
            await self.reached(lambda: self.far.kept == token)

    async def reached(self, condition: Callable[[], bool]) -> None:
        """What was commanded has had its effect at the far end."""
        if self._card is not None:
            await self._card.until(condition)
        assert condition()

    async def answered(self) -> None:
        """Bring the call up."""
        self.leg.answer()
        await self.owner.event(wire.MediaChanged)


@asynccontextmanager
async def loopback(_directory: Path) -> AsyncIterator[Rig]:
    """The leg within the process."""
    leg = LoopbackLeg(asyncio.get_running_loop().time)
    yield Rig(leg, leg, None)


@asynccontextmanager
async def remote(directory: Path) -> AsyncIterator[Rig]:
    """The leg on a card behind a unix socket."""
    offered: asyncio.Queue[RemoteLeg] = asyncio.Queue(1)
    pool = CardPool(lambda leg, _: offered.put_nowait(leg), lambda leg, _: offered.put_nowait(leg))
    async with StandInCard(directory / "c.sock") as card:
        pool.add(CARD, str(card.path))
        far = card.offer()
        try:
            async with asyncio.timeout(10):
                leg = await offered.get()
            yield Rig(leg, far, card)
        finally:
            await pool.close()


RIGS = {"loopback": loopback, "remote": remote}

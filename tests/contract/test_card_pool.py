"""The core's connections to its cards: made, lost, made again; legs found, kept, ended."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.core.ids import CallId, LegId, Mark
from gateway.legs.contract import LegEvent
from gateway.legs.pool import CardPool
from gateway.legs.proxy import RemoteLeg
from gateway.wire import card as wire
from gateway.wire.frames import FrameKind, pack_frame
from tests.contract.rigs import Owner
from tests.contract.stand_in_card import CARD, StandInCard
from tests.sounds import steady


class Core:
    """What a core does with the legs it is given."""

    def __init__(self) -> None:
        self.pool = CardPool(self._incoming, self._adopted)
        self.offered: list[RemoteLeg] = []
        self.adopted: list[tuple[RemoteLeg, wire.LegSnapshot]] = []
        self.owners: dict[LegId, Owner] = {}
        self.news = asyncio.Event()

    def _incoming(self, leg: RemoteLeg, _: wire.Incoming) -> None:
        self.offered.append(leg)
        self._own(leg)

    def _adopted(self, leg: RemoteLeg, snapshot: wire.LegSnapshot) -> None:
        self.adopted.append((leg, snapshot))
        self._own(leg)

    def _own(self, leg: RemoteLeg) -> None:
        owner = self.owners[leg.address[1]] = Owner()
        leg.attach(CallId("call"), owner)
        self.news.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until new legs made the condition true."""
        async with asyncio.timeout(10):
            while not condition():
                self.news.clear()
                await self.news.wait()


@asynccontextmanager
async def core() -> AsyncIterator[Core]:
    it = Core()
    try:
        yield it
    finally:
        await it.pool.close()


@pytest.fixture
def socket_path() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="gw-") as directory:
        yield Path(directory) / "c.sock"


@pytest.fixture
async def card(socket_path: Path) -> AsyncIterator[StandInCard]:
    async with StandInCard(socket_path) as card:
        yield card


async def one_call(it: Core, card: StandInCard) -> RemoteLeg:
    """Connected, with an answered call."""
    it.pool.add(CARD, str(card.path))
    await card.until(lambda: card.attached)
    card.offer()
    await it.until(lambda: len(it.offered) == 1)
    leg = it.offered[0]
    leg.answer()
    await it.owners[LegId(1)].event(wire.MediaChanged)
    return leg


async def reconnected(it: Core, card: StandInCard) -> None:
    """The second connection stands, seen from both ends."""
    await card.until(lambda: card.connections == 2)
    card.legs[LegId(1)].peer.press("0")
    await it.owners[LegId(1)].event(wire.Dtmf)


async def test_a_leg_survives_a_lost_connection(card: StandInCard) -> None:
    async with core() as it:
        leg = await one_call(it, card)
        await card.disconnect()
        await reconnected(it, card)
        leg.play(steady(9, 40), Mark(3), last=True)
        await card.until(lambda: card.legs[LegId(1)].playout.queued_ms == 40)
        card.legs[LegId(1)].peer.tick(steady(5, 20))
        owner = it.owners[LegId(1)]
        await owner.event(wire.PlayStarted)
        assert owner.audio[-1][0] == steady(5, 20)
        assert it.adopted == []
        assert it.pool.legs == 1


async def test_a_call_that_ended_meanwhile_ends_at_the_reconnect(card: StandInCard) -> None:
    async with core() as it:
        await one_call(it, card)
        await card.disconnect()
        card.legs[LegId(1)].peer.hang_up()
        closed = await it.owners[LegId(1)].event(wire.LegClosed)
        assert closed.by == "far_end"
        assert it.pool.legs == 0


async def test_a_flush_and_a_hangup_get_over_a_lost_connection(card: StandInCard) -> None:
    async with core() as it:
        leg = await one_call(it, card)
        far = card.legs[LegId(1)]
        leg.play(steady(9, 4000), Mark(3))
        await card.until(lambda: far.playout.queued_ms == 4000)
        await card.disconnect()
        flushed = leg.flush()
        leg.close(480, "bye")
        async with asyncio.timeout(10):
            assert (await flushed).dropped_ms == 4000
        closed = await it.owners[LegId(1)].event(wire.LegClosed)
        assert closed.by == "gateway"


async def test_a_new_core_adopts_what_the_old_one_left(card: StandInCard) -> None:
    async with core() as old:
        leg = await one_call(old, card)
        leg.keep(b"memory")
        await card.until(lambda: card.legs[LegId(1)].kept == b"memory")
    assert card.legs[LegId(1)].state == "connected"
    async with core() as new:
        new.pool.add(CARD, str(card.path))
        await new.until(lambda: len(new.adopted) == 1)
        leg, snapshot = new.adopted[0]
        assert (snapshot.kept, snapshot.state) == (b"memory", "connected")
        assert snapshot.incoming.request_uri == "sip:200@gw"
        leg.close(480, "")
        await new.owners[LegId(1)].event(wire.LegClosed)


async def test_a_dead_card_ends_its_legs_and_is_not_called_again(card: StandInCard) -> None:
    async with core() as it:
        await one_call(it, card)
        it.pool.remove(CARD, "signal 9")
        closed = await it.owners[LegId(1)].event(wire.LegClosed)
        assert (closed.by, closed.status) == ("card", 500)
        assert "signal 9" in closed.reason
        await card.until(lambda: not card.attached)
        assert (it.pool.connected, it.pool.legs, card.connections) == (0, 0, 1)


async def test_a_card_that_comes_up_late_is_reached(socket_path: Path) -> None:
    async with core() as it:
        it.pool.add(CARD, str(socket_path))
        async with StandInCard(socket_path) as card:
            await card.until(lambda: card.connections == 1)
            card.offer()
            await it.until(lambda: len(it.offered) + len(it.adopted) == 1)


async def test_a_card_that_is_replaced_at_once_has_one_connection(card: StandInCard) -> None:
    async with core() as it:
        await one_call(it, card)
        it.pool.remove(CARD, "exit 0")
        it.pool.add(CARD, str(card.path))
        await it.until(lambda: len(it.adopted) == 1)
        leg, _ = it.adopted[0]
        leg.keep(b"second")
        await card.until(lambda: card.legs[LegId(1)].kept == b"second")
        assert card.connections == 2
        assert it.pool.connected == 1


async def test_a_card_of_another_version_is_tried_with_pauses(socket_path: Path) -> None:
    loop = asyncio.get_running_loop()
    async with StandInCard(socket_path, version=99) as card, core() as it:
        began = loop.time()
        it.pool.add(CARD, str(socket_path))
        await card.until(lambda: card.connections == 4)
        assert loop.time() - began >= 0.02 + 0.05 + 0.1
        assert it.pool.connected == 0


@pytest.mark.parametrize(
    "rubbish",
    [
        b"\xff\xff\xff\xff\x00",
        pack_frame(FrameKind.CONTROL, b"\x00rubbish"),
        pack_frame(FrameKind.HEARD, b"\x01\x02"),
        pack_frame(FrameKind.PLAY, b"x" * 40),
    ],
)
async def test_a_card_that_breaks_the_protocol_is_connected_anew(card: StandInCard, rubbish: bytes) -> None:
    async with core() as it:
        leg = await one_call(it, card)
        card.send(rubbish)
        await reconnected(it, card)
        leg.keep(b"still there")
        await card.until(lambda: card.legs[LegId(1)].kept == b"still there")


async def test_events_of_unknown_legs_are_ignored(card: StandInCard) -> None:
    async with core() as it:
        await one_call(it, card)
        stray: list[LegEvent] = [
            wire.RtpStalled(LegId(99), 20.0),
            wire.LegClosed(LegId(99), 200, "", "far_end"),
        ]
        for event in stray:
            card.report(event)
        card.legs[LegId(1)].peer.press("7")
        await it.owners[LegId(1)].event(wire.Dtmf)
        assert it.owners[LegId(1)].of(wire.RtpStalled) == []

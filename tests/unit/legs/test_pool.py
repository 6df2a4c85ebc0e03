"""What the pool makes of a card's messages; connections are in tests/contract/test_card_pool.py."""

import asyncio

from gateway.cards.link import CardLink
from gateway.core.ids import CallId, CardId, LegId
from gateway.legs.contract import LegEvent
from gateway.legs.pool import CardPool
from gateway.legs.proxy import RemoteLeg
from gateway.wire import card as wire
from gateway.wire.frames import WIRE_VERSION, FrameKind, HeardFlag, pack_frame, pack_heard_record

CARD = CardId(2)
HELLO = wire.Hello(WIRE_VERSION, CARD, "sip", 1, 8000, wire.Capabilities())


def incoming(leg: int) -> wire.Incoming:
    return wire.Incoming(LegId(leg), f"{leg}@p", "sip:1@g", "<sip:2@p>", "<sip:1@g>", (), "udp:p", 1.0)


def snapshot(**legs: wire.LegState) -> wire.Snapshot:
    """`leg_1="connected"` and so on."""
    return wire.Snapshot(
        tuple(
            wire.LegSnapshot(incoming(int(name.removeprefix("leg_"))), state, b"")
            for name, state in legs.items()
        )
    )


class Owner:
    """Takes what a leg gives."""

    def __init__(self) -> None:
        self.events: list[LegEvent] = []
        self.audio: list[tuple[bytes, int]] = []

    def on_audio(self, pcm: bytes, flags: int) -> None:
        self.audio.append((pcm, flags))

    def on_leg_event(self, event: LegEvent) -> None:
        self.events.append(event)


class Core:
    """A pool whose card speaks through `hear`."""

    def __init__(self) -> None:
        self.pool = CardPool(
            lambda leg, _: self._own(leg, "incoming"), lambda leg, _: self._own(leg, "adopted")
        )
        self.owners: dict[int, Owner] = {}
        self.came: list[tuple[str, int]] = []
        self.link = CardLink(CARD, 1, self.pool)

    def _own(self, leg: RemoteLeg, how: str) -> None:
        serial = leg.address[1]
        self.owners[serial] = Owner()
        self.came.append((how, serial))
        leg.attach(CallId("c"), self.owners[serial])

    def hear(self, *messages: wire.FromCard) -> None:
        """The card says it all at once."""
        self.link.data_received(b"".join(map(wire.pack_control, messages)))

    def closed(self, leg: int) -> wire.LegClosed:
        """How a leg ended."""
        event = self.owners[leg].events[-1]
        assert isinstance(event, wire.LegClosed)
        return event


async def test_legs_of_a_snapshot_are_adopted_and_closed_ones_are_not() -> None:
    core = Core()
    core.hear(HELLO, snapshot(leg_1="connected", leg_2="closed", leg_3="incoming"))
    assert core.came == [("adopted", 1), ("adopted", 3)]
    assert core.pool.legs == 2


async def test_a_second_snapshot_adopts_only_what_is_new() -> None:
    core = Core()
    core.hear(HELLO, incoming(1), incoming(2), snapshot(leg_1="connected", leg_2="ringing", leg_3="held"))
    assert core.came == [("incoming", 1), ("incoming", 2), ("adopted", 3)]
    assert all(owner.events == [] for owner in core.owners.values())


async def test_what_a_snapshot_lacks_or_calls_closed_has_ended() -> None:
    core = Core()
    core.hear(HELLO, incoming(1), incoming(2), incoming(3), snapshot(leg_2="closed", leg_3="connected"))
    assert core.closed(1).by == core.closed(2).by == "far_end"
    assert core.owners[3].events == []
    assert core.pool.legs == 1


async def test_audio_reaches_the_leg_it_belongs_to() -> None:
    core = Core()
    core.hear(HELLO, incoming(1), incoming(2))
    records = [
        pack_heard_record(LegId(1), HeardFlag.NONE, b"aa"),
        pack_heard_record(LegId(9), HeardFlag.NONE, b"xx"),
        pack_heard_record(LegId(2), HeardFlag.CONCEALED, b"bb"),
    ]
    core.link.data_received(pack_frame(FrameKind.HEARD, b"".join(records)))
    assert core.owners[1].audio == [(b"aa", 0)]
    assert core.owners[2].audio == [(b"bb", HeardFlag.CONCEALED)]


async def test_the_end_of_a_leg_is_told_once() -> None:
    core = Core()
    end = wire.LegClosed(LegId(1), 200, "", "far_end")
    core.hear(HELLO, incoming(1), end, end, wire.Answered(LegId(1), 1.0))
    assert core.owners[1].events == [end]
    core.pool.remove(CARD, "exit 0")
    assert core.owners[1].events == [end]


async def test_a_dead_card_takes_only_its_own_legs() -> None:
    core = Core()
    other = CardLink(CardId(3), 1, core.pool)
    core.hear(HELLO, incoming(1))
    hello = wire.Hello(WIRE_VERSION, CardId(3), "sip", 1, 8000, wire.Capabilities())
    other.data_received(wire.pack_control(hello) + wire.pack_control(incoming(7)))
    core.pool.remove(CARD, "signal 11")
    assert (core.closed(1).status, core.closed(1).by) == (500, "card")
    assert core.owners[7].events == []
    assert (core.pool.connected, core.pool.legs) == (1, 1)


async def test_removing_and_closing_leave_no_task() -> None:
    core = Core()
    core.pool.add(CARD, "/nonexistent/socket")
    core.pool.add(CARD, "/nonexistent/socket")
    core.pool.remove(CARD, "exit 0")
    core.pool.remove(CARD, "exit 0")
    core.pool.add(CardId(3), "/nonexistent/socket")
    await core.pool.close()
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == {asyncio.current_task()}

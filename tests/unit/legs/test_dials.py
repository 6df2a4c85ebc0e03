"""What becomes of a call that is to be placed, by the edge's and the card's answers fed by hand."""

import asyncio

import pytest

from gateway.core.ids import CallId, CardId, LegId
from gateway.legs.contract import LegEvent
from gateway.legs.dials import DialFailedError, DialRequest
from gateway.legs.pool import CardPool
from gateway.legs.proxy import RemoteLeg
from gateway.wire import card as wire
from gateway.wire import edge as edge_wire
from tests.unit.legs.test_offers import Rig

ORDER = DialRequest(
    target_uri="sip:op1@192.0.2.5",
    from_uri="<sip:1@x>",
    headers=(("X", "y"),),
    username="gw",
    password="s3cret",
)


class Owner:
    """Remembers what it is told."""

    def __init__(self) -> None:
        self.events: list[LegEvent] = []

    def on_audio(self, pcm: bytes, flags: int) -> None: ...

    def on_leg_event(self, event: LegEvent) -> None:
        self.events.append(event)


class Stand(Rig):
    """A pool with one card and an edge."""

    def __init__(self, pool: CardPool | None = None) -> None:
        super().__init__(1, pool)
        self.to_edge: list[edge_wire.CoreToEdge] = []
        self.pool.connect_edge(self.to_edge.append)

    async def wanted(self) -> tuple["asyncio.Task[RemoteLeg]", edge_wire.WantSlot]:
        """A call that waits for its slot."""
        dialling = asyncio.create_task(self.pool.dial(ORDER))
        await turn()
        wish = self.to_edge[-1]
        assert isinstance(wish, edge_wire.WantSlot)
        return dialling, wish

    async def ordered(self) -> tuple["asyncio.Task[RemoteLeg]", wire.Dial]:
        """A call that waits for its card."""
        dialling, wish = await self.wanted()
        self.pool.on_slot(edge_wire.SlotGranted(wish.request, CardId(1), "call-1"))
        await turn()
        order = self.wire.sent[-1]
        assert isinstance(order, wire.Dial)
        return dialling, order

    def hung_up(self) -> list[int]:
        return [message.leg for message in self.wire.sent if isinstance(message, wire.Hangup)]


async def turn() -> None:
    for _ in range(4):
        await asyncio.sleep(0)


async def cancelled(task: "asyncio.Task[RemoteLeg]") -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await turn()


async def test_the_edge_names_the_card_and_the_card_makes_the_leg() -> None:
    stand = Stand()
    dialling, order = await stand.ordered()
    assert (order.sip_call_id, order.target_uri, order.from_uri) == ("call-1", ORDER.target_uri, "<sip:1@x>")
    assert (order.headers, order.username, order.password) == ((("X", "y"),), "gw", "s3cret")
    stand.hear(wire.DialStarted(order.request, LegId(4), "call-1"))
    leg = await dialling
    assert leg.address == (CardId(1), LegId(4))
    assert stand.calls == []
    assert stand.to_edge == [edge_wire.WantSlot(order.request)]


async def test_what_happens_before_the_owner_is_named_is_told_to_it_in_order() -> None:
    stand = Stand()
    dialling, order = await stand.ordered()
    leg_id = LegId(4)
    progress = wire.Progress(leg_id, 180, "Ringing", False)
    answered = wire.Answered(leg_id, 5.0)
    stand.hear(wire.DialStarted(order.request, leg_id, "call-1"), progress)
    leg = await dialling
    owner = Owner()
    leg.attach(CallId("c"), owner)
    assert owner.events == []
    stand.hear(answered)
    await turn()
    assert owner.events == [progress, answered]
    stand.hear(wire.LegClosed(leg_id, 486, "Busy Here", "far_end"))
    assert len(owner.events) == 3
    assert stand.pool.legs == 0


async def test_a_leg_that_ended_before_it_had_an_owner() -> None:
    stand = Stand()
    dialling, order = await stand.ordered()
    closed = wire.LegClosed(LegId(4), 404, "Not Found", "far_end")
    stand.hear(wire.DialStarted(order.request, LegId(4), "call-1"), closed)
    owner = Owner()
    (await dialling).attach(CallId("c"), owner)
    await turn()
    assert owner.events == [closed]


async def test_no_slot() -> None:
    stand = Stand()
    dialling, wish = await stand.wanted()
    stand.pool.on_slot(edge_wire.SlotRefused(wish.request, "all 4 calls are in use"))
    with pytest.raises(DialFailedError, match="all 4 calls") as caught:
        await dialling
    assert (caught.value.status, caught.value.retryable) == (503, True)
    assert not any(isinstance(message, wire.Dial) for message in stand.wire.sent)


async def test_a_card_that_the_core_is_not_connected_to() -> None:
    stand = Stand()
    dialling, wish = await stand.wanted()
    stand.pool.on_slot(edge_wire.SlotGranted(wish.request, CardId(9), "call-1"))
    with pytest.raises(DialFailedError, match="went away"):
        await dialling
    assert stand.to_edge[-1] == edge_wire.ReleaseSlot(wish.request)


async def test_a_refusal_of_the_card_keeps_its_status() -> None:
    stand = Stand()
    dialling, order = await stand.ordered()
    stand.hear(wire.DialFailed(order.request, 400, "a control character"))
    with pytest.raises(DialFailedError, match="control character") as caught:
        await dialling
    assert (caught.value.status, caught.value.retryable) == (400, False)
    assert stand.to_edge[-1] == edge_wire.ReleaseSlot(order.request)


async def test_without_an_edge_nobody_is_called() -> None:
    rig = Rig()
    with pytest.raises(DialFailedError, match="no edge"):
        await rig.pool.dial(ORDER)


async def test_leaving_before_the_slot_gives_it_back() -> None:
    stand = Stand()
    dialling, wish = await stand.wanted()
    await cancelled(dialling)
    assert stand.to_edge[-1] == edge_wire.ReleaseSlot(wish.request)
    stand.pool.on_slot(edge_wire.SlotGranted(wish.request, CardId(1), "call-1"))
    await turn()
    assert not any(isinstance(message, wire.Dial) for message in stand.wire.sent)


async def test_leaving_before_the_call_has_started_hangs_it_up_when_it_has() -> None:
    stand = Stand()
    dialling, order = await stand.ordered()
    await cancelled(dialling)
    stand.hear(wire.DialStarted(order.request, LegId(4), "call-1"))
    await turn()
    assert stand.hung_up() == [4]
    assert stand.pool.legs == 0
    assert stand.to_edge[-1] == edge_wire.ReleaseSlot(order.request)


async def test_leaving_at_the_moment_it_starts_hangs_it_up() -> None:
    stand = Stand()
    dialling, order = await stand.ordered()
    stand.hear(wire.DialStarted(order.request, LegId(4), "call-1"))
    await cancelled(dialling)
    assert stand.hung_up() == [4]


async def test_the_connection_is_lost_and_the_leg_shows_itself_later() -> None:
    stand = Stand()
    dialling, order = await stand.ordered()
    stand.link.connection_lost(None)
    with pytest.raises(DialFailedError, match="went away"):
        await dialling
    successor = Rig(1, stand.pool)
    incoming = wire.Incoming(LegId(4), "call-1", order.target_uri, "", order.target_uri, (), "", 1.0)
    successor.hear(wire.Snapshot((wire.LegSnapshot(incoming, "calling", b"", outbound=True),)))
    await turn()
    assert [m.leg for m in successor.wire.sent if isinstance(m, wire.Hangup)] == [4]
    assert stand.pool.legs == 0


async def test_what_was_asked_of_a_card_that_has_died_is_forgotten() -> None:
    adopted: list[wire.LegSnapshot] = []
    stand = Stand(CardPool(lambda leg, _: None, lambda _leg, entry: adopted.append(entry)))
    dialling, order = await stand.ordered()
    stand.pool.remove(CardId(1), "exit 1")
    with pytest.raises(DialFailedError, match="went away"):
        await dialling
    stand.link.connection_lost(None)
    successor = Rig(1, stand.pool)
    incoming = wire.Incoming(LegId(4), "call-1", order.target_uri, "", order.target_uri, (), "", 1.0)
    successor.hear(wire.Snapshot((wire.LegSnapshot(incoming, "calling", b"", outbound=True),)))
    assert len(adopted) == 1


async def test_an_outbound_leg_of_an_earlier_core_is_adopted() -> None:
    adopted: list[wire.LegSnapshot] = []
    stand = Stand(CardPool(lambda leg, _: None, lambda _leg, entry: adopted.append(entry)))
    incoming = wire.Incoming(LegId(4), "call-9", "sip:op1@x", "", "sip:op1@x", (), "", 1.0)
    stand.hear(wire.Snapshot((wire.LegSnapshot(incoming, "connected", b"k", outbound=True),)))
    assert [entry.outbound for entry in adopted] == [True]
    assert stand.hung_up() == []


def test_a_password_is_not_shown() -> None:
    assert "s3cret" not in repr(ORDER)

"""The edge's dispatcher on real sockets, real cards, and the core's pool of cards, without calls.

What a gateway has between its SIP port and `gateway.calls`, in the process of the test; only the edge's
link to the core is left out: here they call each other.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from gateway.core.ids import CardId
from gateway.edge.board import Admission
from gateway.edge.cardkeeper import CardKeeper
from gateway.edge.dispatcher import Dispatcher
from gateway.edge.face import Face, Listener
from gateway.edge.fleet import Fleet
from gateway.edge.routing import Router
from gateway.edge.slots import CardPhase, Slots
from gateway.edge.transports import BoundSockets
from gateway.legs.dials import DialRequest, Headers
from gateway.legs.pool import CardPool
from gateway.legs.proxy import RemoteLeg
from gateway.wire import card as wire
from gateway.wire.edge import (
    CardExited,
    CardSpawned,
    CardStatus,
    EdgeToCore,
    SlotGranted,
    SlotRefused,
    SpawnCard,
)
from tests.integration.card.cards import Rack, rack
from tests.integration.edge.party import Party
from tests.integration.processes import free_sip_port


class Switchboard:
    """Takes and places calls."""

    def __init__(self, cards: Rack, *, max_calls: int) -> None:
        self.port = free_sip_port()
        self.incoming: list[Party] = []
        """Calls from outside, answered at once."""
        self._rack = cards
        self._status_came = asyncio.Event()
        listeners = [Listener("udp", "127.0.0.1", self.port), Listener("tcp", "127.0.0.1", self.port)]
        self._sockets = BoundSockets(listeners)
        self.slots = Slots(max_calls=max_calls, calls_per_card=4)
        face = Face(listeners, self._sockets.inner_port, secret=b"f" * 32)
        self.router = Router(face, self.slots, secret=b"r" * 32, server=b"gateway")
        self.router.admission = Admission.OPEN
        fleet = Fleet(self.slots, max_cards=max_calls // 4 + 2)
        self.dispatcher = Dispatcher(self.router, self.slots, fleet, on_stuck_order=lambda _card: None)
        self.keeper = CardKeeper(self._order, cards.write, self._on_death)
        self.dispatcher.keeper = self.keeper
        self.dispatcher.tell_core = self._to_core
        self.pool = CardPool(self._on_incoming, lambda leg, entry: None)
        self.pool.connect_edge(self.dispatcher.on_core_message)  # type: ignore[arg-type]
        cards.on_status, cards.on_report = self._on_status, self._on_report

    async def open(self) -> None:
        """Listen, and wait for the first card."""
        await self.dispatcher.transports.open(self._sockets)
        self.dispatcher.tick()
        await self._rack.status(0, lambda status: status.attached)

    async def close(self) -> None:
        """End everything but the template."""
        await self.pool.close()
        self.dispatcher.fleet.closing = True
        await self.keeper.end_all()
        await self.dispatcher.close()

    async def dial(self, uri: str, *, headers: Headers = (), username: str = "", password: str = "") -> Party:
        """Call somebody."""
        order = DialRequest(
            target_uri=uri,
            from_uri='"Ann" <sip:+49301@example.org>',
            headers=headers,
            username=username,
            password=password,
        )
        return Party(await self.pool.dial(order))

    async def empty(self) -> None:
        """Wait until the cards have said that no call is left."""
        async with asyncio.timeout(10):
            while self.slots.live_calls:
                self._status_came.clear()
                await self._status_came.wait()

    def card_pid(self, card: CardId) -> int:
        """A card's process."""
        return self.slots.cards[card].pid

    def counter(self, name: str) -> int:
        """One of the edge's counters."""
        return self.router.counters[name]

    # ---- the supervisor's work ------------------------------------------------------------------

    def _order(self, card: CardId) -> SpawnCard:
        return self._rack.order(card, edge_port=self._sockets.inner_port)

    def _on_report(self, report: CardSpawned | CardExited) -> None:
        process = self.keeper.handle_template(report)
        if process is not None:
            self.slots.card_spawned(process.card, process.pid)

    def _on_status(self, status: CardStatus) -> None:
        known = self.slots.cards.get(status.card)
        if known is None:
            return
        if known.phase is CardPhase.STARTING:
            self.keeper.watch(status.card, status.pid)
            self.pool.add(status.card, str(self._rack.run_dir / f"c{status.card}"))
        self.dispatcher.on_status(status)
        self._status_came.set()

    def _on_death(self, card: CardId, _pid: int, status: str) -> None:
        self.dispatcher.on_card_death(card)
        self.pool.remove(card, status)
        Path(self._rack.run_dir / f"c{card}").unlink(missing_ok=True)

    # ---- the core's work --------------------------------------------------------------------------

    def _to_core(self, message: EdgeToCore) -> None:
        assert isinstance(message, SlotGranted | SlotRefused)
        self.pool.on_slot(message)

    def _on_incoming(self, leg: RemoteLeg, _incoming: wire.Incoming) -> None:
        party = Party(leg)
        self.incoming.append(party)
        leg.answer()


@contextlib.asynccontextmanager
async def switchboard(*, max_calls: int = 8) -> AsyncIterator[Switchboard]:
    """A switchboard with a card that is ready."""
    async with rack() as cards:
        board = Switchboard(cards, max_calls=max_calls)
        try:
            await board.open()
            yield board
        finally:
            await board.close()

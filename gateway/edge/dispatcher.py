"""Joins the pure router to sockets, clock and card processes."""

import asyncio
import signal
import time
from collections.abc import Callable
from typing import Final

from gateway.core.ids import CardId
from gateway.edge.cardkeeper import CardKeeper
from gateway.edge.commands import Command, Flow, Resolve, SendOutside, SendToCard, TellCore
from gateway.edge.fleet import Fleet, KillCard, StartCard
from gateway.edge.lookup import NameLookup
from gateway.edge.routing import Router
from gateway.edge.slots import Slots
from gateway.edge.transports import Transports
from gateway.observe.log import get_logger
from gateway.wire.edge import CardStatus, EdgeToCore, ReleaseSlot, WantSlot

_EARLY_S: Final = 0.002
"""Deadlines this close are the same."""

log = get_logger()


class Dispatcher:
    """Takes messages and events in the event loop's callbacks, never waits."""

    def __init__(
        self, router: Router, slots: Slots, fleet: Fleet, *, on_stuck_order: Callable[[CardId], None]
    ) -> None:
        """on_stuck_order: a card was ordered long ago and no process has come of it."""
        self.router = router
        self.slots = slots
        self.fleet = fleet
        self.transports = Transports(self, router.counters)
        self.names = NameLookup(self._on_name)
        self.keeper: CardKeeper | None = None
        self.tell_core: Callable[[EdgeToCore], None] = lambda _message: None
        """Set by whoever has the link."""
        self._on_stuck_order = on_stuck_order
        self._alarm: asyncio.TimerHandle | None = None
        self._alarm_at = 0.0
        self._planned = -1

    # ---- what the transports bring ------------------------------------------------------------

    def on_outside(self, data: bytes, flow: Flow) -> None:
        """A message from a far end."""
        now = time.monotonic()
        self._carry_out(self.router.handle_outside(data, flow, now), now)

    def on_oversized(self, head: bytes, flow: Flow) -> None:
        """The header section of a message that is too long."""
        self._carry_out(self.router.handle_oversized(head, flow), time.monotonic())

    def on_inside(self, data: bytes, sip_port: int) -> None:
        """A message from a card."""
        now = time.monotonic()
        self._carry_out(self.router.handle_inside(data, sip_port, now), now)

    def on_connected(self, connection: int) -> None:
        """A TCP connection is open."""
        self.router.handle_connected(connection)

    def on_disconnected(self, connection: int) -> None:
        """A TCP connection is gone."""
        self.router.handle_disconnected(connection)

    # ---- what the cards and the clock bring -----------------------------------------------------

    def on_status(self, status: CardStatus) -> None:
        """A card's sign of life."""
        now = time.monotonic()
        self._carry_out(self.router.handle_status(status, now), now)

    def on_core_message(self, message: WantSlot | ReleaseSlot) -> None:
        """The core asks for a slot, or gives one back."""
        now = time.monotonic()
        if isinstance(message, WantSlot):
            self._carry_out(self.router.handle_slot_wanted(message.request, now), now)
        else:
            self._carry_out(self.router.handle_slot_released(message.request, now), now)

    def on_core_lost(self) -> None:
        """The core is gone."""
        now = time.monotonic()
        self._carry_out(self.router.handle_core_lost(now), now)

    def on_card_death(self, card: CardId) -> None:
        """A card's process has ended."""
        now = time.monotonic()
        self.fleet.handle_death(card, now)
        self._carry_out(self.router.handle_card_death(card, now), now)

    def tick(self) -> None:
        """Once in a while."""
        now = time.monotonic()
        self._planned = -1
        self._carry_out(self.router.handle_timeout(now), now)

    async def close(self) -> None:
        """Close the sockets."""
        if self._alarm is not None:
            self._alarm.cancel()
        await self.names.close()
        await self.transports.close()

    def _on_name(self, question: Resolve, address: str | None) -> None:
        now = time.monotonic()
        self._carry_out(self.router.handle_resolved(question, address, now), now)

    def _carry_out(self, commands: list[Command], now: float) -> None:
        for command in commands:
            if isinstance(command, SendOutside):
                self.transports.send(command.flow, command.data)
            elif isinstance(command, SendToCard):
                self.transports.send_to_card(command.port, command.data)
            elif isinstance(command, TellCore):
                self.tell_core(command.message)
            else:
                self.names.ask(command)
        if self.slots.changes != self._planned:
            self._plan(now)
        self._arm(now)

    def _plan(self, now: float) -> None:
        if self.keeper is None:
            return
        for command in self.fleet.plan(now, parked=self.router.waiting):
            if isinstance(command, StartCard):
                self.keeper.start(command.card)
            elif isinstance(command, KillCard):
                self._kill(command.card)
            else:
                self.keeper.signal(command.card, signal.SIGTERM)
        self._planned = self.slots.changes

    def _kill(self, card: CardId) -> None:
        if self.keeper is not None and self.keeper.kill(card):
            log.error("card is stuck", card=card)
        else:
            self._on_stuck_order(card)

    def _arm(self, now: float) -> None:
        deadline = self.router.next_deadline()
        if deadline is None or (self._alarm is not None and self._alarm_at <= deadline + _EARLY_S):
            return
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm_at = deadline
        delay_s = max(0.0, deadline - now)
        self._alarm = asyncio.get_running_loop().call_later(delay_s, self._on_alarm)

    def _on_alarm(self) -> None:
        self._alarm = None
        now = time.monotonic()
        self._carry_out(self.router.handle_timeout(now), now)

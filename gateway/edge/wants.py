"""Slots for the calls that the core wants to place. Pure, time injected.

The core asks for a card before it dials, since only the edge knows which one has room. It gets a
Call-ID with it under which the slot is reserved: when the card's INVITE comes, or the card's status,
its slot is that one. What is not used within `slots.RESERVED_S` goes back.
"""

import hashlib
from collections import OrderedDict
from typing import Final

from gateway.core.ids import CardId
from gateway.edge.board import Board
from gateway.edge.commands import TellCore
from gateway.edge.slots import NoSlot
from gateway.wire.edge import SlotGranted, SlotRefused

WAIT_S: Final = 1.0
"""How long a request may wait for a card that is being started."""
MAX_WAITING: Final = 256


class Wants:
    """Requests of the core."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._waiting: OrderedDict[int, float] = OrderedDict()
        """Request → time the wait ends."""
        self._granted: dict[int, str] = {}
        """Request → Call-ID, as long as its slot is reserved."""
        self._calls = 0

    @property
    def waiting(self) -> int:
        """Requests that wait for a card."""
        return len(self._waiting)

    def want(self, request: int, now: float, *, ahead: int) -> None:
        """The core asks; `ahead`: calls that wait for a card already."""
        slots = self._board.slots
        if slots.live_calls + ahead + self.waiting >= slots.max_calls:
            return self._refuse(request, f"all {slots.max_calls} calls that the gateway carries are in use")
        if ahead or self._waiting or not self._grant(request, now):
            if self.waiting >= MAX_WAITING:
                return self._refuse(request, "too many calls wait for a line card")
            self._waiting[request] = now + WAIT_S
        return None

    def release(self, request: int, now: float) -> None:
        """The core does not need it any more."""
        self._waiting.pop(request, None)
        call_id = self._granted.pop(request, None)
        if call_id is not None and self._board.records.get(call_id.encode()) is None:
            self._board.slots.release_reserved(call_id, now)

    def release_all(self, now: float) -> None:
        """The core is gone."""
        for request in [*self._waiting, *self._granted]:
            self.release(request, now)

    def place(self, now: float) -> None:
        """A card may have room: the longest waiting first."""
        while self._waiting and self._grant(next(iter(self._waiting)), now):
            self._waiting.popitem(last=False)

    def next_deadline(self) -> float | None:
        """When the longest waiting has waited enough."""
        return next(iter(self._waiting.values())) if self._waiting else None

    def handle_timeout(self, now: float) -> None:
        """Refuse what has waited too long, forget what has been used or has expired."""
        while self._waiting and next(iter(self._waiting.values())) <= now:
            request, _ = self._waiting.popitem(last=False)
            self._refuse(request, "no line card has room")
        reserved = self._board.slots.is_reserved
        self._granted = {request: call for request, call in self._granted.items() if reserved(call)}

    def _grant(self, request: int, now: float) -> bool:
        call_id = self._new_call_id()
        card = self._board.slots.reserve(call_id, now)
        if isinstance(card, NoSlot):
            return False
        self._granted[request] = call_id
        self._tell(SlotGranted(request, CardId(card), call_id))
        return True

    def _new_call_id(self) -> str:
        """One that nobody outside can guess (RFC 3261 §8.1.1.4)."""
        self._calls += 1
        seed = b"call-id|%d" % self._calls
        return hashlib.blake2b(seed, key=self._board.secret, digest_size=16).hexdigest()

    def _refuse(self, request: int, reason: str) -> None:
        self._board.counters["calls_not_placed_total"] += 1
        self._tell(SlotRefused(request, reason))

    def _tell(self, message: SlotGranted | SlotRefused) -> None:
        self._board.outbox.append(TellCore(message))

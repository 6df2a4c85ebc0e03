"""Which call is on which card, and how many more there may be. Pure, time injected.

A call takes a slot when its INVITE goes to a card (reserved). From the moment the card's status
lists it (held) only a later status without it, or the card's death, frees it: the card knows best.
A reserved call that never becomes a leg is freed by the failure of its INVITE or after
RESERVED_S.
"""

from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final

from gateway.core.bucket import TokenBucket
from gateway.core.churn import BURST, PER_S
from gateway.core.ids import CardId
from gateway.wire.edge import CardStatus

RESERVED_S: Final = 10.0
"""A card lists a call within milliseconds; one that it has dropped must not hold a slot."""


class CardPhase(Enum):
    """Life of a card."""

    STARTING = auto()
    """Ordered, has not reported yet."""
    READY = auto()
    RETIRING = auto()
    """Takes no new call and leaves when it is empty."""


class NoSlot(Enum):
    """Why a call can't be placed now."""

    FULL = auto()
    """`max_calls` are running."""
    NO_CARD = auto()
    """Below `max_calls`, but no running card has room, or too many calls began on those that have."""


@dataclass(slots=True)
class Card:
    """What the edge knows of one card."""

    id: CardId
    phase: CardPhase
    heard_at: float
    """Last sign of life; until the first one, when it was ordered."""
    idle_since: float
    attached: bool = False
    """A core is connected to it; without one it refuses calls."""
    pid: int = 0
    sip_port: int = 0
    reserved: dict[str, float] = field(default_factory=dict)
    """Call-ID → time of the reservation."""
    held: set[str] = field(default_factory=set)
    beginnings: TokenBucket = field(default_factory=lambda: TokenBucket(per_s=PER_S - 2, burst=BURST - 2))
    """Calls that may begin; a little less than what the card itself refuses."""

    @property
    def used(self) -> int:
        """Slots taken."""
        return len(self.reserved) + len(self.held)


class Slots:
    """The books of all cards."""

    def __init__(self, *, max_calls: int, calls_per_card: int) -> None:
        self.max_calls = max_calls
        self.calls_per_card = calls_per_card
        self.cards: dict[CardId, Card] = {}
        self.changes = 0
        """Counts up with every change that may call for another number of cards."""
        self._card_of: dict[str, CardId] = {}
        self._card_at: dict[int, CardId] = {}

    @property
    def live_calls(self) -> int:
        """Slots taken on all cards."""
        return len(self._card_of)

    @property
    def serving(self) -> bool:
        """Whether any card can take calls at all."""
        return any(card.phase is CardPhase.READY and card.attached for card in self.cards.values())

    def card_at(self, sip_port: int) -> CardId | None:
        """The card behind a loopback port."""
        return self._card_at.get(sip_port)

    def port_of(self, card: CardId) -> int | None:
        """SIP port of a card that lives."""
        found = self.cards.get(card)
        return found.sip_port if found and found.sip_port else None

    # ---- calls -----------------------------------------------------------------------------

    def reserve(self, call_id: str, now: float) -> CardId | NoSlot:
        """A slot on the fullest card that has one, so that the others can run empty and leave."""
        held_by = self._card_of.get(call_id)
        if held_by is not None:
            return held_by
        if len(self._card_of) >= self.max_calls:
            return NoSlot.FULL
        best: Card | None = None
        for card in self.cards.values():
            if card.phase is not CardPhase.READY or not card.attached or card.used >= self.calls_per_card:
                continue
            if (best is None or card.used > best.used) and card.beginnings.ready(now):
                best = card
        if best is None:
            return NoSlot.NO_CARD
        self._take(best, call_id, now)
        return best.id

    def is_reserved(self, call_id: str) -> bool:
        """Whether a slot waits for a call that no card has listed yet."""
        card = self.cards.get(self._card_of.get(call_id, CardId(-1)))
        return card is not None and call_id in card.reserved

    def claim(self, call_id: str, card: CardId, now: float) -> None:
        """A card places a call itself."""
        if call_id not in self._card_of:
            self._take(self.cards[card], call_id, now)

    def release_reserved(self, call_id: str, now: float) -> None:
        """The INVITE failed; does nothing once the card lists the call."""
        card = self.cards.get(self._card_of.get(call_id, CardId(-1)))
        if card is not None and card.reserved.pop(call_id, None) is not None:
            self._freed(card, [call_id], now)

    def expire_reserved(self, now: float) -> list[str]:
        """Frees calls that no card has taken up; their Call-IDs."""
        expired: list[str] = []
        for card in self.cards.values():
            old = [call for call, since in card.reserved.items() if now - since >= RESERVED_S]
            for call in old:
                del card.reserved[call]
            self._freed(card, old, now)
            expired += old
        return expired

    # ---- cards -----------------------------------------------------------------------------

    def card_ordered(self, card: CardId, now: float) -> None:
        """A card is being started."""
        self.cards[card] = Card(card, CardPhase.STARTING, heard_at=now, idle_since=now)

    def card_spawned(self, card: CardId, pid: int) -> None:
        """Its process exists."""
        if card in self.cards:
            self.cards[card].pid = pid

    def card_reported(self, status: CardStatus, now: float) -> list[str] | None:
        """Takes over what a card says of itself; the calls that ended. None: not a card of ours."""
        card = self.cards.get(status.card)
        if card is None or (card.pid and card.pid != status.pid):
            return None
        card.heard_at, card.attached = now, status.attached
        if card.phase is CardPhase.STARTING:
            card.phase, card.pid, card.idle_since = CardPhase.READY, status.pid, now
            self.changes += 1
        if card.sip_port != status.sip_port:
            self._card_at.pop(card.sip_port, None)
            card.sip_port = status.sip_port
            self._card_at[status.sip_port] = card.id
        listed = set(status.sip_call_ids)
        ended = [call for call in card.held if call not in listed]
        for call in listed:
            card.reserved.pop(call, None)
            self._card_of[call] = card.id
        card.held = listed
        self._freed(card, ended, now)
        return ended

    def retire(self, card: CardId) -> None:
        """No more calls for this card."""
        self.cards[card].phase = CardPhase.RETIRING

    def card_gone(self, card: CardId) -> list[str]:
        """The process has ended; the calls that ended with it."""
        self.changes += 1
        gone = self.cards.pop(card, None)
        if gone is None:
            return []
        self._card_at.pop(gone.sip_port, None)
        calls = [*gone.held, *gone.reserved]
        for call in calls:
            self._card_of.pop(call, None)
        return calls

    def _take(self, card: Card, call_id: str, now: float) -> None:
        self.changes += 1
        card.beginnings.take(now)
        card.reserved[call_id] = now
        self._card_of[call_id] = card.id

    def _freed(self, card: Card, calls: list[str], now: float) -> None:
        for call in calls:
            if self._card_of.get(call) == card.id:
                del self._card_of[call]
        self.changes += len(calls)
        if calls and not card.used:
            card.idle_since = now

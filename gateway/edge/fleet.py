"""How many cards run: one whole spare card always ready, surplus ones sent away. Pure, time injected."""

from dataclasses import dataclass
from typing import Final

from gateway.core.ids import CardId
from gateway.edge.restart import RestartPolicy
from gateway.edge.slots import Card, CardPhase, Slots
from gateway.wire.edge import STATUS_INTERVAL_S

SPARE_CARDS_READY: Final = 1
SURPLUS_IDLE_S: Final = 30.0
SILENT_S: Final = 3 * STATUS_INTERVAL_S + 10.0
"""A card that shows no life for this long is stuck."""
START_S: Final = 5.0
"""The same for one that was ordered: a start takes tens of milliseconds."""


@dataclass(frozen=True, slots=True)
class StartCard:
    """Order a card from the template."""

    card: CardId


@dataclass(frozen=True, slots=True)
class RetireCard:
    """Ask a card to leave (SIGTERM)."""

    card: CardId


@dataclass(frozen=True, slots=True)
class KillCard:
    """Make a stuck card leave (SIGKILL)."""

    card: CardId


FleetCommand = StartCard | RetireCard | KillCard


class Fleet:
    """Decides; `Slots` keeps the books."""

    def __init__(self, slots: Slots, *, max_cards: int) -> None:
        self._slots = slots
        self._max_cards = max_cards
        self._starts = RestartPolicy()
        self._no_start_before = 0.0
        self.closing = False
        """No more cards are started."""

    @property
    def early_deaths(self) -> int:
        """Cards in a row that died before they reported."""
        return self._starts.early_deaths

    def plan(self, now: float, *, parked: int = 0) -> list[FleetCommand]:
        """What to do now; the books already say so when this returns.

        parked: INVITEs that wait for a card.
        """
        return [*self._stuck(now), *self._starting(now, parked), *self._surplus(now)]

    def handle_death(self, card: CardId, now: float) -> None:
        """A process ended, before `Slots.card_gone`; one that never reported slows the next starts down."""
        gone = self._slots.cards.get(card)
        if gone is None:
            return
        if gone.phase is CardPhase.STARTING:
            self._no_start_before = now + self._starts.delay_after(0.0)
        else:
            self._starts = RestartPolicy()

    def _idle(self) -> list[Card]:
        return [
            card
            for card in self._slots.cards.values()
            if not card.used and card.phase in (CardPhase.STARTING, CardPhase.READY)
        ]

    def _stuck(self, now: float) -> list[FleetCommand]:
        commands: list[FleetCommand] = []
        for card in self._slots.cards.values():
            limit_s = START_S if card.phase is CardPhase.STARTING else SILENT_S
            if now - card.heard_at >= limit_s:
                card.heard_at = now
                commands.append(KillCard(card.id))
        return commands

    def _starting(self, now: float, parked: int) -> list[FleetCommand]:
        if self.closing or now < self._no_start_before:
            return []
        wanted = SPARE_CARDS_READY + -(-parked // self._slots.calls_per_card)
        commands: list[FleetCommand] = []
        missing = wanted - len(self._idle())
        for index in range(self._max_cards):
            if missing <= 0:
                break
            card = CardId(index)
            if card not in self._slots.cards:
                self._slots.card_ordered(card, now)
                commands.append(StartCard(card))
                missing -= 1
        return commands

    def _surplus(self, now: float) -> list[FleetCommand]:
        ready = [card for card in self._idle() if card.phase is CardPhase.READY]
        commands: list[FleetCommand] = []
        for card in sorted(ready, key=lambda each: each.idle_since)[: max(0, len(ready) - SPARE_CARDS_READY)]:
            if now - card.idle_since >= SURPLUS_IDLE_S:
                self._slots.retire(card.id)
                commands.append(RetireCard(card.id))
        return commands

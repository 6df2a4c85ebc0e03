"""WebRTC cards: a fixed number of processes, kept running, announced to the core once they report.

They take no part in the accounting of SIP slots: their peers come by signalling through the core.
"""

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from gateway.config.models import GatewayConfig
from gateway.config.webrtc import WebrtcConfig
from gateway.core.ids import CardId
from gateway.edge.children import Child, Lifeline
from gateway.edge.fleet import SILENT_S
from gateway.edge.link import STATUS_SOCKET
from gateway.edge.orders import card_socket
from gateway.observe.log import get_logger
from gateway.wire.edge import CardDown, CardStatus, CardUp, EdgeToCore
from gateway.wire.ufrag import SECRET_VARIABLE

FIRST_CARD: Final = CardId(1000)
"""Numbers of WebRTC cards begin here, beyond those of SIP cards."""

CARD_MODULE: Final = "gateway.cards.webrtc"

START_S: Final = 30.0
"""A card that has not reported by then is stuck; it imports its libraries and makes a call to itself."""

_STOP_S: Final = 3.0

log = get_logger()


class _Card:
    """One card and its successors."""

    def __init__(self, card: CardId, socket_path: Path) -> None:
        self.id = card
        self.socket_path = socket_path
        self.child: Child | None = None
        self.pid = 0
        self.up = False
        self.tried = False
        """It has reported, or failed to."""
        self.peers = 0
        self.heard_at = 0.0
        self.deaths = 0


class WebrtcCards:
    """Owns the processes."""

    def __init__(
        self,
        config: GatewayConfig,
        webrtc: WebrtcConfig,
        run_dir: Path,
        lifeline: Lifeline,
        secret: bytes,
        *,
        tell_core: Callable[[EdgeToCore], None],
        on_change: Callable[[], None],
        module: str = CARD_MODULE,
    ) -> None:
        """config, webrtc: as the cards are to see them. on_change: cards or peers come or go."""
        self._tell_core = tell_core
        self._on_change = on_change
        self._cards: dict[CardId, _Card] = {}
        for index in range(webrtc.cards):
            share, more = divmod(webrtc.max_peers, webrtc.cards)
            peers = share + (index < more)
            own = webrtc.model_copy(update={"max_peers_per_card": peers})
            number = CardId(FIRST_CARD + index)
            card = self._cards[number] = _Card(number, Path(card_socket(run_dir, number)))
            card.child = Child(
                f"webrtc{number}",
                (
                    module,
                    *("--card", str(number)),
                    *("--socket", str(card.socket_path)),
                    *("--status", str(run_dir / STATUS_SOCKET)),
                ),
                config.model_copy(update={"webrtc": own}).for_child(),
                lifeline,
                on_start=lambda pid, card=card: self._on_start(card, pid),  # type: ignore[misc]
                on_death=lambda status, card=card: self._on_death(card, status),  # type: ignore[misc]
                environment={SECRET_VARIABLE: secret.hex()},
            )

    @property
    def settled(self) -> bool:
        """Whether every card has reported, or has shown that it doesn't."""
        return all(card.tried for card in self._cards.values())

    @property
    def peers(self) -> int:
        """Peers on all cards."""
        return sum(card.peers for card in self._cards.values())

    def start(self, group: asyncio.TaskGroup) -> None:
        """Run every card in `group`."""
        for card in self._cards.values():
            if card.child is not None:
                group.create_task(card.child.run(), name=card.child.name)

    def announce(self) -> None:
        """To a core that is new."""
        for card in self._cards.values():
            if card.up:
                self._tell_core(self._card_up(card))

    def handle_status(self, status: CardStatus) -> bool:
        """A card's sign of life; False if it is none of ours."""
        card = self._cards.get(status.card)
        if card is None:
            return False
        if status.pid != card.pid:
            log.debug("status of a card that has ended", card=status.card, pid=status.pid)
            return True
        card.heard_at = time.monotonic()
        card.peers = len(status.sip_call_ids)
        if not card.up:
            card.up = card.tried = True
            log.info("WebRTC card is up", card=card.id, pid=card.pid)
            self._tell_core(self._card_up(card))
        self._on_change()
        return True

    def check(self, now: float) -> None:
        """Kill cards that hang; once in a while."""
        for card in self._cards.values():
            limit_s = SILENT_S if card.up else START_S
            if card.pid and card.child is not None and now - card.heard_at >= limit_s:
                log.error("card is stuck", card=card.id)
                card.heard_at = now
                card.child.kill()

    def counters(self) -> dict[str, float]:
        """For /metrics."""
        return {
            "webrtc_cards_running": sum(card.up for card in self._cards.values()),
            "webrtc_peers_live": self.peers,
            "webrtc_card_deaths_total": sum(card.deaths for card in self._cards.values()),
        }

    async def stop(self) -> None:
        """End the cards."""
        children = [card.child for card in self._cards.values() if card.child is not None]
        await asyncio.gather(*(child.stop(_STOP_S) for child in children))
        for card in self._cards.values():
            card.socket_path.unlink(missing_ok=True)

    def _card_up(self, card: _Card) -> CardUp:
        return CardUp(card.id, "webrtc", os.fspath(card.socket_path), card.pid)

    def _on_start(self, card: _Card, pid: int) -> None:
        card.pid, card.heard_at = pid, time.monotonic()

    def _on_death(self, card: _Card, status: str) -> None:
        log.error("card ended", card=card.id, pid=card.pid, status=status, calls=card.peers)
        if card.up:
            self._tell_core(CardDown(card.id, card.pid, status))
        card.deaths += 1
        card.pid, card.peers, card.up, card.tried = 0, 0, False, True
        card.socket_path.unlink(missing_ok=True)
        self._on_change()

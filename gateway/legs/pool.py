"""All cards that the edge has announced, and the legs on them.

Connects to each card, keeps the connection, and turns what cards say into legs: `on_incoming` for a
new call, `on_adopted` for one that an earlier core left behind. A card that dies ends its legs.
"""

import asyncio
import os
from collections.abc import Callable
from typing import Final

from gateway.cards.link import CardLink
from gateway.core.ids import CardId, LegId
from gateway.legs.dials import DialRequest, Dials
from gateway.legs.offers import OfferFailedError, Offers, PeerOffer, Settled
from gateway.legs.proxy import RemoteLeg
from gateway.observe.log import get_logger
from gateway.wire import card as wire

_RECONNECT_S: Final = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
_QUIET_FAILURES: Final = 4
"""A third of a second."""

log = get_logger()

OnIncoming = Callable[[RemoteLeg, wire.Incoming], None]
OnAdopted = Callable[[RemoteLeg, wire.LegSnapshot], None]


class CardPool:
    """Connections to the cards; implements `gateway.cards.link.CardListener`."""

    def __init__(self, on_incoming: OnIncoming, on_adopted: OnAdopted, *, max_peers: int = 0) -> None:
        """`max_peers`: WebRTC peers on all cards together."""
        self._on_incoming = on_incoming
        self._on_adopted = on_adopted
        self._max_peers = max_peers
        self._offers = Offers()
        self._dials = Dials(lambda card: self._links.get(card))
        self.connect_edge = self._dials.connect
        """To be given the way to the edge, before the first `dial`."""
        self.on_slot = self._dials.on_slot
        """To be told of the edge's `SlotGranted` and `SlotRefused`."""
        self._tasks: dict[CardId, asyncio.Task[None]] = {}
        self._links: dict[CardId, CardLink] = {}
        self._legs: dict[tuple[CardId, LegId], RemoteLeg] = {}

    @property
    def connected(self) -> int:
        """Cards with a connection."""
        return len(self._links)

    @property
    def legs(self) -> int:
        """Live legs."""
        return len(self._legs)

    def add(self, card: CardId, path: str) -> None:
        """A card listens at `path`: connect and stay connected until `remove`."""
        if card not in self._tasks:
            self._tasks[card] = asyncio.create_task(self._stay_connected(card, path), name=f"card {card}")

    def remove(self, card: CardId, status: str) -> None:
        """The card's process is gone; its legs end."""
        task = self._tasks.pop(card, None)
        if task is not None:
            task.cancel()
        link = self._links.pop(card, None)
        if link is not None:
            self._dials.disconnected(link)
            link.abort()
        for owner, serial in [address for address in self._legs if address[0] == card]:
            leg = self._legs.pop((owner, serial))
            leg.deliver(wire.LegClosed(serial, 500, f"line card gone ({status})", "card"))
        self._dials.settled(card)

    async def offer(self, offer: PeerOffer) -> Settled:
        """Make a leg of a WebRTC peer's SDP offer, on the card with the fewest peers.

        The call that `on_incoming` makes of the leg exists when this returns. Raises
        `OfferFailedError`: 503 no card or no room (`retryable`), 504 the card is silent, and what
        the card says of the offer itself (400, 415, 488 …).
        """
        refusal = OfferFailedError(503, "no line card for WebRTC is ready")
        peers = {link: self._legs_on(link.card) for link in self._webrtc_links()}
        if peers and sum(peers.values()) + self._offers.pending >= self._max_peers:
            raise OfferFailedError(503, f"all {self._max_peers} peers that the gateway carries are connected")
        for link in sorted(peers, key=lambda link: peers[link]):
            try:
                return await self._offers.ask(link, offer)
            except OfferFailedError as exc:
                if exc.status != 503:
                    raise
                refusal = exc
        raise refusal

    async def dial(self, order: DialRequest) -> RemoteLeg:
        """Place a call, on a card that the edge names.

        The leg has no owner yet; its events wait for `attach`. Raises `DialFailedError`: 503 no room
        or no card (`retryable`), 504 the edge or the card is silent, and what the card says of the
        order itself. The far end's own refusal comes later, as `LegClosed`.
        """
        return await self._dials.place(order)

    def _webrtc_links(self) -> list[CardLink]:
        links = self._links.values()
        return [link for link in links if link.hello is not None and link.hello.kind == "webrtc"]

    def _legs_on(self, card: CardId) -> int:
        return sum(1 for owner, _ in self._legs if owner == card)

    async def _stay_connected(self, card: CardId, path: str) -> None:
        failures = 0
        while True:
            error = await self._connection(card, path)
            failures = 0 if error is None else failures + 1
            pause_s = _RECONNECT_S[min(failures, len(_RECONNECT_S) - 1)]
            # A card that retires closes first; the edge's word that its process has ended takes a moment.
            say = log.debug if failures <= _QUIET_FAILURES else log.warning
            say("no connection to a card", card=card, error=error or "lost", again_in_s=pause_s)
            await asyncio.sleep(pause_s)

    async def _connection(self, card: CardId, path: str) -> str | None:
        """One connection from its beginning to its end; why it never stood, if it did not."""
        loop = asyncio.get_running_loop()
        try:
            _, link = await loop.create_unix_connection(lambda: CardLink(card, os.getpid(), self), path)
        except OSError as exc:
            return str(exc)
        try:
            await link.lost.wait()
        finally:
            link.abort()
        return None if link.hello is not None else "the card said no hello"

    # ---- CardListener -------------------------------------------------------------------------

    def on_hello(self, link: CardLink, hello: wire.Hello) -> None:
        """The connection stands; live legs go on over it."""
        self._links[link.card] = link
        for (card, _), leg in self._legs.items():
            if card == link.card:
                leg.reconnect(link.send)

    def on_heard(self, link: CardLink, leg: LegId, pcm: bytes, flags: int) -> None:
        """20 ms of one leg. Hot path."""
        owner = self._legs.get((link.card, leg))
        if owner is not None:
            owner.deliver_audio(pcm, flags)

    def on_message(self, link: CardLink, message: wire.FromCard) -> None:
        """New legs, old legs, and news of legs."""
        match message:
            case wire.Incoming():
                if not self._offers.unwanted(link.card, message.leg):
                    # One that answers a ring gets its owner a moment later.
                    leg = self._create(link, message.leg, early_events=True)
                    self._on_incoming(leg, message)
                    self._offers.arrived(leg)
            case wire.Snapshot():
                self._reconcile(link, message)
            case wire.OfferAccepted():
                self._offers.accepted(link, message)
            case wire.OfferRejected():
                self._offers.rejected(message)
            case wire.DialStarted():
                if self._dials.started(link, message):
                    self._dials.hand_over(message, self._create(link, message.leg, early_events=True))
            case wire.DialFailed():
                self._dials.failed(message)
            case wire.Hello():
                raise AssertionError("handled by the link")
            case _:
                address = (link.card, message.leg)
                known = self._legs.get(address)
                if known is None:
                    return
                if isinstance(message, wire.LegClosed):
                    del self._legs[address]
                known.deliver(message)

    def _create(self, link: CardLink, serial: LegId, *, early_events: bool = False) -> RemoteLeg:
        assert link.hello is not None
        leg = RemoteLeg(link.card, serial, link.hello, link.send, early_events=early_events)
        self._legs[link.card, serial] = leg
        return leg

    def _reconcile(self, link: CardLink, snapshot: wire.Snapshot) -> None:
        """What ended while we were apart ends now; what we don't know is taken over."""
        present = {entry.incoming.leg for entry in snapshot.legs if entry.state != "closed"}
        for owner, serial in [a for a in self._legs if a[0] == link.card and a[1] not in present]:
            leg = self._legs.pop((owner, serial))
            leg.deliver(wire.LegClosed(serial, 200, "ended while disconnected", "far_end"))
        for entry in snapshot.legs:
            known = entry.incoming.leg not in present or (link.card, entry.incoming.leg) in self._legs
            if not known and not self._dials.unwanted(link, entry):
                self._on_adopted(self._create(link, entry.incoming.leg), entry)
        self._dials.settled(link.card)

    def on_disconnected(self, link: CardLink) -> None:
        """The card's task connects again, unless the card was removed."""
        self._offers.disconnected(link)
        self._dials.disconnected(link)
        if self._links.get(link.card) is link:
            del self._links[link.card]

    async def close(self) -> None:
        """Drop all connections; the cards and their calls live on."""
        tasks = list(self._tasks.values())
        self._tasks.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

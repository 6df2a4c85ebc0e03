"""SDP offers on their way to a card and back.

An offer is settled when the card has accepted it *and* the leg's `Incoming` has become a call, so
that whoever asked finds the call. One that nobody waits for any more is undone: its leg is hung up
and never becomes a call.
"""

import asyncio
from dataclasses import dataclass
from typing import Final

from gateway.cards.link import CardLink
from gateway.core.ids import CardId, LegId
from gateway.errors import RemoteError
from gateway.legs.proxy import RemoteLeg
from gateway.observe.log import get_logger
from gateway.wire import card as wire

OFFER_TIMEOUT_S: Final = 5.0
"""A card that has not answered by then does not serve."""

_NOBODY: Final = "nobody waits for the answer"

log = get_logger()


class OfferFailedError(RemoteError):
    """No leg was made. `status` is the HTTP status that says it best; the message is for the client."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason, retryable=status == 503)
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerOffer:
    """What a WebRTC peer asks for."""

    sdp: str
    to: str
    """An agent or a number."""
    identity: str
    """Who asks, as the API knows it."""
    peer: str
    """transport:address:port of the signalling client; personal data."""
    received_at_s: float
    """CLOCK_MONOTONIC seconds."""


Settled = tuple[RemoteLeg, str]
"""The leg and the SDP answer."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    link: CardLink
    settled: "asyncio.Future[Settled]"


class Offers:
    """Offers that cards have not settled yet."""

    def __init__(self) -> None:
        self._next_request = 1
        self._waiting: dict[int, _Waiting] = {}
        self._accepted: dict[tuple[CardId, LegId], wire.OfferAccepted] = {}
        """Accepted, and the leg's `Incoming` still to come."""
        self._unwanted: set[tuple[CardId, LegId]] = set()

    @property
    def pending(self) -> int:
        """Offers under way."""
        return len(self._waiting)

    async def ask(self, link: CardLink, offer: PeerOffer, timeout_s: float = OFFER_TIMEOUT_S) -> Settled:
        """Give a card an offer. Raises `OfferFailedError`."""
        request, self._next_request = self._next_request, self._next_request + 1
        waiting = _Waiting(link, asyncio.get_running_loop().create_future())
        self._waiting[request] = waiting
        link.send(
            wire.pack_control(
                wire.Offer(request, offer.sdp, offer.to, offer.identity, offer.peer, (), offer.received_at_s)
            )
        )
        try:
            async with asyncio.timeout(timeout_s):
                return await waiting.settled
        except TimeoutError as exc:
            log.error("a card did not answer an offer", card=link.card, request=request)
            raise OfferFailedError(504, "the line card did not answer in time") from exc
        except asyncio.CancelledError:
            if waiting.settled.done() and not waiting.settled.cancelled() and not waiting.settled.exception():
                # The one who asked left in the moment in which the leg became a call.
                waiting.settled.result()[0].close(408, _NOBODY)
            raise
        finally:
            del self._waiting[request]
            self._undo(link, request)

    def _undo(self, link: CardLink, request: int) -> None:
        """The one who asked left between the card's acceptance and the call."""
        for address, accepted in list(self._accepted.items()):
            if address[0] == link.card and accepted.request == request:
                del self._accepted[address]
                self._refuse(link, accepted.leg)

    def _refuse(self, link: CardLink, leg: LegId) -> None:
        self._unwanted.add((link.card, leg))
        link.send(wire.pack_control(wire.Hangup(leg, 408, _NOBODY)))

    # ---- from the card ------------------------------------------------------------------------

    def accepted(self, link: CardLink, message: wire.OfferAccepted) -> None:
        """The card made a leg."""
        if message.request in self._waiting:
            self._accepted[link.card, message.leg] = message
        else:
            self._refuse(link, message.leg)

    def rejected(self, message: wire.OfferRejected) -> None:
        """The card made none."""
        waiting = self._waiting.get(message.request)
        if waiting is not None and not waiting.settled.done():
            waiting.settled.set_exception(OfferFailedError(message.status, message.reason))

    def unwanted(self, card: CardId, leg: LegId) -> bool:
        """Whether a leg that has just come in must not become a call."""
        known = (card, leg) in self._unwanted
        self._unwanted.discard((card, leg))
        return known

    def arrived(self, leg: RemoteLeg) -> None:
        """The leg has become a call."""
        accepted = self._accepted.pop(leg.address, None)
        waiting = self._waiting.get(accepted.request) if accepted is not None else None
        if accepted is not None and waiting is not None and not waiting.settled.done():
            waiting.settled.set_result((leg, accepted.sdp))

    def disconnected(self, link: CardLink) -> None:
        """Nothing that was asked over this connection will be answered."""
        for waiting in self._waiting.values():
            if waiting.link is link and not waiting.settled.done():
                waiting.settled.set_exception(OfferFailedError(503, "the line card went away"))
        self._accepted = {at: offer for at, offer in self._accepted.items() if at[0] != link.card}
        self._unwanted = {at for at in self._unwanted if at[0] != link.card}

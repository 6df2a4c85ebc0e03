"""What becomes of an SDP offer, by the card's answers fed by hand."""

import asyncio
from typing import Any

import pytest

from gateway.cards.link import CardLink
from gateway.core.ids import CallId, CardId, LegId
from gateway.legs.contract import LegEvent
from gateway.legs.offers import OfferFailedError, PeerOffer, Settled
from gateway.legs.pool import CardPool
from gateway.legs.proxy import RemoteLeg
from gateway.wire import card as wire
from gateway.wire.frames import WIRE_VERSION, FrameDecoder

OFFER = PeerOffer(sdp="v=0", to="bot", identity="key web", peer="tcp:192.0.2.1:999", received_at_s=1.0)


class Wire(asyncio.Transport):
    """Keeps what the core sends."""

    def __init__(self) -> None:
        super().__init__()
        self._decoder = FrameDecoder()
        self.sent: list[wire.ToCard] = []

    def write(self, data: Any) -> None:
        self.sent += [wire.unpack_to_card(payload) for _, payload in self._decoder.feed(bytes(data))]

    def is_closing(self) -> bool:
        return False

    def get_write_buffer_size(self) -> int:
        return 0

    def abort(self) -> None: ...


class Nobody:
    """Owner of legs that do nothing."""

    def on_audio(self, pcm: bytes, flags: int) -> None: ...

    def on_leg_event(self, event: LegEvent) -> None: ...


class Rig:
    """A pool with one card that speaks through `hear`."""

    def __init__(self, card: int = 1, pool: CardPool | None = None) -> None:
        self.calls: list[LegId] = []
        self.pool = pool or CardPool(self._call, lambda leg, _: None, max_peers=3)
        self.link = CardLink(CardId(card), 1, self.pool)
        self.wire = Wire()
        self.link.connection_made(self.wire)
        self.hear(wire.Hello(WIRE_VERSION, CardId(card), "webrtc", 1, 16000, wire.Capabilities()))

    def _call(self, leg: RemoteLeg, _: wire.Incoming) -> None:
        leg.attach(CallId("call"), Nobody())
        self.calls.append(leg.address[1])

    def hear(self, *messages: wire.FromCard) -> None:
        self.link.data_received(b"".join(map(wire.pack_control, messages)))

    async def asked(self) -> tuple[asyncio.Task[Settled], wire.Offer]:
        """An offer under way, as the card got it."""
        asking = asyncio.create_task(self.pool.offer(OFFER))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        offers = [message for message in self.wire.sent if isinstance(message, wire.Offer)]
        return asking, offers[-1]


def incoming(leg: int) -> wire.Incoming:
    return wire.Incoming(LegId(leg), "", "bot", "key web", "", (), "tcp:p", 1.0)


async def test_an_accepted_offer_is_a_call_and_an_answer() -> None:
    rig = Rig()
    asking, offer = await rig.asked()
    assert (offer.sdp, offer.to, offer.identity, offer.peer) == ("v=0", "bot", "key web", "tcp:192.0.2.1:999")
    rig.hear(wire.OfferAccepted(offer.request, LegId(4), "answer"))
    assert not asking.done()
    rig.hear(incoming(4))
    leg, sdp = await asking
    assert (leg.address, leg.kind, sdp) == ((CardId(1), LegId(4)), "webrtc", "answer")
    assert rig.calls == [4]


async def test_a_refusal_keeps_the_cards_status() -> None:
    rig = Rig()
    asking, offer = await rig.asked()
    rig.hear(wire.OfferRejected(offer.request, 415, "no audio in the offer"))
    with pytest.raises(OfferFailedError, match="no audio") as caught:
        await asking
    assert caught.value.status == 415
    assert not caught.value.retryable


async def test_a_full_card_sends_the_peer_to_the_next() -> None:
    first = Rig(1)
    second = Rig(2, first.pool)
    first.hear(incoming(9))  # so that the second has fewer
    asking, offer = await second.asked()
    second.hear(wire.OfferRejected(offer.request, 503, "full"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    again = first.wire.sent[-1]
    assert isinstance(again, wire.Offer)
    first.hear(wire.OfferAccepted(again.request, LegId(10), "answer"), incoming(10))
    assert (await asking)[0].address == (CardId(1), LegId(10))


async def test_without_a_card_there_is_no_service() -> None:
    pool = CardPool(lambda leg, _: None, lambda leg, _: None, max_peers=3)
    with pytest.raises(OfferFailedError) as caught:
        await pool.offer(OFFER)
    assert (caught.value.status, caught.value.retryable) == (503, True)


async def test_peers_beyond_the_limit_are_refused_offers_under_way_included() -> None:
    rig = Rig()
    rig.hear(incoming(1), incoming(2))
    asking, offer = await rig.asked()
    with pytest.raises(OfferFailedError, match="all 3 peers") as caught:
        await rig.pool.offer(OFFER)
    assert caught.value.status == 503
    rig.hear(wire.OfferRejected(offer.request, 400, "not SDP"))
    with pytest.raises(OfferFailedError):
        await asking


async def test_nobody_waits_for_a_late_acceptance() -> None:
    rig = Rig()
    asking, offer = await rig.asked()
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    rig.hear(wire.OfferAccepted(offer.request, LegId(4), "late"), incoming(4))
    await asyncio.sleep(0)
    assert rig.calls == []
    assert rig.pool.legs == 0
    farewell = rig.wire.sent[-1]
    assert isinstance(farewell, wire.Hangup)
    assert farewell.leg == 4


async def test_leaving_between_acceptance_and_call_hangs_up_too() -> None:
    rig = Rig()
    asking, offer = await rig.asked()
    rig.hear(wire.OfferAccepted(offer.request, LegId(4), "answer"))
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    rig.hear(incoming(4))
    await asyncio.sleep(0)
    assert rig.calls == []
    assert isinstance(rig.wire.sent[-1], wire.Hangup)


async def test_a_card_that_goes_away_fails_its_offers() -> None:
    rig = Rig()
    asking, _ = await rig.asked()
    rig.link.connection_lost(None)
    with pytest.raises(OfferFailedError, match="went away"):
        await asking

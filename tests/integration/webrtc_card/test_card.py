"""The card as a process: bad offers, limits, cores that come and go, its end."""

import asyncio
import signal
from pathlib import Path

import pytest

from gateway.core.ids import LegId
from gateway.wire import card as wire
from gateway.wire.frames import FrameKind, pack_frame
from tests.integration.card.core import StandInCore
from tests.integration.webrtc_card.cards import RunningCard, running_card
from tests.integration.webrtc_card.client import Client, loudest_hz, offer_message, send_offer
from tests.sounds import tone
from tests.unit.cards.webrtc.offers import AUDIO, CHANNEL, VIDEO, offer

BAD_OFFERS = {
    "no sdp": ("hello", 400),
    "video only": (offer(VIDEO, bundle="2"), 422),
    "no bundle": (offer(AUDIO, CHANNEL, bundle=None), 422),
    "no audio codec": (offer(AUDIO, CHANNEL, instead=("111 63 9 0 8", "63")), 422),
    "nothing but spoilt ssrcs": (offer(AUDIO, ("a=ssrc:x y",), CHANNEL), 400),
    "an unknown setup": (offer(AUDIO, CHANNEL, instead=("a=setup:actpass", "a=setup:holdconn")), 400),
    "a spoilt sctp port": (offer(AUDIO, CHANNEL, instead=("a=sctp-port:5000", "a=sctp-port:x")), 400),
}


def _open_descriptors(card: RunningCard) -> int:
    return len(list(Path(f"/proc/{card.process.pid}/fd").iterdir()))


async def _idle(card: RunningCard) -> None:
    async with asyncio.timeout(10):
        while (await card.status()).sip_call_ids:
            pass


async def _rejected(core: StandInCore, request: int) -> wire.OfferRejected:
    return await core.expect(wire.OfferRejected, lambda m: m.request == request)


async def _answered(core: StandInCore, leg: LegId) -> None:
    await core.expect(wire.Answered, lambda m: m.leg == leg)


async def _closed(core: StandInCore, leg: LegId) -> None:
    await core.expect(wire.LegClosed, lambda m: m.leg == leg)


async def test_bad_offers_get_a_status_and_leave_nothing_behind() -> None:
    async with running_card() as card:
        core = await StandInCore.connect(card.socket_path)
        before = _open_descriptors(card)
        for request, (text, status) in enumerate(BAD_OFFERS.values()):
            core.send(offer_message(text, request))
            rejected = await _rejected(core, request)
            assert (rejected.status, bool(rejected.reason)) == (status, True), rejected
        assert not core.of(wire.Incoming)
        assert not (await card.status()).sip_call_ids
        assert _open_descriptors(card) == before
        async with Client() as client:
            await client.call(core, request=99)
        await core.close()


async def test_a_full_card_says_so_and_serves_the_next_when_one_has_left() -> None:
    async with running_card({"max_peers_per_card": 1}) as card:
        core = await StandInCore.connect(card.socket_path)
        async with Client() as first, Client() as second:
            leg = await first.call(core)
            core.send(offer_message(await second.offer(), 2))
            rejected = await core.expect(wire.OfferRejected)
            assert (rejected.request, rejected.status) == (2, 503)
            core.send(wire.Hangup(leg))
            await core.expect(wire.LegClosed)
        async with Client() as third:
            await third.call(core, request=3)
        await core.close()


async def test_calls_outlive_the_core_and_the_next_one_takes_them_over() -> None:
    async with running_card() as card:
        core = await StandInCore.connect(card.socket_path)
        async with Client() as client:
            leg = await client.call(core)
            await core.expect(wire.ChannelOpened)
            core.send(wire.Keep(leg, b"what the core remembers"))
            await core.round_trip()
            await core.close()
            successor = await StandInCore.connect(card.socket_path)
            (snapshot,) = successor.of(wire.Snapshot)[0].legs
            assert (snapshot.incoming.leg, snapshot.state) == (leg, "connected")
            assert snapshot.kept == b"what the core remembers"
            await successor.expect(wire.ChannelOpened)
            successor.play(leg, tone(1000, 1000, 16000))
            await successor.expect(wire.PlayStarted)
            await client.next_heard(0.2)
            assert loudest_hz(await client.next_heard(0.3), 48000) == pytest.approx(1000, abs=10)
            await successor.close()


async def test_calls_that_no_core_takes_over_are_ended() -> None:
    async with running_card({"orphan_timeout_s": 1}) as card:
        core = await StandInCore.connect(card.socket_path)
        async with Client() as client:
            await client.call(core)
            await core.close()
            await _idle(card)


@pytest.mark.parametrize("data", [b"\xff" * 64, pack_frame(FrameKind.CONTROL, b"\x93\x01\x02\x03")])
async def test_a_core_that_talks_nonsense_is_cut_off(data: bytes) -> None:
    async with running_card() as card:
        core = await StandInCore.connect(card.socket_path)
        core.send_raw(data)
        await core.until(lambda: core.ended)
        await core.close()
        async with Client() as client:
            again = await StandInCore.connect(card.socket_path)
            await client.call(again)
            await again.close()


async def test_a_retired_card_leaves_after_its_last_call() -> None:
    async with running_card() as card:
        core = await StandInCore.connect(card.socket_path)
        async with Client() as client, Client() as other:
            leg = await client.call(core)
            card.process.send_signal(signal.SIGTERM)
            sdp = await other.offer()
            await core.until(lambda: len(core.ticks) > 10)
            core.send(offer_message(sdp, 2))
            assert (await core.expect(wire.OfferRejected)).status == 503
            core.send(wire.Hangup(leg))
            await core.expect(wire.LegClosed)
            async with asyncio.timeout(10):
                assert await card.process.wait() == 0
        assert not card.socket_path.exists()
        await core.close()


async def test_a_card_leaves_with_the_gateway() -> None:
    async with running_card() as card:
        card.cut_lifeline()
        async with asyncio.timeout(5):
            await card.process.wait()


async def test_many_calls_leave_no_descriptor_behind() -> None:
    async with running_card() as card:
        core = await StandInCore.connect(card.socket_path)
        before = _open_descriptors(card)
        for request in range(12):
            async with Client(channel=request % 2 == 0) as client:
                accepted = await send_offer(core, await client.offer(), request)
                if request % 3:
                    core.send(wire.Answer(accepted.leg))
                    await client.take(accepted.sdp)
                    await _answered(core, accepted.leg)
                core.send(wire.Hangup(accepted.leg))
                await _closed(core, accepted.leg)
        await _idle(card)
        await core.round_trip()
        assert _open_descriptors(card) == before
        await core.close()

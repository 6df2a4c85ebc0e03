"""Calls from a stock aiortc client to a card: audio, texts, interruption, ends."""

import asyncio
import re
import time
from collections.abc import AsyncIterator

import numpy as np
import pytest

from gateway.core.ids import LegId, Mark
from gateway.wire import card as wire
from gateway.wire import ufrag
from tests.integration.card.core import StandInCore
from tests.integration.webrtc_card.cards import RunningCard, running_card
from tests.integration.webrtc_card.client import Client, loudest_hz, send_offer
from tests.sounds import tone

RATE_HZ = 16000


@pytest.fixture
async def card() -> AsyncIterator[RunningCard]:
    """A card without a relay."""
    async with running_card() as unit:
        yield unit


@pytest.fixture
async def core(card: RunningCard) -> AsyncIterator[StandInCore]:
    """A core that is attached to it."""
    unit = await StandInCore.connect(card.socket_path)
    yield unit
    await unit.close()


async def _heard_by_core(core: StandInCore, leg: LegId, duration_s: float) -> np.ndarray:
    start = len(core.heard[leg])
    size = int(duration_s * RATE_HZ) * 2
    await core.until(lambda: len(core.heard[leg]) >= start + size, within_s=duration_s + 10)
    return np.frombuffer(bytes(core.heard[leg][start:]), np.int16)


@pytest.mark.parametrize("codec", ["opus", "G722", "PCMU", "PCMA"])
async def test_a_tone_is_heard_both_ways(core: StandInCore, codec: str) -> None:
    async with Client(frequency_hz=440, codecs=[codec]) as client:
        leg = await client.call(core)
        (media,) = core.of(wire.MediaChanged)
        assert (media.codec, media.srtp) == (codec.upper(), True)
        core.play(leg, tone(1000, 3000, RATE_HZ))
        await client.until(lambda: any(np.abs(s).max() > 1000 for _, s in client.heard))
        heard = await client.next_heard(0.5)
        rate_hz = {"opus": 48000, "G722": 16000}.get(codec, 8000)
        assert loudest_hz(heard, rate_hz) == pytest.approx(1000, abs=10)
        assert loudest_hz(await _heard_by_core(core, leg, 0.5), RATE_HZ) == pytest.approx(440, abs=10)


async def test_what_the_core_learns_of_a_call(core: StandInCore) -> None:
    async with Client() as client:
        leg = await client.call(core)
        incoming = await core.expect(wire.Incoming)
        assert (incoming.leg, incoming.request_uri, incoming.from_header) == (leg, "reception", "web-user")
        assert (incoming.peer, incoming.headers) == ("tcp:127.0.0.1:5", (("Origin", "x"),))
        quality = await core.expect(wire.Quality, lambda m: m.rx_packets > 60 and m.rtt_ms >= 0)
        assert (quality.rx_lost, quality.tx_lost) == (0, 0)
        assert quality.rtt_ms < 200
        assert core.of(wire.Hello)[0].kind == "webrtc"


async def test_marks_are_reported(core: StandInCore) -> None:
    async with Client() as client:
        leg = await client.call(core)
        core.play(leg, tone(500, 200, RATE_HZ), mark=7, last=True)
        finished = await core.expect(wire.PlayFinished)
        assert (finished.mark, finished.played_ms) == (Mark(7), 200)
        assert finished.at_s - core.of(wire.PlayStarted)[0].at_s == pytest.approx(0.2, abs=0.1)


async def test_texts_go_both_ways_over_the_data_channel(core: StandInCore) -> None:
    async with Client() as client:
        leg = await client.call(core)
        await core.expect(wire.ChannelOpened)
        (await client.opened()).send('{"type":"response.create"}')
        message = await core.expect(wire.ChannelText)
        core.send(wire.SendText(leg, message.text))
        await client.until(lambda: client.texts == ['{"type":"response.create"}'])


async def test_a_flood_of_texts_is_cut_and_the_audio_goes_on(core: StandInCore) -> None:
    async with Client() as client:
        leg = await client.call(core)
        await core.expect(wire.ChannelOpened)
        channel = await client.opened()
        for number in range(2000):
            channel.send(f"flood {number}")
        await core.until(lambda: len(core.of(wire.ChannelText)) >= 200)
        heard = await _heard_by_core(core, leg, 1.0)
        assert loudest_hz(heard, RATE_HZ) == pytest.approx(440, abs=10)
        assert len(core.of(wire.ChannelText)) < 1000


async def test_a_flush_is_silent_within_150_ms(core: StandInCore) -> None:
    async with Client() as client:
        leg = await client.call(core)
        core.play(leg, tone(700, 10_000, RATE_HZ))
        await client.until(lambda: any(np.abs(s).max() > 1000 for _, s in client.heard))
        await client.next_heard(0.5)
        flushed_s = time.monotonic()
        core.send(wire.Flush(leg, 9))
        flushed = await core.expect(wire.Flushed)
        assert (flushed.request, flushed.mark) == (9, Mark(1))
        assert flushed.played_ms + flushed.dropped_ms == pytest.approx(10_000, abs=40)
        count = len(client.heard)
        await client.until(lambda: len(client.heard) >= count + 4 and np.abs(client.heard[-1][1]).max() < 100)
        last_loud_s = max(at for at, samples in client.heard if np.abs(samples).max() > 300)
        assert last_loud_s - flushed_s < 0.150


async def test_live_audio_is_kept_short(core: StandInCore) -> None:
    async with Client() as client:
        leg = await client.call(core)
        core.send(wire.Pause(leg))
        core.play(leg, tone(700, 1000, RATE_HZ), live=True)
        core.send(wire.Flush(leg, 22))
        assert (await core.expect(wire.Flushed)).dropped_ms == 80


async def test_a_pause_keeps_the_rest(core: StandInCore) -> None:
    async with Client() as client:
        leg = await client.call(core)
        core.send(wire.Pause(leg))
        core.play(leg, tone(700, 200, RATE_HZ), mark=2, last=True)
        await _heard_by_core(core, leg, 0.4)
        assert not core.of(wire.PlayStarted)
        core.send(wire.Resume(leg))
        assert (await core.expect(wire.PlayFinished)).mark == 2


async def test_a_tier_changes_packet_time_in_the_call(core: StandInCore) -> None:
    async with Client() as client:
        leg = await client.call(core)
        core.send(wire.SetTier(leg, "24k/60ms"))
        await core.expect(wire.MediaChanged, lambda m: m.ptime_ms == 60)
        core.play(leg, tone(900, 2000, RATE_HZ))
        await client.until(lambda: any(np.abs(s).max() > 1000 for _, s in client.heard))
        assert loudest_hz(await client.next_heard(0.5), 48000) == pytest.approx(900, abs=10)
        core.send(wire.SetTier(leg, "gold"))
        assert (await core.expect(wire.Refused)).reason == "no tier is called 'gold'"


async def test_hanging_up_ends_the_client_and_frees_the_card(card: RunningCard, core: StandInCore) -> None:
    async with Client() as client:
        leg = await client.call(core)
        core.play(leg, tone(700, 300, RATE_HZ), last=True)
        core.send(wire.Hangup(leg, 200, "bye", drain=True))
        closed = await core.expect(wire.LegClosed)
        assert (closed.leg, closed.by, closed.reason) == (leg, "gateway", "bye")
        assert core.of(wire.PlayFinished)
        ended = asyncio.Event()
        client.connection.on("connectionstatechange", ended.set)
        async with asyncio.timeout(5):
            while client.connection.connectionState not in ("closed", "failed"):
                ended.clear()
                await ended.wait()


async def test_a_client_that_leaves_ends_its_leg(card: RunningCard, core: StandInCore) -> None:
    async with Client() as client:
        await _heard_by_core(core, await client.call(core), 0.2)
    closed = await core.expect(wire.LegClosed, within_s=5)
    assert (closed.by, closed.status) == ("far_end", 200)
    async with asyncio.timeout(10):
        while (await card.status()).sip_call_ids:
            pass


async def test_a_client_that_vanishes_is_noticed_within_10_s(core: StandInCore) -> None:
    async with Client() as client:
        await client.call(core)
        await client.vanish()
        vanished_s = time.monotonic()
        closed = await core.expect(wire.LegClosed, within_s=12)
        assert time.monotonic() - vanished_s < 10
        assert (closed.by, closed.reason) == ("far_end", "no sign of life for 8 s")


async def test_a_client_that_never_connects_is_given_up(core: StandInCore) -> None:
    async with Client() as client:
        accepted = await send_offer(core, await client.offer())
        core.send(wire.Answer(accepted.leg))
        closed = await core.expect(wire.LegClosed, within_s=13)
        assert (closed.status, closed.by) == (408, "card")
        assert not core.of(wire.Answered)


async def test_a_rejected_call_never_flows(core: StandInCore) -> None:
    async with Client() as client:
        leg = await client.call(core, answer=False)
        core.send(wire.Reject(leg, 404, "no such agent"))
        closed = await core.expect(wire.LegClosed)
        assert (closed.status, closed.reason, closed.by) == (404, "no such agent", "gateway")
        assert not core.heard


async def test_behind_a_relay_the_answer_names_only_the_relay(tmp_path: object) -> None:
    secret = bytes(range(32))
    async with running_card({"advertise": ["203.0.113.5:3478"]}, secret=secret) as card:
        core = await StandInCore.connect(card.socket_path)
        async with Client() as client:
            accepted = await send_offer(core, await client.offer())
            candidates = re.findall(r"a=candidate:\S+ 1 (\S+) \d+ (\S+ \d+) typ host(.*)\r", accepted.sdp)
            assert set(candidates) == {
                ("udp", "203.0.113.5 3478", ""),
                ("tcp", "203.0.113.5 3478", " tcptype passive"),
            }
            name = re.search(r"a=ice-ufrag:(\S+)", accepted.sdp)
            assert name is not None
            port = ufrag.decode(name[1], secret)
            core.send(wire.Answer(accepted.leg))
            # What the relay does for a client: the way to the named port on the loopback interface.
            await client.take(accepted.sdp.replace("203.0.113.5 3478", f"127.0.0.1 {port}"))
            await core.expect(wire.Answered)
        await core.close()

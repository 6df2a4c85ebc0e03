"""The caller's network gets bad in the middle of a call, and good again."""

import asyncio
from collections.abc import Callable

import msgspec
import pytest

from gateway.calls.line.ladders import Ladders
from gateway.calls.oai_requests import PeerStats
from gateway.core.ladder.sip import SipSettings
from gateway.core.record import CallRecord
from gateway.core.record import TimelineKind as K
from gateway.legs.loopback import LoopbackLeg
from gateway.wire import card as wire
from tests.scenarios.stage import Stage

PHONE = ("PCMU/20", "PCMU/40", "PCMU/60", "ILBC/30", "ILBC/60", "GSM/20", "GSM/40", "GSM/60")
TO_ILBC = Ladders(phone=SipSettings(lossy="ilbc"))
PEER = ("32k/20ms", "24k/40ms", "20k/60ms", "12k/60ms")


class Network:
    """What the reports say; the counters of a real one only grow."""

    def __init__(self) -> None:
        self.loss = 0.0
        self.delay_rise_ms = 0.0
        self._lost = 0.0

    def __call__(self, quality: wire.Quality) -> wire.Quality:
        self._lost += 50 * self.loss
        lost = round(self._lost)
        return msgspec.structs.replace(
            quality,
            rx_packets=quality.rx_packets - lost,
            rx_lost=lost,
            tx_lost=lost,
            rtt_ms=30.0 + self.delay_rise_ms,
            rx_delay_rise_ms=self.delay_rise_ms,
        )


def phone(stage_clock: Callable[[], float], tier: str = "PCMU/20") -> tuple[LoopbackLeg, Network]:
    leg = LoopbackLeg(stage_clock, tier=tier, tiers=PHONE)
    network = leg.peer.network = Network()
    return leg, network


def peer(stage_clock: Callable[[], float]) -> tuple[LoopbackLeg, Network]:
    leg = LoopbackLeg(stage_clock, kind="webrtc", sample_rate_hz=16000, tier="24k/20ms", tiers=PEER)
    network = leg.peer.network = Network()
    return leg, network


async def hung_up(stage: Stage) -> CallRecord:
    stage.leg.peer.hang_up()
    return await stage.over()


def steps(stage: Stage) -> list[tuple[object, object]]:
    return [(event.fields["before"], event.fields["after"]) for event in stage.events(K.TIER)]


def clock() -> float:
    return asyncio.get_running_loop().time()


async def test_a_phone_goes_down_to_ilbc_and_back() -> None:
    leg, network = phone(clock)
    async with Stage(leg=leg, ladders=TO_ILBC) as stage:
        await stage.talking()
        await stage.later(10_000)
        assert steps(stage) == []
        network.loss = 0.06
        await stage.later(12_000)
        assert steps(stage) == [("PCMU/20", "ILBC/30")]
        network.loss = 0.0
        await stage.later(20_000)
        assert leg.tier == "ILBC/30"
        await stage.later(15_000)
        assert steps(stage) == [("PCMU/20", "ILBC/30"), ("ILBC/30", "PCMU/20")]
        record = await hung_up(stage)
    assert record.tier_changes == 2
    assert record.mos_min is not None
    assert record.mos_mean is not None
    assert 2.5 < record.mos_min < 4.0 < record.mos_mean
    assert {point.tier for point in record.quality} == {"PCMU/20", "ILBC/30"}
    assert max(point.received_loss for point in record.quality) == pytest.approx(0.06, abs=0.01)
    assert "lossy" in str(stage.events(K.TIER)[0].fields["reason"])


async def test_a_far_end_that_refuses_keeps_its_codec_and_its_peace() -> None:
    leg, network = phone(clock)
    leg.peer.answers_tiers_with = 488
    async with Stage(leg=leg, ladders=TO_ILBC) as stage:
        await stage.talking()
        network.loss = 0.06
        await stage.later(60_000)
        assert leg.tiers_wanted == ["ILBC/30"]
        assert steps(stage) == []
        assert any("488" in str(event.fields["text"]) for event in stage.events(K.NOTE))
        await hung_up(stage)


async def test_glare_is_tried_again() -> None:
    leg, network = phone(clock)
    leg.peer.answers_tiers_with = 491
    async with Stage(leg=leg, ladders=TO_ILBC) as stage:
        await stage.talking()
        network.loss = 0.06
        while not leg.tiers_wanted:
            await stage.later(100)
        leg.peer.answers_tiers_with = 200
        await stage.later(15_000)
        assert leg.tiers_wanted == ["ILBC/30", "ILBC/30"]
        assert leg.tier == "ILBC/30"
        await hung_up(stage)


async def test_no_answer_is_waited_for_and_then_left_alone() -> None:
    leg, network = phone(clock)
    leg.peer.answers_tiers_with = 0
    async with Stage(leg=leg, ladders=TO_ILBC) as stage:
        await stage.talking()
        network.loss = 0.06
        await stage.later(80_000)
        assert leg.tiers_wanted == ["ILBC/30"]
        await hung_up(stage)


async def test_nothing_is_asked_of_a_phone_that_holds() -> None:
    leg, network = phone(clock)
    async with Stage(leg=leg, ladders=TO_ILBC) as stage:
        await stage.talking()
        leg.peer.hold(True)
        network.loss = 0.06
        await stage.later(30_000)
        assert leg.tiers_wanted == []
        leg.peer.hold(False)
        await stage.later(15_000)
        assert leg.tiers_wanted == ["ILBC/30"]
        await hung_up(stage)


async def test_nothing_is_asked_while_a_transfer_is_under_way() -> None:
    leg, network = phone(clock)
    async with Stage(leg=leg, ladders=TO_ILBC) as stage:
        await stage.talking()
        leg.peer.transfer_progress(100, "Trying", final=False)
        network.loss = 0.06
        await stage.later(30_000)
        assert leg.tiers_wanted == []
        leg.peer.transfer_progress(486, "Busy Here", final=True)
        await stage.later(15_000)
        assert leg.tiers_wanted == ["ILBC/30"]
        await hung_up(stage)


async def test_a_phone_on_a_thin_path_goes_down_to_ilbc_and_back() -> None:
    leg, network = phone(clock)
    async with Stage(leg=leg) as stage:
        await stage.talking()
        await stage.later(10_000)
        network.delay_rise_ms, network.loss = 200.0, 0.04
        await stage.later(6_000)
        assert steps(stage) == [("PCMU/20", "ILBC/30")]
        network.delay_rise_ms, network.loss = 0.0, 0.0
        await stage.later(40_000)
        assert steps(stage) == [("PCMU/20", "ILBC/30"), ("ILBC/30", "PCMU/20")]
        assert "thin" in str(stage.events(K.TIER)[0].fields["reason"])
        await hung_up(stage)


async def test_fewer_bits_are_tried_against_loss_and_given_up_where_they_do_not_help() -> None:
    leg, network = phone(clock)
    async with Stage(leg=leg) as stage:
        await stage.talking()
        network.loss = 0.1
        await stage.later(60_000)
        assert steps(stage) == [("PCMU/20", "ILBC/30"), ("ILBC/30", "PCMU/20")]
        assert "did not help" in str(stage.events(K.TIER)[1].fields["reason"])
        await hung_up(stage)


async def test_a_little_loss_changes_nothing() -> None:
    leg, network = phone(clock)
    async with Stage(leg=leg) as stage:
        await stage.talking()
        network.loss = 0.04
        await stage.later(60_000)
        assert leg.tiers_wanted == []
        await hung_up(stage)


async def test_a_peer_goes_all_the_way_down_a_thin_path_and_back_up() -> None:
    leg, network = peer(clock)
    async with Stage(leg=leg) as stage:
        await stage.talking()
        assert leg.tier == "32k/20ms"
        await stage.later(10_000)
        network.delay_rise_ms = 300.0
        await stage.later(45_000)
        sent = [event.fields["after"] for event in stage.events(K.TIER)]
        assert sent == ["24k/40ms", "20k/60ms", "12k/60ms"]
        network.delay_rise_ms = 0.0
        await stage.later(120_000)
        assert leg.tier == "32k/20ms"
        await hung_up(stage)


async def test_a_lossy_path_is_answered_with_fec_and_never_below_17k() -> None:
    leg, network = peer(clock)
    async with Stage(leg=leg) as stage:
        await stage.talking()
        network.loss = 0.15
        await stage.later(60_000)
        assert [event.fields["after"] for event in stage.events(K.TIER)] == ["24k/40ms", "20k/60ms"]
        assert leg.tier == "20k/60ms"
        await hung_up(stage)


async def test_our_own_page_is_told_how_much_to_send() -> None:
    leg, network = peer(clock)
    async with Stage(leg=leg) as stage:
        await stage.talking()
        leg.emit(wire.ChannelOpened(leg.address[1]))
        network.loss = 0.06
        stats = PeerStats(
            packets_received=0,
            packets_lost=0,
            jitter_ms=1.0,
            total_samples=0,
            concealed_samples=0,
            silent_concealed_samples=0,
            jitter_buffer_delay_s=0.0,
            jitter_buffer_emitted=0,
            rtt_ms=20.0,
            uplink_lost_percent=None,
            target_bitrate_bps=None,
        )
        for second in range(1, 13):
            message = {
                "type": "gateway.stats",
                **{name: getattr(stats, name) for name in stats.__slots__},
                "packets_received": 50 * second,
                "total_samples": 48_000 * second,
            }
            leg.emit(wire.ChannelText(leg.address[1], msgspec.json.encode(message).decode()))
            await stage.later(1000)
        tunes = [msgspec.json.decode(text) for text in leg.texts if "gateway.tune" in text]
        assert tunes == [{"type": "gateway.tune", "max_bitrate_bps": 24_000, "ptime_ms": 40}]
        # What the page hears is good, whatever is lost on the other way.
        assert leg.tier == "32k/20ms"
        assert [event.fields["direction"] for event in stage.events(K.TIER)] == ["received"]
        await hung_up(stage)

"""Another codec in the middle of a call: a PJSIP phone against a real card."""

import asyncio

import numpy as np
import pytest

from gateway.core.ids import LegId
from gateway.wire import card as wire
from tests.integration.card.cards import Rack
from tests.integration.card.core import StandInCore, auto_answer
from tests.integration.card.phone import RemotePhone
from tests.integration.card.test_media import has_tone
from tests.sounds import tone

pytestmark = pytest.mark.long

BOTH = ("PCMU/8000/1", "PCMA/8000/1", "iLBC/8000/1", "GSM/8000/1")
LONGEST_GAP_MS = 250
"""On a machine that does much else; `tests.bench.codec_switch` tells what it is on a quiet one."""


def longest_gap_ms(pcm: bytes) -> int:
    """Of the tone, in steps of 10 ms."""
    samples = np.abs(np.frombuffer(pcm, "<i2").astype(float))
    loud = samples[: len(samples) // 80 * 80].reshape(-1, 80).max(axis=1) > 1500
    longest = run = 0
    for each in loud:
        run = 0 if each else run + 1
        longest = max(longest, run)
    return 10 * longest


async def call(cards: Rack, *codecs: str) -> tuple[StandInCore, RemotePhone, LegId]:
    card = await cards.card()
    core = await card.core()
    auto_answer(core)
    phone = await RemotePhone.dial(f"sip:gw@127.0.0.1:{card.sip_port}", 1000, codecs)
    leg = (await core.expect(wire.Answered)).leg
    await phone.expect(state="confirmed")
    return core, phone, leg


async def changed(core: StandInCore, leg: LegId, tier: str) -> wire.MediaChanged:
    """Ask for a tier, and what was agreed on."""
    return await agreed(core, wire.SetTier(leg, tier))


async def agreed(core: StandInCore, command: wire.SetTier | wire.Hold) -> wire.MediaChanged:
    """What comes of a command that takes an offer."""
    before = len(core.of(wire.MediaChanged))
    core.send(command)
    await core.until(lambda: len(core.of(wire.MediaChanged)) > before)
    return core.of(wire.MediaChanged)[-1]


async def test_the_core_learns_what_the_phone_offers(cards: Rack) -> None:
    core, phone, _ = await call(cards, *BOTH)
    media = await core.expect(wire.MediaChanged)
    assert (media.codec, media.offered) == ("PCMU", ("PCMU", "PCMA", "ILBC", "GSM"))
    await phone.hang_up()


async def test_to_ilbc_and_back_with_the_tone_going_on_both_ways(cards: Rack) -> None:
    core, phone, leg = await call(cards, *BOTH)
    core.play(leg, tone(1300, 12_000))
    await core.hear(leg, 0.6)
    for tier, codec, ptime_ms in (("ILBC/30", "ILBC", 30), ("PCMU/20", "PCMU", 20)):
        start = len(core.heard[leg])
        recording = asyncio.create_task(phone.record(2500))
        await core.hear(leg, 0.3)
        media = await changed(core, leg, tier)
        assert (media.codec, media.ptime_ms) == (codec, ptime_ms)
        assert media.offered
        far = await recording
        await core.until(lambda start=start: len(core.heard[leg]) >= start + 2500 * 16)  # type: ignore[misc]
        near = bytes(core.heard[leg][start : start + 2500 * 16])
        has_tone(near[-1000 * 16 :], 1000)
        has_tone(far[-1000 * 16 :], 1300)
        assert longest_gap_ms(near) <= LONGEST_GAP_MS, "from the phone"
        assert longest_gap_ms(far) <= LONGEST_GAP_MS, "to the phone"
    assert not core.of(wire.Refused)
    await phone.hang_up()


async def test_a_phone_that_cannot_keeps_its_codec(cards: Rack) -> None:
    core, phone, leg = await call(cards, "PCMU/8000/1")
    core.send(wire.SetTier(leg, "ILBC/30"))
    refused = await core.expect(wire.Refused)
    assert (refused.command, refused.status) == ("SetTier", 500)  # PJSIP's word for it
    has_tone(await core.hear(leg, 0.5, skip_s=0.2), 1000)
    # What is offered afterwards is what is spoken.
    core.send(wire.Hold(leg, True))
    core.send(wire.Hold(leg, False))
    await core.hear(leg, 0.5)
    assert core.of(wire.MediaChanged)[-1].codec == "PCMU"
    await phone.hang_up()


async def test_nothing_is_offered_while_the_call_is_on_hold(cards: Rack) -> None:
    core, phone, leg = await call(cards, *BOTH)
    core.send(wire.Hold(leg, True))
    core.send(wire.SetTier(leg, "ILBC/30"))
    assert (await core.expect(wire.Refused)).status == 491
    await phone.hang_up()


async def test_a_hold_afterwards_does_not_bring_the_old_codec_back(cards: Rack) -> None:
    core, phone, leg = await call(cards, *BOTH)
    await core.hear(leg, 0.3)
    assert (await changed(core, leg, "ILBC/30")).codec == "ILBC"
    phone.do("hold")
    await core.expect(wire.MediaChanged, lambda m: m.held)
    phone.do("resume")
    before = len(core.of(wire.MediaChanged))
    await core.until(
        lambda: len(core.of(wire.MediaChanged)) > before and not core.of(wire.MediaChanged)[-1].held
    )
    for held in (True, False):
        await agreed(core, wire.Hold(leg, held))
    assert core.of(wire.MediaChanged)[-1].codec == "ILBC"
    await phone.hang_up()


async def test_the_card_s_other_calls_are_left_alone(cards: Rack) -> None:
    card = await cards.card()
    core = await card.core()
    auto_answer(core)
    phones = [
        await RemotePhone.dial(f"sip:gw@127.0.0.1:{card.sip_port}", hz, BOTH) for hz in (500, 900, 1400)
    ]
    for phone in phones:
        await phone.expect(state="confirmed")
    await core.until(lambda: len(core.of(wire.Answered)) == 3)
    legs = [answered.leg for answered in core.of(wire.Answered)]
    await core.hear(legs[0], 0.5)
    starts = {leg: len(core.heard[leg]) for leg in legs}
    assert (await changed(core, legs[0], "ILBC/30")).codec == "ILBC"
    await core.hear(legs[0], 1.0)
    for leg in legs[1:]:
        medias = [media.codec for media in core.of(wire.MediaChanged) if media.leg == leg]
        assert set(medias) == {"PCMU"}
        assert longest_gap_ms(bytes(core.heard[leg][starts[leg] :])) <= 20
    # A call that comes now is offered everything again.
    late = await RemotePhone.dial(f"sip:gw@127.0.0.1:{card.sip_port}", 700, BOTH)
    await late.expect(state="confirmed")
    assert (await core.expect(wire.MediaChanged, lambda m: m.leg not in legs)).codec == "PCMU"
    for phone in (*phones, late):
        await phone.hang_up()


@pytest.mark.parametrize("tier", ["", "ILBC", "OPUS/20", "ILBC/x"])
async def test_what_is_no_tier_is_refused(cards: Rack, tier: str) -> None:
    core, phone, leg = await call(cards, *BOTH)
    core.send(wire.SetTier(leg, tier))
    assert (await core.expect(wire.Refused)).command == "SetTier"
    await phone.hang_up()

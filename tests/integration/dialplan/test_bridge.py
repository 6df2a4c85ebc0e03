"""Callers and several phones, on a real gateway: all at once, in order, in turn."""

from pathlib import Path

import pytest

from tests.integration.dialplan.phones import TONES_HZ
from tests.integration.dialplan.site import Site, Watched
from tests.integration.softphone import Softphone
from tests.integration.spectrum import left_channel, seconds_of_tone

pytestmark = pytest.mark.asyncio(loop_scope="package")

PHONES = ["op1", "op2", "op3"]


async def test_all_ring_and_the_first_to_answer_has_the_caller(site: Site, tmp_path: Path) -> None:
    recording, call, office = tmp_path / "phone.wav", Watched(site.gateway), site.office
    since = len(office.events)
    async with Softphone(site.gateway.uri("201"), record=recording) as phone:
        await phone.event("ringing")
        for user in PHONES:
            await office.event("invited", user, since=since)
        assert not any(event["event"] == "answered" for event in phone.events)
        office.do("answer op2")
        await phone.event("answered")
        for user in ("op1", "op3"):
            assert (await office.event("left", user, since=since))["status"] == 487
        await phone.done("tone 1900 2000")
    heard_there = await office.heard("op2", since=since)
    record = await call.record()
    assert seconds_of_tone(heard_there, 1900) == pytest.approx(2.0, abs=0.25)
    assert seconds_of_tone(left_channel(recording), TONES_HZ["op2"]) >= 1.5
    assert record.reason == "caller_hangup"


async def test_in_order_the_second_rings_when_the_first_refuses(site: Site, tmp_path: Path) -> None:
    recording, call, office = tmp_path / "phone.wav", Watched(site.gateway), site.office
    since = len(office.events)
    async with Softphone(site.gateway.uri("202"), record=recording) as phone:
        await office.event("invited", "op1", since=since)
        await phone.done("hear 5", "silence 5")
        assert office.named("invited", since) == ["op1"]
        office.do("refuse op1 486")
        await office.event("invited", "op2", since=since)
        office.do("answer op2")
        await office.event("answered", "op2", since=since)
        await phone.done("tone 1900 1500", "pause 0.2")
        office.do("bye op2")
        assert (await phone.event("ended"))["by"] == "far_end"
    record = await call.record()
    heard = left_channel(recording)
    assert seconds_of_tone(heard, 425) >= 0.8, "the ringing tone, for a caller who was answered before"
    assert seconds_of_tone(heard, TONES_HZ["op2"]) >= 1.0
    assert seconds_of_tone(await office.heard("op2", since=since), 1900) >= 1.0
    assert record.reason == "party_hangup"


async def test_in_turn_every_call_begins_with_the_next_phone(site: Site) -> None:
    office = site.office
    first = []
    for _ in PHONES:
        since, call = len(office.events), Watched(site.gateway)
        async with Softphone(site.gateway.uri("203")) as phone:
            user = await office.anybody(since=since)
            first.append(user)
            office.do(f"answer {user}")
            await phone.event("answered")
            office.do(f"bye {user}")
            await phone.event("ended")
        assert (await call.record()).reason == "party_hangup"
    assert sorted(first) == PHONES
    assert first[1:] + first[:1] == [PHONES[(PHONES.index(user) + 1) % 3] for user in first]

"""A menu on a real gateway: words, keys of both kinds, wrong ones, none; hours; voicemail."""

from pathlib import Path

import pytest

from gateway.core.record import CallRecord, TimelineKind
from tests.integration.dialplan.site import DONE_HZ, MENU_HZ, Site, Watched, failures, steps
from tests.integration.dialplan.sounds import join_wavs, samples_of, understood
from tests.integration.sipp import run_sipp
from tests.integration.softphone import Softphone
from tests.integration.spectrum import RATE_HZ, left_channel, seconds_of_tone
from tests.peers import SOUNDS_DIR

pytestmark = pytest.mark.asyncio(loop_scope="package")

_MENU_S = 2.5


def keys(record: CallRecord) -> list[tuple[object, object]]:
    """Keys that the caller pressed, and how they came."""
    return [
        (e.fields["digit"], e.fields["method"]) for e in record.timeline if e.kind is TimelineKind.DTMF_IN
    ]


async def test_a_key_cuts_the_menu_and_is_obeyed(site: Site, tmp_path: Path) -> None:
    recording, call = tmp_path / "phone.wav", Watched(site.gateway)
    async with Softphone(site.gateway.uri("101"), record=recording) as phone:
        await phone.done("hear 10", "silence 10", "hear 5", "dtmf 1", "ended 10")
    record = await call.record()
    heard = left_channel(recording)
    assert understood(heard[: 2 * RATE_HZ], ["welcome to the office", "we are closed"]).startswith("welcome")
    assert 0 < seconds_of_tone(heard, MENU_HZ) < _MENU_S - 1
    assert seconds_of_tone(heard, DONE_HZ) == pytest.approx(0.6, abs=0.21)
    assert keys(record) == [("1", "rfc4733")]
    assert steps(record) == ["play", "wait", "gather", "goto", "play", "hangup"]
    assert (record.route, record.result, record.sip_status) == ("menu", "completed", 200)


@pytest.mark.needs("sipp")
async def test_a_key_by_info_is_obeyed(site: Site) -> None:
    call = Watched(site.gateway)
    await run_sipp("key_by_info", site.gateway.sip_port, user="101")
    record = await call.record("caller")
    assert keys(record) == [("1", "info")]
    assert steps(record) == ["play", "wait", "gather", "goto", "play", "hangup"]


async def test_a_wrong_key_and_none_lead_to_the_operator(site: Site, tmp_path: Path) -> None:
    recording, call, office = tmp_path / "phone.wav", Watched(site.gateway), site.office
    since = len(office.events)
    async with Softphone(site.gateway.uri("101"), record=recording) as phone:
        await phone.done("hear 10", "silence 10", "hear 5", "dtmf 9")
        await office.event("invited", "op1", since=since)
        office.do("answer op1")
        await office.event("answered", "op1", since=since)
        await phone.done("tone 1900 1500", "pause 0.2")
    heard_there = await office.heard("op1", since=since)
    record = await call.record()
    heard = left_channel(recording)
    assert _MENU_S < seconds_of_tone(heard, MENU_HZ) < 2 * _MENU_S - 0.5, "cut once, heard once"
    assert seconds_of_tone(heard, 650) >= 1.0
    assert seconds_of_tone(heard_there, 1900) >= 1.0
    assert steps(record) == ["play", "wait", "gather", "gather again", "goto", "bridge"]
    assert failures(record) == []


async def test_hours_decide_by_the_clock_of_their_zone(site: Site) -> None:
    call = Watched(site.gateway)
    async with Softphone(site.gateway.uri("111")) as phone:
        await phone.done("ended 10")
    assert (await call.record()).route == "open"


@pytest.mark.needs("sounds")
async def test_when_it_is_closed_the_voicemail_keeps_the_words(site: Site, tmp_path: Path) -> None:
    recording, words, call = tmp_path / "phone.wav", tmp_path / "words.wav", Watched(site.gateway)
    join_wavs(words, (SOUNDS_DIR / f"digits/{digit}.wav" for digit in (7, 3, 9)))
    async with Softphone(site.gateway.uri("121"), record=recording) as phone:
        await phone.done("hear 10", "silence 10", f"say {words}", "ended 10")
    record = await call.record()
    assert (record.route, record.reason) == ("closed", "plan_ended")
    files = list((site.gateway.run_dir / "recordings" / "closed").iterdir())
    assert [file.name for file in files] == [f"{record.id}.wav"]
    said = [
        "three seven nine",
        "seven three nine",
        "nine three seven",
        "seven nine three",
        "three nine seven",
    ]
    assert understood(samples_of(files[0]), said) == "seven three nine"
    greeting = left_channel(recording)[: 2 * RATE_HZ]
    assert understood(greeting, ["we are open", "we are closed", "welcome to the office"]) == "we are closed"

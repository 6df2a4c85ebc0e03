"""What a phone hears before the answer, through edge and card."""

from pathlib import Path

import pytest

from gateway.core.record import TimelineKind
from tests.integration.dialplan.site import DONE_HZ, MENU_HZ, OTHER_HZ, Site, Watched, failures, steps
from tests.integration.softphone import Softphone
from tests.integration.spectrum import left_channel, seconds_of_tone

pytestmark = pytest.mark.asyncio(loop_scope="package")


async def test_an_announcement_ahead_of_a_refusal(site: Site, tmp_path: Path) -> None:
    recording, call = tmp_path / "phone.wav", Watched(site.gateway)
    async with Softphone(site.gateway.uri("141"), record=recording) as phone:
        assert (await phone.event("ended"))["status"] == 480
    record = await call.record()
    assert seconds_of_tone(left_channel(recording), OTHER_HZ) == pytest.approx(0.6, abs=0.21)
    assert (record.answered_at, record.billable_s, record.sip_status) == (None, 0, 480)
    assert (steps(record), failures(record)) == (["ring", "reject"], [])


async def test_the_answer_takes_the_place_of_early_media(site: Site, tmp_path: Path) -> None:
    recording, call = tmp_path / "phone.wav", Watched(site.gateway)
    async with Softphone(site.gateway.uri("142"), record=recording) as phone:
        await phone.done("ended 10")
    record = await call.record()
    heard = left_channel(recording)
    assert 0.1 <= seconds_of_tone(heard, MENU_HZ) <= 1.5, "cut, for it is 2.5 s long"
    assert seconds_of_tone(heard, DONE_HZ) == pytest.approx(0.6, abs=0.21)
    rung = [
        event.fields.get("early_media") for event in record.timeline if event.kind is TimelineKind.RINGING
    ]
    assert (rung, record.sip_status) == ([None, True], 200)

"""Keys both ways, variables, and a recording that a plan asks for, on a real phone."""

import asyncio
from pathlib import Path

import pytest

from tests.integration.dialplan.site import DONE_HZ, Site, Watched, failures, steps
from tests.integration.dialplan.sounds import samples_of
from tests.integration.softphone import Softphone
from tests.integration.spectrum import left_channel, seconds_of_tone

pytestmark = pytest.mark.asyncio(loop_scope="package")


async def test_what_the_caller_enters_and_says_goes_its_way(site: Site, tmp_path: Path) -> None:
    recording, call = tmp_path / "phone.wav", Watched(site.gateway)
    async with Softphone(site.gateway.uri("151"), record=recording) as phone:
        await phone.done("hear 10", "dtmf 471#")
        await phone.event("digit", where=lambda event: event["digit"] == "1")
        await phone.done("hear 10", "silence 10", "tone 2500 1200", "ended 15")
    record = await call.record()
    async with asyncio.timeout(5):
        told = await site.service.told.get()
    assert [event["digit"] for event in phone.events if event["event"] == "digit"] == list("*9471")
    assert (told["pin"], failures(record)) == ("471", [])
    file = site.gateway.run_dir / "recordings" / "notes" / Path(told["file"]).name
    assert seconds_of_tone(samples_of(file), 2500) == pytest.approx(1.2, abs=0.3)
    assert seconds_of_tone(left_channel(recording), DONE_HZ) == pytest.approx(0.6, abs=0.21)
    assert steps(record) == [
        *("set", "gather", "send_dtmf", "record", "recorded", "webhook", "goto", "play", "hangup")
    ]

"""What a plan does when something fails, on a real gateway: the caller is never left in silence."""

from pathlib import Path

import pytest

from tests.integration.dialplan.site import DONE_HZ, OTHER_HZ, SORRY_HZ, Site, Watched, failures
from tests.integration.dialplan.sounds import longest_silence_s
from tests.integration.softphone import Softphone
from tests.integration.spectrum import left_channel, seconds_of_tone

pytestmark = pytest.mark.asyncio(loop_scope="package")


@pytest.mark.parametrize(("number", "agent"), [("131", "dead"), ("132", "short")])
async def test_an_operator_takes_over_from_an_agent_that_is_down(
    site: Site, tmp_path: Path, number: str, agent: str
) -> None:
    recording, call, office = tmp_path / "phone.wav", Watched(site.gateway), site.office
    since = len(office.events)
    async with Softphone(site.gateway.uri(number), record=recording) as phone:
        await office.event("invited", "op1", since=since, within_s=20)
        office.do("answer op1")
        await office.event("answered", "op1", since=since)
        await phone.done("tone 1900 1500", "pause 0.2")
    record = await call.record()
    assert record.agent == agent
    assert failures(record) == [("ai", "backend_down")]
    heard = left_channel(recording)
    assert seconds_of_tone(heard, 650) >= 1.0
    assert longest_silence_s(heard) < 4.5, "no more than between two ringing tones"
    assert seconds_of_tone(await office.heard("op1", since=since), 1900) >= 1.0
    assert record.result == "completed"


@pytest.mark.parametrize(
    ("reply", "kind", "heard_hz"),
    [
        ("refuse op1 486", "busy", OTHER_HZ),
        ("refuse op1 603", "refused", DONE_HZ),
        ("", "no_answer", DONE_HZ),
    ],
)
async def test_a_phone_that_takes_no_call_leads_to_its_handler_or_else(
    site: Site, tmp_path: Path, reply: str, kind: str, heard_hz: float
) -> None:
    recording, call, office = tmp_path / "phone.wav", Watched(site.gateway), site.office
    since = len(office.events)
    async with Softphone(site.gateway.uri("133"), record=recording) as phone:
        await office.event("invited", "op1", since=since)
        if reply:
            office.do(reply)
        await phone.event("ended")
    await office.event("left", "op1", since=since)
    record = await call.record()
    named = [str(e.fields["kind"]) for e in record.timeline if "kind" in e.fields]
    assert named == [kind]
    assert seconds_of_tone(left_channel(recording), heard_hz) == pytest.approx(0.6, abs=0.21)


async def test_what_no_step_handles_is_the_plans_own_matter(site: Site, tmp_path: Path) -> None:
    recording, call, office = tmp_path / "phone.wav", Watched(site.gateway), site.office
    since = len(office.events)
    async with Softphone(site.gateway.uri("134"), record=recording) as phone:
        await office.event("invited", "op1", since=since)
        office.do("refuse op1 603")
        await phone.event("ended")
    record = await call.record()
    assert failures(record) == [("bridge", "refused")]
    assert seconds_of_tone(left_channel(recording), SORRY_HZ) == pytest.approx(0.6, abs=0.21)
    assert (record.sip_status, record.route) == (200, "no handler")

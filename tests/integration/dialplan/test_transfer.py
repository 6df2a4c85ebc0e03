"""Callers who are handed over, on a real gateway: by REFER, by bridging, and where it is forbidden."""

from pathlib import Path

import pytest

from gateway.core.record import TimelineKind
from tests.integration.dialplan.site import DONE_HZ, Site, Watched, failures, steps
from tests.integration.sipp import Sipp
from tests.integration.softphone import Softphone
from tests.integration.spectrum import left_channel, seconds_of_tone

pytestmark = pytest.mark.asyncio(loop_scope="package")


@pytest.mark.needs("sipp")
@pytest.mark.parametrize(
    ("scenario", "reason", "taken"),
    [
        ("referred", "transferred", ["transfer"]),
        ("refer_declined", "plan_ended", ["transfer", "failed", "goto"]),
    ],
)
async def test_a_phone_is_told_to_call_somebody_else(
    site: Site, scenario: str, reason: str, taken: list[str]
) -> None:
    call = Watched(site.gateway)
    async with Sipp(scenario, site.gateway.sip_port, user="301") as sipp:
        result = await sipp.result()
    result.assert_passed()
    record = await call.record("caller")
    assert f"sip:op1@127.0.0.1:{site.office.port}" in result.messages.partition("Refer-To:")[2][:80]
    (transfer,) = [e for e in record.timeline if e.kind is TimelineKind.TRANSFER]
    assert transfer.fields["result"] == (200 if reason == "transferred" else 603)
    assert record.reason == reason
    assert steps(record)[: len(taken)] == taken


async def test_a_transfer_by_bridging(site: Site, tmp_path: Path) -> None:
    recording, call, office = tmp_path / "phone.wav", Watched(site.gateway), site.office
    since = len(office.events)
    async with Softphone(site.gateway.uri("302"), record=recording) as phone:
        await office.event("invited", "op2", since=since)
        office.do("answer op2")
        await office.event("answered", "op2", since=since)
        await phone.done("tone 1900 1500", "pause 0.2")
        office.do("bye op2")
        assert (await phone.event("ended"))["by"] == "far_end"
    assert seconds_of_tone(await office.heard("op2", since=since), 1900) >= 1.0
    assert seconds_of_tone(left_channel(recording), 950) >= 1.0
    assert (await call.record()).reason == "party_hangup"


@pytest.mark.parametrize("number", ["303", "304"])
async def test_a_target_that_the_trunk_does_not_allow_is_never_called(
    site: Site, tmp_path: Path, number: str
) -> None:
    """The caller's own number would be called: expensive, if it were allowed."""
    recording, call, office = tmp_path / "phone.wav", Watched(site.gateway), site.office
    since, caller = len(office.events), "+900123456"
    async with Softphone(site.gateway.uri(number), record=recording, identity=caller) as phone:
        await phone.event("ended")
    record = await call.record(caller)
    assert failures(record) == [("transfer", "not_allowed")]
    assert office.named("invited", since) == []
    assert seconds_of_tone(left_channel(recording), DONE_HZ) == pytest.approx(0.6, abs=0.21)
    assert caller not in str([e.fields for e in record.timeline if e.kind is TimelineKind.STEP])

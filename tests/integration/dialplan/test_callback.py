"""A caller who is called back, on a real gateway and a real phone."""

from pathlib import Path

import pytest

from gateway.core.ids import CallId
from gateway.core.record import CallRecord
from tests.integration.dialplan.site import DONE_HZ, MENU_HZ, Site, Watched, failures
from tests.integration.softphone import Softphone
from tests.integration.spectrum import left_channel, seconds_of_tone

pytestmark = pytest.mark.asyncio(loop_scope="package")


async def outbound(site: Site, since: int) -> CallRecord:
    """The last call that the gateway placed."""
    ended = await site.gateway.logged(
        "call ended", 15, since=since, where=lambda e: e["call_id"] in placed(site, since)
    )
    return await site.gateway.record(CallId(str(ended["call_id"])))


def placed(site: Site, since: int) -> list[str]:
    lines = site.gateway.log[since:]
    return [
        str(e["call_id"]) for e in lines if e.get("event") == "call offered" and e["direction"] == "outbound"
    ]


async def test_the_caller_is_called_back_until_they_answer(site: Site, tmp_path: Path) -> None:
    recording, office = tmp_path / "phone.wav", site.office
    call, since, events = Watched(site.gateway), len(site.gateway.log), len(office.events)
    async with Softphone(site.gateway.uri("161"), identity="op3", record=recording) as phone:
        assert (await phone.event("ended"))["by"] == "far_end"
    assert seconds_of_tone(left_channel(recording), DONE_HZ) >= 0.4
    assert failures(await call.record("op3")) == []

    await office.event("invited", "op3", since=events)
    office.do("refuse op3 486")
    await office.event("left", "op3", since=events)
    again = len(office.events)
    busy = await outbound(site, since)
    assert (busy.direction, busy.reason, busy.to_number) == ("outbound", "busy", "op3")

    since = len(site.gateway.log)
    await office.event("invited", "op3", since=again)
    office.do("answer op3")
    await office.event("left", "op3", since=again, within_s=15)
    assert seconds_of_tone(await office.heard("op3", since=again), MENU_HZ) >= 2.0
    kept = await outbound(site, since)
    assert (kept.direction, kept.reason, kept.route) == ("outbound", "plan_ended", "promise kept")
    assert kept.from_number == "161"

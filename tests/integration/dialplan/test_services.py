"""Plans that ask and tell a service of the operator's, on a real gateway."""

import asyncio
from pathlib import Path

import pytest

from tests.integration.dialplan.service import BIG_BYTES
from tests.integration.dialplan.site import DONE_HZ, Site, Watched, failures
from tests.integration.softphone import Softphone
from tests.integration.spectrum import left_channel, seconds_of_tone

pytestmark = pytest.mark.asyncio(loop_scope="package")


async def test_what_a_service_answers_is_in_variables_and_another_is_told(site: Site) -> None:
    call = Watched(site.gateway)
    async with Softphone(site.gateway.uri("401"), identity="+491701") as phone:
        await phone.event("ended")
    async with asyncio.timeout(5):
        told = await site.service.told.get()
    assert told == {"name": "Ada", "order": "17", "to": "401"}
    assert site.service.asked[-1] == "/customer/%2B491701"
    assert failures(await call.record("+491701")) == []


@pytest.mark.parametrize(
    ("number", "kind", "reason"),
    [
        ("402", "error", "status 404"),
        ("403", "timeout", "within 1 s"),
        ("404", "error", "more than 65536 bytes"),
    ],
)
async def test_a_service_of_no_use_leads_to_its_handler(
    site: Site, tmp_path: Path, number: str, kind: str, reason: str
) -> None:
    assert BIG_BYTES > 65536
    recording, call = tmp_path / "phone.wav", Watched(site.gateway)
    async with Softphone(site.gateway.uri(number), record=recording) as phone:
        await phone.event("ended")
    record = await call.record()
    assert failures(record) == [("http", kind)]
    (failed,) = [e for e in record.timeline if e.fields.get("name") == "failed"]
    assert reason in str(failed.fields["reason"])
    assert seconds_of_tone(left_channel(recording), DONE_HZ) == pytest.approx(0.6, abs=0.21)

"""What a call's record holds so that the call can be sent through another plan."""

import pytest

from gateway.config.loader import load_config
from gateway.dialplan.loader import load_dialplan
from gateway.dialplan.replay import replay
from gateway.dialplan.surroundings import surroundings_of
from tests.integration.dialplan.site import Site, Watched
from tests.integration.raw_sip import RawSip

pytestmark = pytest.mark.asyncio(loop_scope="package")


async def test_trunk_and_headers_of_a_real_call_decide_again(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = Watched(site.gateway)
    async with RawSip(site.gateway.sip_port) as phone:
        request = phone.request("INVITE", headers="X-Lang: de-AT\r\nX-Other: 1\r\n")
        assert await phone.final_status(request.replace(b" sip:demo@", b" sip:152@", 1)) == 486
    record = await call.record("raw")
    assert (record.route, record.trunk, record.headers) == ("in German", "pbx", {"x-lang": "de-AT"})
    monkeypatch.setenv("TEST_KEY", "sk-test")
    plan = load_dialplan(site.plans, surroundings_of(load_config(site.gateway.config_file)))
    outcome = replay(plan, [record])
    assert (outcome.same, outcome.granted) == (1, ())

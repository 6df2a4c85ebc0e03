"""No more calls than allowed, and no new ones while draining."""

import signal

import pytest

from tests.integration.echo import echo_gateway
from tests.integration.raw_sip import RawSip
from tests.integration.sipp import run_sipp
from tests.integration.softphone import Softphone


@pytest.mark.needs("sipp")
async def test_exactly_max_calls_are_taken() -> None:
    async with echo_gateway(max_calls=2) as (gateway, _backend):
        async with Softphone(gateway.uri()) as first, Softphone(gateway.uri()) as second:
            await first.event("answered")
            await second.event("answered")
            refused = await run_sipp("refused_busy", gateway.sip_port)
            assert "Retry-After:" in refused.messages
            await run_sipp("refused_busy", gateway.sip_port, transport="t1")
            await second.finish()
            await gateway.logged("call ended")
            await run_sipp("call", gateway.sip_port)
            assert (await first.finish())["worked"]
        await gateway.settled()
        assert sum(line.get("event") == "call offered" for line in gateway.log) == 3


async def test_sigterm_lets_a_running_call_end_and_takes_no_new_one() -> None:
    async with echo_gateway() as (gateway, _backend):
        async with (
            Softphone(gateway.uri()) as phone,
            RawSip(gateway.sip_port) as late,
        ):
            await phone.done("tone 1000 300", "hear 3", "silence 3")
            gateway.signal(signal.SIGTERM)
            while await late.final_status(late.request("OPTIONS")) == 200:
                pass
            assert await late.final_status(late.request("INVITE")) == 503
            await phone.done("tone 1000 300", "hear 3", "silence 3")
            assert (await phone.finish())["worked"]
        assert await gateway.ended(8) == 0
        reasons = [line["reason"] for line in gateway.log if line.get("event") == "call ended"]
        assert reasons == ["caller_hangup"]


async def test_a_second_sigterm_ends_running_calls() -> None:
    async with echo_gateway() as (gateway, _backend):
        async with Softphone(gateway.uri()) as phone:
            await phone.done("tone 1000 300", "hear 3")
            gateway.signal(signal.SIGTERM)
            gateway.signal(signal.SIGTERM)
            ended = await phone.event("ended")
            assert ended["by"] == "far_end"
        assert await gateway.ended(8) == 0

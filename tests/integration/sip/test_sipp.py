"""Calls from SIPp: the signalling of ordinary and of awkward callers."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from gateway.bench.dialog import Dialog, DialogIds, DialogState, Line
from gateway.bench.sip import parse_message
from tests.integration.harness import GatewayProcess
from tests.integration.raw_sip import RawSip
from tests.integration.realtime_backend import RealtimeBackend
from tests.integration.sipp import Sipp, run_sipp

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.needs("sipp")]

KEY = {"TEST_KEY": "sk-test-1"}
MAX_CALLS = 8


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running() -> AsyncIterator[GatewayProcess]:
    async with RealtimeBackend("echo") as backend:
        agents = {"echo": backend.agent()}
        async with GatewayProcess(agents=agents, environment=KEY, max_calls=MAX_CALLS) as process:
            yield process


@pytest_asyncio.fixture(loop_scope="module")
async def gateway(running: GatewayProcess) -> AsyncIterator[GatewayProcess]:
    """The running gateway; afterwards every call must have ended."""
    yield running
    await running.settled()


async def ended_since(gateway: GatewayProcess, mark: int) -> list[str]:
    """Reasons of the calls that ended since the log was `mark` lines long, once all have."""
    await gateway.settled()
    return [str(line["reason"]) for line in gateway.log[mark:] if line.get("event") == "call ended"]


@pytest.mark.parametrize("transport", ["u1", "t1"])
@pytest.mark.parametrize("scenario", ["call", "reinvite"])
async def test_a_call_from_invite_to_bye(gateway: GatewayProcess, scenario: str, transport: str) -> None:
    mark = len(gateway.log)
    await run_sipp(scenario, gateway.sip_port, transport=transport)
    assert await ended_since(gateway, mark) == ["caller_hangup"]


@pytest.mark.parametrize("transport", ["u1", "t1"])
async def test_several_calls_at_once(gateway: GatewayProcess, transport: str) -> None:
    mark = len(gateway.log)
    async with Sipp("call", gateway.sip_port, calls=8, at_once=4, transport=transport) as sipp:
        (await sipp.result()).assert_passed()
    assert await ended_since(gateway, mark) == ["caller_hangup"] * 8


async def test_a_retransmitted_invite_is_one_call(gateway: GatewayProcess) -> None:
    # SIPp takes an answer that comes between two requests for a mistake.
    mark = len(gateway.log)
    async with RawSip(gateway.sip_port) as far_end:
        line = Line("127.0.0.1", far_end.port, 6000, ("127.0.0.1", gateway.sip_port), "demo", "raw")
        dialog = Dialog(line, DialogIds("twice@127.0.0.1", "twice", "z9hG4bKtwice"))
        for request in dialog.start(0) * 2:
            far_end.send(request)
        while dialog.state is not DialogState.ENDED:
            for reply in dialog.handle(parse_message(await far_end.receive()), 0):
                far_end.send(reply)
            assert not dialog.failure
            for request in dialog.hang_up(0):
                far_end.send(request)
    assert await ended_since(gateway, mark) == ["caller_hangup"]


async def test_an_offer_without_a_common_codec_is_not_acceptable(gateway: GatewayProcess) -> None:
    mark = len(gateway.log)
    await run_sipp("no_common_codec", gateway.sip_port)
    assert await ended_since(gateway, mark) == []


async def test_an_invite_without_an_offer_is_offered_to(gateway: GatewayProcess) -> None:
    mark = len(gateway.log)
    await run_sipp("late_offer", gateway.sip_port)
    assert await ended_since(gateway, mark) == ["caller_hangup"]


async def test_a_bye_before_the_ack_ends_the_call(gateway: GatewayProcess) -> None:
    mark = len(gateway.log)
    await run_sipp("bye_before_ack", gateway.sip_port)
    assert await ended_since(gateway, mark) == ["caller_hangup"]


async def test_options_are_answered(gateway: GatewayProcess) -> None:
    await run_sipp("options", gateway.sip_port)


async def test_every_slot_is_free_after_all_of_this(gateway: GatewayProcess) -> None:
    await gateway.settled()
    async with Sipp("call", gateway.sip_port, calls=MAX_CALLS, at_once=MAX_CALLS) as sipp:
        (await sipp.result()).assert_passed()


async def test_the_gateway_hangs_up() -> None:
    async with (
        RealtimeBackend("refuse") as backend,
        GatewayProcess(agents={"lost": backend.agent()}, environment=KEY) as gateway,
        Sipp("bye_from_gateway", gateway.sip_port) as udp,
        Sipp("bye_from_gateway", gateway.sip_port, transport="t1") as tcp,
    ):
        for sipp in (udp, tcp):
            (await sipp.result()).assert_passed()
        assert await ended_since(gateway, 0) == ["backend_refused"] * 2


async def test_a_caller_who_gives_up_while_it_rings() -> None:
    async with RealtimeBackend("silent") as backend:
        agent = backend.agent(answer_budget_ms=20000)
        async with GatewayProcess(agents={"slow": agent}, environment=KEY) as gateway:
            for transport in ("u1", "t1"):
                mark = len(gateway.log)
                await run_sipp("cancel", gateway.sip_port, transport=transport)
                assert await ended_since(gateway, mark) == ["cancelled"]

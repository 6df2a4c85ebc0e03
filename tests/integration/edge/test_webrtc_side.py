"""A whole gateway with a `webrtc` section: its port, its metrics, its phones, its end."""

import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gateway.edge.webrtc_cards import FIRST_CARD
from tests.integration.echo import ECHO_STEPS
from tests.integration.harness import GatewayProcess
from tests.integration.processes import free_sip_port
from tests.integration.realtime_backend import RealtimeBackend
from tests.integration.softphone import Softphone


@asynccontextmanager
async def _gateway(port: int) -> AsyncIterator[GatewayProcess]:
    async with (
        RealtimeBackend("echo") as backend,
        GatewayProcess(
            agents={"echo": backend.agent()},
            environment={"TEST_KEY": "sk-test-echo"},
            max_calls=4,
            sections={"webrtc": {"listen": f"127.0.0.1:{port}", "max_peers": 2}},
        ) as gateway,
    ):
        yield gateway


async def test_phones_and_relay_live_side_by_side() -> None:
    port = free_sip_port()
    async with _gateway(port) as gateway:
        ready = await gateway.logged("ready")
        assert ready["webrtc"] == f"127.0.0.1:{port}"
        assert (await gateway.logged("WebRTC card is up"))["card"] == FIRST_CARD
        await gateway.metric("gateway_edge_webrtc_cards_running", lambda now: now == 1)
        await gateway.metric("gateway_edge_relay_flows", lambda now: now == 0)
        async with Softphone(gateway.uri()) as phone:
            await phone.done(*ECHO_STEPS)
            assert (await phone.finish())["worked"]
        await gateway.settled()


async def test_a_webrtc_card_that_dies_is_replaced_and_phones_do_not_notice() -> None:
    async with _gateway(free_sip_port()) as gateway, Softphone(gateway.uri()) as phone:
        first = await gateway.logged("WebRTC card is up")
        os.kill(int(first["pid"]), signal.SIGKILL)
        ended = await gateway.logged("card ended")
        assert (ended["card"], ended["status"]) == (FIRST_CARD, "signal 9")
        await gateway.logged("WebRTC card is up", 30, where=lambda line: line["pid"] != first["pid"])
        await phone.done(*ECHO_STEPS)
        assert (await phone.finish())["worked"]
        await gateway.settled()


async def test_a_relay_worker_that_dies_is_replaced() -> None:
    async with _gateway(free_sip_port()) as gateway:
        (worker,) = [each for each in gateway.processes() if "gateway.edge.relay" in each.command]
        os.kill(worker.pid, signal.SIGKILL)
        died = await gateway.logged("process died", where=lambda line: line["name"] == "relay0")
        assert died["status"] == "signal 9"
        await gateway.metric("gateway_edge_relay_restarts_total", lambda now: now == 1)
        await gateway.metric("gateway_edge_relay_flows", lambda now: now == 0)

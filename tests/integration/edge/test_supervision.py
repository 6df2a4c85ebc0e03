"""Processes of a real gateway die or get stuck; the edge deals with it."""

import asyncio
import os
import signal
import sys

import pytest

from gateway.edge.fleet import SILENT_S, START_S
from tests.integration.echo import ECHO_STEPS, echo_gateway
from tests.integration.harness import GatewayProcess
from tests.integration.raw_sip import RawSip
from tests.integration.sipp import Sipp
from tests.integration.softphone import Softphone


async def _new_call_works(gateway: GatewayProcess) -> None:
    async with Softphone(gateway.uri()) as phone:
        await phone.done(*ECHO_STEPS)
        assert (await phone.finish())["worked"]


async def _many_calls_work(gateway: GatewayProcess) -> None:
    async with Sipp("held_call", gateway.sip_port, calls=9, at_once=9) as sipp:
        (await sipp.result()).assert_passed()
    cards = {line["card"] for line in gateway.log if line.get("event") == "call offered"}
    assert len(cards) >= 3


@pytest.mark.needs("sipp")
async def test_calls_outlive_the_template_and_a_new_one_makes_cards() -> None:
    async with echo_gateway(max_calls=12) as (gateway, _), Softphone(gateway.uri()) as phone:
        await phone.done(*ECHO_STEPS)
        os.kill(gateway.template_pid(), signal.SIGKILL)
        await gateway.logged("process died", where=lambda line: line["name"] == "template")
        await gateway.metric("gateway_edge_template_restarts_total", lambda now: now == 1)
        await _many_calls_work(gateway)
        await phone.done(*ECHO_STEPS)
        assert (await phone.finish())["worked"]
        await gateway.settled()


@pytest.mark.needs("sipp")
async def test_a_template_that_hangs_is_replaced() -> None:
    async with echo_gateway(max_calls=12) as (gateway, _), Softphone(gateway.uri()) as phone:
        os.kill(gateway.template_pid(), signal.SIGSTOP)
        await phone.done(*ECHO_STEPS)  # on the spare card; the edge orders another one
        died = await gateway.logged("process died", START_S + 5)
        assert (died["name"], died["status"]) == ("template", "signal 9")
        await gateway.metric("gateway_cards_connected", lambda now: now == 2)
        await _many_calls_work(gateway)
        await phone.done(*ECHO_STEPS)
        assert (await phone.finish())["worked"]
        await gateway.settled()


async def test_a_card_that_hangs_is_killed_and_its_call_gets_a_bye() -> None:
    async with echo_gateway() as (gateway, _), Softphone(gateway.uri()) as phone:
        await phone.done(*ECHO_STEPS)
        os.kill(gateway.card_pid(0), signal.SIGSTOP)
        stuck = await gateway.logged("card is stuck", SILENT_S + 10)
        assert stuck["card"] == 0
        assert (await phone.event("ended", 5))["by"] == "far_end"
        ended = await gateway.logged("card ended")
        assert (ended["status"], ended["calls"]) == ("signal 9", 1)
        await _new_call_works(gateway)
        await gateway.settled()


async def test_a_second_gateway_in_the_same_directory_is_one_clear_line() -> None:
    async with echo_gateway() as (gateway, _):
        second = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "gateway", "run", "--config", str(gateway.config_file)),
            stdin=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "TEST_KEY": "sk-test-echo"},
        )
        _, said = await second.communicate()
        assert second.returncode == 1
        assert said.decode() == f"gateway: another gateway (pid {gateway.pid}) runs in {gateway.run_dir}\n"
        await _new_call_works(gateway)
        await gateway.settled()


async def test_the_edge_counts() -> None:
    async with echo_gateway() as (gateway, _), RawSip(gateway.sip_port) as far_end:
        assert await far_end.final_status(far_end.request("OPTIONS")) == 200
        await gateway.metric("gateway_edge_sip_rx_options_total", lambda now: now == 1)


async def test_it_leaves_only_what_is_to_be_kept() -> None:
    async with echo_gateway() as (gateway, _):
        await _new_call_works(gateway)
        await gateway.settled()
        await gateway.stop()
        left = {path.name for path in gateway.run_dir.iterdir() if not path.name.startswith("calls.db")}
        assert left == {"gateway.pid", "prompts"}

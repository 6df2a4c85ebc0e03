"""Processes of the gateway are killed while calls are up."""

import asyncio
import os
import signal
import wave
from contextlib import AsyncExitStack

import aiohttp
import numpy as np
import pytest

from tests.integration.echo import ECHO_STEPS, echo_gateway
from tests.integration.harness import GatewayProcess
from tests.integration.raw_sip import RawSip
from tests.integration.softphone import Softphone

_TAKEN_OVER_S = 20.0
"""Cards wait for 30 s for a core."""


async def test_a_killed_card_takes_only_its_own_calls_along() -> None:
    async with echo_gateway() as (gateway, _backend):
        async with AsyncExitStack() as stack:
            phones: dict[str, Softphone] = {}
            cards: dict[str, int] = {}
            for number in range(5):
                user = f"phone{number}"
                mark = len(gateway.log)
                phones[user] = await stack.enter_async_context(Softphone(gateway.uri(), identity=user))
                await phones[user].event("answered")
                cards[user] = int((await gateway.logged("call offered", since=mark))["card"])
            alone = [user for user in cards if list(cards.values()).count(cards[user]) == 1]
            assert len(alone) == 1, cards
            os.kill(gateway.card_pid(cards[alone[0]]), signal.SIGKILL)
            ended = await phones[alone[0]].event("ended", 5)
            assert ended["by"] == "far_end"
            for user in cards.keys() - alone:
                await phones[user].done(*ECHO_STEPS)
        await gateway.settled()
        reasons = [line["reason"] for line in gateway.log if line.get("event") == "call ended"]
        assert sorted(reasons) == ["caller_hangup"] * 4 + ["card_lost"]
        async with Softphone(gateway.uri()) as phone:
            await phone.done(*ECHO_STEPS)
        await gateway.settled()


async def start_recording(gateway: GatewayProcess, call_id: object) -> None:
    """By the API."""
    url = f"http://127.0.0.1:{gateway.http_port}/v1/calls/{call_id}/record"
    async with (
        aiohttp.ClientSession() as http,
        http.post(url, json={"action": "start"}) as response,
    ):
        assert response.status == 200, await response.text()


async def test_calls_survive_the_core_and_go_on_with_the_agent() -> None:
    async with echo_gateway() as (gateway, backend):
        async with (
            Softphone(gateway.uri(), identity="one") as first,
            Softphone(gateway.uri(), identity="two") as second,
        ):
            await asyncio.gather(first.event("answered"), second.event("answered"))
            await start_recording(gateway, (await gateway.logged("call offered"))["call_id"])
            await asyncio.gather(first.done(*ECHO_STEPS), second.done(*ECHO_STEPS))
            os.kill(gateway.core_pid(), signal.SIGKILL)
            await gateway.logged("call taken over", _TAKEN_OVER_S)
            await backend.until(4)
            await asyncio.gather(first.done(*ECHO_STEPS), second.done(*ECHO_STEPS))
            assert (await first.finish())["worked"]
            assert (await second.finish())["worked"]
        await gateway.settled()
        taken_over = [line["call_id"] for line in gateway.log if line.get("event") == "call taken over"]
        offered = [line["call_id"] for line in gateway.log if line.get("event") == "call offered"]
        assert sorted(taken_over) == sorted(offered)
        for call_id in offered:
            record = await gateway.record(call_id)
            assert record.recovered == 1
            assert record.reason == "caller_hangup"
        call_id = offered[0]
        recordings = gateway.run_dir / "recordings" / "calls"
        assert [path.name for path in recordings.iterdir()] == [f"{call_id}.wav"]
        with wave.open(str(recordings / f"{call_id}.wav")) as reader:
            seconds = reader.getnframes() / reader.getframerate()
            both = np.frombuffer(reader.readframes(reader.getnframes()), np.int16).reshape(-1, 2)
        assert seconds > 1.5
        for channel in both.T:
            for half in np.array_split(channel, 2):
                assert np.abs(half.astype(int)).max() > 1000, "heard before and after"


async def test_a_core_that_hangs_is_replaced_and_its_call_goes_on() -> None:
    async with echo_gateway() as (gateway, _backend):
        async with Softphone(gateway.uri()) as phone:
            await phone.done(*ECHO_STEPS)
            os.kill(gateway.core_pid(), signal.SIGSTOP)
            await gateway.logged("core hangs", 12)
            await gateway.logged("call taken over", _TAKEN_OVER_S)
            await phone.done(*ECHO_STEPS)
            assert (await phone.finish())["worked"]
        await gateway.settled()


async def test_new_calls_are_refused_for_a_moment_while_there_is_no_core() -> None:
    async with echo_gateway() as (gateway, _backend):
        os.kill(gateway.core_pid(), signal.SIGKILL)
        await gateway.logged("process died", where=lambda line: line["name"] == "core")
        async with RawSip(gateway.sip_port) as caller:
            refusal = await caller.final(caller.request("INVITE"))
            assert refusal.startswith(b"SIP/2.0 503 ")
            assert b"\r\nRetry-After: 1\r\n" in refusal
        await gateway.logged("the new core takes calls", 15)
        async with Softphone(gateway.uri()) as phone:
            await phone.done(*ECHO_STEPS)
        await gateway.settled()


@pytest.mark.parametrize("with_call", [False, True], ids=["idle", "with a call"])
async def test_a_killed_edge_leaves_nothing_behind(with_call: bool) -> None:
    async with echo_gateway() as (gateway, _backend), AsyncExitStack() as stack:
        if with_call:
            phone = await stack.enter_async_context(Softphone(gateway.uri()))
            await phone.done(*ECHO_STEPS)
        assert len(gateway.processes()) >= 4
        gateway.signal(signal.SIGKILL)
        assert await gateway.ended(5) == -signal.SIGKILL
        assert await gateway.leftovers(5) == []

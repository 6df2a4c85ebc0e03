"""A plan is replaced under running calls."""

import os
import signal
import wave
from pathlib import Path

import aiohttp
import pytest
from tenacity import AsyncRetrying, retry_if_result, stop_after_delay, wait_fixed

from tests.integration.feed import Item
from tests.integration.harness import GatewayProcess
from tests.integration.sipp import Sipp

CALLS = 20

PLAN = """version: 1
routes:
  - name: {name}
    match: {{to: "*"}}
    do: [{{play: {{file: beep.wav}}}}, {{wait: {wait}}}, hangup]
"""


def _write(plans: Path, name: str, wait: str) -> None:
    (plans / "plan.yaml").write_text(PLAN.format(name=name, wait=wait))


@pytest.fixture
def plans(tmp_path: Path) -> Path:
    with wave.open(str(tmp_path / "beep.wav"), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(b"\0\x10\0\xf0" * 800)
    _write(tmp_path, "before", "8s")
    return tmp_path


async def _starting(gateway: GatewayProcess) -> None:
    """A new core serves, but is not ready."""

    async def is_starting() -> bool:
        try:
            return "starting" in (await gateway.http("/readyz"))[1]
        except aiohttp.ClientError:
            return False

    looking = AsyncRetrying(
        stop=stop_after_delay(20), wait=wait_fixed(0.05), retry=retry_if_result(lambda found: not found)
    )
    await looking(is_starting)


def _count(items: list[Item], event: str) -> int:
    return sum(item.get("event") == event for item in items)


async def test_a_reload_under_twenty_calls_drops_none_and_new_calls_take_the_new_plan(plans: Path) -> None:
    async with GatewayProcess(
        max_calls=CALLS + 4, dialplans=plans, sections={"dialplans_reload": "on_command"}
    ) as gateway:
        async with Sipp(
            "bye_from_gateway", gateway.sip_port, calls=CALLS, at_once=CALLS, within_s=60
        ) as early:
            assert await gateway.feed.until(lambda items: _count(items, "call offered") == CALLS, 20)
            _write(plans, "after", "1s")
            os.kill(gateway.pid, signal.SIGHUP)
            line = await gateway.logged("dialplan put into force", where=lambda i: i["by"] == "SIGHUP")
            assert _count(gateway.log[: gateway.log.index(line)], "call ended") == 0
            async with Sipp("bye_from_gateway", gateway.sip_port, within_s=30) as late:
                (await late.result()).assert_passed()
            (await early.result()).assert_passed()
        await gateway.settled()
        ended = [item for item in gateway.log if item.get("event") == "call ended"]
        records = [await gateway.record(str(item["call_id"])) for item in ended]
        assert sorted(record.route for record in records) == ["after"] + ["before"] * CALLS
        assert all(record.billable_s > 7 for record in records if record.route == "before")
        assert {record.result.value for record in records} == {"completed"}


async def test_a_signal_while_the_core_starts_is_not_lost(plans: Path) -> None:
    async with GatewayProcess(dialplans=plans, sections={"dialplans_reload": "on_command"}) as gateway:
        bot = gateway.bot_pid()
        os.kill(bot, signal.SIGSTOP)  # the new core waits for it once it has read the dialplans
        try:
            os.kill(gateway.core_pid(), signal.SIGKILL)
            await _starting(gateway)
            _write(plans, "after", "1s")
            os.kill(gateway.pid, signal.SIGHUP)
        finally:
            os.kill(bot, signal.SIGCONT)
        await gateway.logged("dialplan put into force", where=lambda i: i["by"] == "SIGHUP")


async def test_a_wrong_plan_changes_nothing_for_anybody(plans: Path) -> None:
    async with GatewayProcess(dialplans=plans, sections={"dialplans_reload": "on_command"}) as gateway:
        (plans / "plan.yaml").write_text("version: 1\nroutes: [{name: x}]\n")
        os.kill(gateway.core_pid(), signal.SIGHUP)
        line = await gateway.logged("dialplan refused, the one in force goes on")
        assert "plan.yaml:2:" in str(line["mistakes"])
        async with Sipp("bye_from_gateway", gateway.sip_port, within_s=30) as sipp:
            (await sipp.result()).assert_passed()
        await gateway.settled()
        (ended,) = [item for item in gateway.log if item.get("event") == "call ended"]
        assert (await gateway.record(str(ended["call_id"]))).route == "before"


async def test_a_changed_file_is_put_into_force_by_itself(plans: Path) -> None:
    async with GatewayProcess(dialplans=plans) as gateway:
        _write(plans, "after", "1s")
        await gateway.logged("dialplan put into force", where=lambda i: i["by"] == "file change")
        async with Sipp("bye_from_gateway", gateway.sip_port, within_s=30) as sipp:
            (await sipp.result()).assert_passed()
        await gateway.settled()
        (ended,) = [item for item in gateway.log if item.get("event") == "call ended"]
        assert (await gateway.record(str(ended["call_id"]))).route == "after"

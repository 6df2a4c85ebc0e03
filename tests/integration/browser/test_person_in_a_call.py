"""A phone calls, a person answers at the page: hearing each other, hold, hanging up. All of it is real."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
from playwright.async_api import Browser

from gateway.core.record import TimelineKind
from tests.integration.browser.desk import sign_in
from tests.integration.browser.phone import Phone, phone
from tests.integration.harness import GatewayProcess
from tests.integration.processes import free_sip_port
from tests.integration.realtime_backend import RealtimeBackend
from tests.integration.softphone import Softphone
from tests.integration.spectrum import left_channel, seconds_of_tone

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.asyncio(loop_scope="package")]

PASSWORD = "a password of people"
PLAN = """
version: 1
routes:
  - name: agent
    match: {to: agent}
    do: [{ai: echo}]
  - name: person
    match: {to: "*"}
    do: [{bridge: {to: "webrtc:olivia", ring: 20s, on: {refused: {reject: 603}}, else: {reject: 480}}}]
cases:
  - {to: demo, expect: {route: person}}
  - {to: agent, expect: {route: agent}}
"""


@pytest_asyncio.fixture(scope="module", loop_scope="package")
async def office() -> AsyncIterator[GatewayProcess]:
    """Every call rings at olivia's page, but those to `agent`, which says back what it hears."""
    async with (
        RealtimeBackend("echo") as echo,
        GatewayProcess(
            agents={"echo": echo.agent()},
            sections={
                "webrtc": {"listen": f"127.0.0.1:{free_sip_port()}", "max_peers": 4},
                "users": {"olivia": {"password": "${OLIVIA}", "name": "Olivia"}},
            },
            environment={"OLIVIA": PASSWORD, "TEST_KEY": "sk-test-echo"},
            dialplan=PLAN,
        ) as running,
    ):
        yield running


@asynccontextmanager
async def at_desk(browser: Browser, office: GatewayProcess) -> AsyncIterator[Phone]:
    """Olivia, ready for calls."""
    async with phone(browser, office) as it:
        await sign_in(it, "olivia", PASSWORD)
        await it.until("document.getElementById('presence').textContent.startsWith('Calls come to you')")
        yield it


async def answer(it: Phone) -> None:
    """As soon as it rings."""
    await it.until("!document.getElementById('incoming').hidden")
    await it.page.click("#answer")
    await it.until("document.getElementById('status').textContent === 'Connected.'")
    await it.until("!document.getElementById('hold').hidden")


async def test_a_phone_and_a_page_hear_each_other(
    browser: Browser, office: GatewayProcess, tmp_path: Path
) -> None:
    recording = tmp_path / "phone.wav"
    began = len(office.log)
    async with at_desk(browser, office) as it:
        async with Softphone(office.uri(), record=recording, identity="+491701") as caller:
            await answer(it)
            assert "+491701" in await it.page.inner_text("#incoming-from")
            await caller.event("answered")
            caller.do("tone 1000 2500")
            assert await it.loudest_hz() == pytest.approx(1000, abs=12)
            await it.quiet()
            await it.hum(700, 2000)
            caller.do("hangup")
            summary = await caller.finish()
        assert summary["worked"], summary
        await it.status("The caller hung up.")
        await it.until("document.getElementById('presence').textContent.startsWith('Calls come to you')")
    assert seconds_of_tone(left_channel(recording), 700) == pytest.approx(2.0, abs=0.3)
    ended = await office.logged("call ended", since=began)
    record = await office.record(str(ended["call_id"]))
    kinds = [event.kind for event in record.timeline]
    assert (
        kinds.index(TimelineKind.DIALLING) < kinds.index(TimelineKind.JOINED) < kinds.index(TimelineKind.LEFT)
    )


async def test_the_person_holds_the_caller_and_hangs_up(
    browser: Browser, office: GatewayProcess, tmp_path: Path
) -> None:
    recording = tmp_path / "phone.wav"
    async with at_desk(browser, office) as it:
        async with Softphone(office.uri(), record=recording) as caller:
            await answer(it)
            await it.page.click("#hold")
            await it.status("The caller is on hold.")
            await it.hum(900, 1000)
            await it.page.click("#hold")
            await it.until("document.getElementById('hold').ariaPressed === 'false'")
            await it.hum(700, 1000)
            await it.hang_up()
            await caller.done("ended 5")
        await it.until("document.getElementById('presence').textContent.startsWith('Calls come to you')")
    heard = left_channel(recording)
    assert seconds_of_tone(heard, 900) == 0.0
    assert seconds_of_tone(heard, 700) == pytest.approx(1.0, abs=0.3)


async def take_back(it: Phone) -> None:
    """From hold; asked again if the page was back before its call was."""
    async with asyncio.timeout(20):
        while True:
            await it.page.click("#hold")
            try:
                await it.until("document.getElementById('hold').ariaPressed === 'false'", 2)
            except TimeoutError:
                continue
            return


async def test_a_person_who_holds_a_caller_goes_on_at_the_next_core(
    browser: Browser, office: GatewayProcess
) -> None:
    began = len(office.log)
    async with at_desk(browser, office) as it:
        async with Softphone(office.uri()) as caller:
            await answer(it)
            await it.page.click("#hold")
            await it.status("The caller is on hold.")
            os.kill(office.core_pid(), signal.SIGKILL)
            await office.logged("call taken over", 30, since=began)
            # The page comes back by itself, and nobody signs in again.
            await it.until("!document.getElementById('hold').disabled", 20)
            await take_back(it)
            caller.do("tone 1000 2500")
            assert await it.loudest_hz() == pytest.approx(1000, abs=12)
            await it.hang_up()
            await caller.event("ended")
        await it.until("document.getElementById('presence').textContent.startsWith('Calls come to you')")
        it.complaints.clear()  # the browser notes the lost connection
    ended = await office.logged("call ended", since=began)
    assert (ended["result"], ended["reason"]) == ("completed", "party_hangup")


async def test_a_person_is_called_into_a_call_and_hands_it_back_to_the_agent(
    browser: Browser, office: GatewayProcess, tmp_path: Path
) -> None:
    recording = tmp_path / "phone.wav"
    began = len(office.log)
    async with at_desk(browser, office) as it:
        async with Softphone(office.uri("agent"), record=recording) as caller:
            await caller.done("tone 1000 500", "hear 5", "silence 5")
            offered = await office.logged("call offered", since=began)
            async with asyncio.TaskGroup() as both:
                both.create_task(answer(it))
                both.create_task(bridge(office, str(offered["call_id"]), "webrtc:olivia"))
            await it.hum(700, 1500)
            await it.page.click("#hand-back")
            await it.status("The call is back with the agent.")
            await caller.done("silence 5", "tone 1300 1000", "hear 5", "silence 5")
        await it.until("document.getElementById('presence').textContent.startsWith('Calls come to you')")
    heard = left_channel(recording)
    assert seconds_of_tone(heard, 700) == pytest.approx(1.5, abs=0.3)
    assert seconds_of_tone(heard, 1300) == pytest.approx(1.0, abs=0.3)
    ended = await office.logged("call ended", since=began)
    assert ended["reason"] == "caller_hangup"


async def bridge(office: GatewayProcess, call_id: str, to: str) -> None:
    """Call somebody into a call by the API, and wait for their answer."""
    url = f"http://127.0.0.1:{office.http_port}/v1/calls/{call_id}/bridge"
    async with aiohttp.ClientSession() as http, http.post(url, json={"to": to}) as response:
        assert response.status == 200, await response.text()


async def test_a_call_that_is_declined_is_refused(browser: Browser, office: GatewayProcess) -> None:
    began = len(office.log)
    async with at_desk(browser, office) as it, Softphone(office.uri()) as caller:
        await it.until("!document.getElementById('incoming').hidden")
        await it.page.click("#decline")
        ended = await office.logged("call ended", since=began)
        record = await office.record(str(ended["call_id"]))
        assert record.sip_status == 603
        assert await asyncio.wait_for(caller.finish(), 10)

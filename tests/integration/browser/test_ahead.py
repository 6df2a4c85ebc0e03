"""What the page does ahead: a connection before the call, a call before the microphone is open."""

import asyncio

import pytest
from playwright.async_api import Browser

from gateway.core.termination import Reason
from tests.integration.browser.phone import Phone, phone
from tests.integration.harness import GatewayProcess

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.asyncio(loop_scope="package")]

_SLOW = """() => {
  const open = navigator.mediaDevices.getUserMedia;
  const opened = new Promise((resolve, reject) => {
    window.openIt = resolve;
    window.breakIt = () => reject(new DOMException("none", "NotFoundError"));
  });
  navigator.mediaDevices.getUserMedia = async (...wanted) => {
    await opened;
    return open(...wanted);
  };
}"""

_STATE = "document.getElementById('status').textContent"


async def slow_microphone(it: Phone) -> None:
    """Call; the microphone opens when it is told to."""
    await it.page.evaluate(_SLOW)
    await it.page.select_option("#agent", "echo")
    await it.page.click("#call")


async def test_who_lets_the_page_listen_is_connected_while_the_microphone_opens(
    browser: Browser, gateway: GatewayProcess
) -> None:
    async with phone(browser, gateway) as it:
        await slow_microphone(it)
        await it.event("session.created")
        assert await it.page.evaluate(_STATE) == "Calling …"
        await it.page.evaluate("openIt()")
        await it.status("Connected.")
        await asyncio.gather(it.heard(), it.hum(700, 1500))
        await it.hang_up()


async def test_who_has_to_be_asked_calls_nobody_before_the_answer(
    browser: Browser, gateway: GatewayProcess
) -> None:
    async with phone(browser, gateway) as it:
        # The browser of the tests counts every page as trusted.
        await it.page.add_init_script('navigator.permissions.query = async () => ({ state: "prompt" });')
        await it.open()
        began = len(gateway.log)
        await slow_microphone(it)
        await it.page.evaluate("new Promise((resolve) => setTimeout(resolve, 300))")
        assert not [line for line in gateway.log[began:] if line.get("event") == "call offered"]
        await it.page.evaluate("openIt()")
        await it.status("Connected.")
        await it.hang_up()


async def test_a_call_without_microphone_ends(browser: Browser, gateway: GatewayProcess) -> None:
    async with phone(browser, gateway) as it:
        began = len(gateway.log)
        await slow_microphone(it)
        await it.event("session.created")
        await it.page.evaluate("breakIt()")
        await it.status("There is no microphone.")
        ended = await gateway.logged("call ended", 5, since=began)
        assert ended["reason"] == Reason.CALLER_HANGUP
        assert await it.page.is_enabled("#call")


async def test_every_call_has_a_connection_of_its_own(browser: Browser, gateway: GatewayProcess) -> None:
    async with phone(browser, gateway) as it:
        for _ in range(2):
            made = await it.page.evaluate("connections.length")
            await it.call("echo")
            assert await it.page.evaluate("connections.length") == made, "it was there already"
            await it.hang_up()
        await it.until("connections.slice(0, -1).every((each) => each.connectionState === 'closed')")
        assert await it.page.evaluate("connections.at(-1).signalingState") == "have-local-offer"

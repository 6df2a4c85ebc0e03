"""The page without rights, without a microphone, without a gateway."""

import asyncio
import json
import sys

import pytest
from playwright.async_api import Browser

from tests.integration.browser.chromium import chromium
from tests.integration.browser.phone import Phone, phone
from tests.integration.harness import GatewayProcess

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.asyncio(loop_scope="package")]


async def keys(gateway: GatewayProcess, *arguments: str) -> str:
    """What `gateway keys` prints."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "gateway", "keys", *arguments, "--run-dir", str(gateway.run_dir)),
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    assert process.returncode == 0
    return out.decode()


async def test_the_page_asks_for_a_key_where_one_is_needed(browser: Browser, gateway: GatewayProcess) -> None:
    async with phone(browser, gateway) as it:
        created = json.loads(await keys(gateway, "create", "page", "--role", "operate", "--json"))
        try:
            await it.page.goto(it.address)
            await it.until("!document.getElementById('key').hidden")
            await it.page.click("#call")
            await it.until("document.getElementById('status').textContent.includes('a key is needed')")
            await it.page.fill("#key", created["key"])
            await it.until("!document.getElementById('call').disabled")
            await it.page.press("#key", "Tab")
            await it.until("document.getElementById('agent').options.length > 1")
            await it.call("echo")
            await it.hang_up()
        finally:
            await keys(gateway, "revoke", created["id"])
        # The browser itself notes every refusal.
        assert all("401" in line for line in it.complaints)
        it.complaints.clear()


async def test_a_microphone_that_may_not_be_used_is_said_in_words(gateway: GatewayProcess) -> None:
    async with chromium(may_listen=False) as browser, phone(browser, gateway, speaks_for_itself=False) as it:
        await it.page.click("#call")
        await it.until("document.getElementById('status').textContent.startsWith('The microphone may not')")
        assert await it.page.is_enabled("#call")
        assert await it.page.is_disabled("#hangup")
        _, text = await gateway.http("/v1/calls")
        assert json.loads(text)


async def test_it_is_usable_by_keyboard_and_named_for_screen_readers(
    browser: Browser, gateway: GatewayProcess
) -> None:
    async with phone(browser, gateway) as it:
        seen = await tabbed(it)
        assert seen[:3] == ["agent", "number", "call"]
        nameless = "[...document.querySelectorAll('button, input, select, meter')].filter(NAMELESS).length"
        has_none = "(e) => !(e.ariaLabel || e.textContent.trim() || e.labels?.length)"
        assert await it.page.evaluate(nameless.replace("NAMELESS", has_none)) == 0
        assert await it.page.get_attribute("#transcript", "role") == "log"
        await it.page.set_viewport_size({"width": 320, "height": 640})
        assert await it.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        await it.page.focus("#number")
        await it.page.keyboard.press("Enter")
        await it.status("Connected.")
        assert await it.page.evaluate("document.activeElement.id") == "hangup"
        await it.page.keyboard.press("Enter")
        await it.status("You hung up.")


async def tabbed(it: Phone) -> list[str]:
    """Ids of what the Tab key reaches, in order."""
    found = []
    for _ in range(5):
        await it.page.keyboard.press("Tab")
        found.append(str(await it.page.evaluate("document.activeElement.id")))
    return found

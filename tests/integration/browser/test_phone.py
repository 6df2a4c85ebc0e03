"""The phone page calls the gateway: it hears, is understood, interrupts, mutes, presses keys, goes away."""

import asyncio
import re

import pytest
from playwright.async_api import Browser

from gateway.core.record import TimelineKind
from tests.integration.browser.phone import phone
from tests.integration.harness import GatewayProcess

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.asyncio(loop_scope="package")]

_INTERRUPTIONS = 5


async def test_a_tone_comes_back_through_relay_and_card(browser: Browser, gateway: GatewayProcess) -> None:
    async with phone(browser, gateway) as it:
        await it.call("echo")
        loudest_hz, _ = await asyncio.gather(it.loudest_hz(), it.hum(1000, 2000))
        assert loudest_hz == pytest.approx(1000, abs=12)
        await it.until("document.getElementById('codec').textContent === 'opus'")
        assert await it.page.inner_text("#lost") == "0 %"
        assert re.fullmatch(r"\d+(\.\d)? ms", await it.page.inner_text("#rtt"))
        await it.hang_up()


async def test_a_conversation_is_heard_understood_and_told_in_order(
    browser: Browser, gateway: GatewayProcess
) -> None:
    async with phone(browser, gateway) as it:
        await it.call("bot")
        await it.heard()
        await it.say("ask_billing.wav")
        asked = await it.event("conversation.item.input_audio_transcription.completed")
        assert "billing" in asked["transcript"].lower()
        await it.event("output_audio_buffer.started", 2)
        await it.event("output_audio_buffer.stopped")
        await it.say("yes_please.wav")
        await it.event("output_audio_buffer.started", 3)
        said = await it.transcript()
        events = await it.events()
        await it.hang_up()
        answers, reported = await it.turns(1), await it.turns(2)
    assert re.search(r"You:\s.*billing", said, re.IGNORECASE)
    assert said.index("Agent:") < said.index("You:")
    assert answers
    assert reported
    assert all(0 < ms < 5000 for ms in [*answers, *reported])
    in_order = [
        "session.created",
        "response.created",
        "output_audio_buffer.started",
        "input_audio_buffer.speech_started",
        "output_audio_buffer.cleared",
        "input_audio_buffer.speech_stopped",
        "conversation.item.input_audio_transcription.completed",
        "output_audio_buffer.started",
    ]
    types = iter([event["type"] for event in events])
    assert [wanted for wanted in in_order if wanted not in types] == []


async def test_the_agent_falls_silent_when_interrupted(browser: Browser, gateway: GatewayProcess) -> None:
    async with phone(browser, gateway) as it:
        await it.call("bot")
        silent_after_ms: list[float] = []
        count = 0
        # Where the agent was between two words, there is nothing to be measured.
        while len(silent_after_ms) < _INTERRUPTIONS and count < 3 * _INTERRUPTIONS:
            count += 1
            await it.event("output_audio_buffer.started", count)
            await it.heard()
            await it.say("interrupt.wav")
            await it.event("output_audio_buffer.cleared", count)
            silent_after_ms = sorted(await it.turns(3))
        await it.hang_up()
    assert len(silent_after_ms) >= _INTERRUPTIONS
    assert silent_after_ms[len(silent_after_ms) // 2] < 450
    assert silent_after_ms[-1] < 900


async def test_a_muted_microphone_is_not_heard(browser: Browser, gateway: GatewayProcess) -> None:
    async with phone(browser, gateway) as it:
        await it.call("echo")
        await it.page.click("#mute")
        assert await it.page.get_attribute("#mute", "aria-pressed") == "true"
        await it.hum(700, 800)
        assert await it.page.evaluate("document.getElementById('far-level').value") < -55
        await it.page.click("#mute")
        await asyncio.gather(it.heard(), it.hum(700, 1000))
        await it.hang_up()


async def test_keys_are_pressed_by_pointer_and_keyboard(browser: Browser, gateway: GatewayProcess) -> None:
    async with phone(browser, gateway) as it:
        began = len(gateway.log)
        await it.call(number="+4930555010")
        await it.event("session.created")
        await it.page.click("#keypad summary")
        await it.page.click("#keypad button[value='4']")
        await it.page.keyboard.press("#")
        await it.heard()
        await it.hang_up()
        ended = await gateway.logged("call ended", since=began)
        record = await gateway.record(str(ended["call_id"]))
    keys = [event.fields["digit"] for event in record.timeline if event.kind == TimelineKind.DTMF_IN]
    assert keys == ["4", "#"]
    assert (record.kind, record.to_number) == ("webrtc", "+4930555010")


async def test_nothing_is_left_of_a_call_when_the_page_is_reloaded(
    browser: Browser, gateway: GatewayProcess
) -> None:
    async with phone(browser, gateway) as it:
        began = len(gateway.log)
        await it.call("bot")
        await it.heard()
        await it.open()
        ended = await gateway.logged("call ended", 5, since=began)
        assert ended["reason"] == "caller_hangup"
        assert await it.page.inner_text("#status") == "Ready to call."
        await gateway.metric("gateway_edge_webrtc_peers_live", lambda now: now == 0)


async def test_a_tab_that_is_closed_ends_its_call(browser: Browser, gateway: GatewayProcess) -> None:
    began = len(gateway.log)
    async with phone(browser, gateway) as it:
        await it.call("bot")
        await it.heard()
    await gateway.logged("call ended", 12, since=began)
    await gateway.metric("gateway_edge_webrtc_peers_live", lambda now: now == 0)

"""The phone page as a person's phone: signing in, ringing, answering, holding, handing back; and by whom."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from gateway.calls.oai_requests import read_stats
from gateway.legs.people.messages import TranscriptLine
from gateway.legs.people.ring import Ring, RingFailedError
from tests.integration.browser.desk import CALLER, INFO, Office, Wire, at_desk, office, page, sign_in
from tests.integration.browser.phone import Phone

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.asyncio(loop_scope="package")]

_SMALL = """[...document.querySelectorAll("button, input, select, summary")].filter((each) => {
  const { width, height } = each.getBoundingClientRect();
  return each.checkVisibility() && (width < 44 || height < 44);
}).map((each) => each.id || each.textContent)"""


_WATCH_PRESENCE = """() => {
  const presence = document.getElementById("presence");
  window.presences = [];
  new MutationObserver(() => presences.push(presence.textContent)).observe(presence, { childList: true });
}"""


@pytest_asyncio.fixture(scope="module", loop_scope="package")
async def desk() -> AsyncIterator[Office]:
    """One core for all tests of this module."""
    async with office() as running:
        yield running


async def rings(it: Phone) -> None:
    """Wait until the page shows a call."""
    await it.until("!document.getElementById('incoming').hidden")


async def rings_no_more(it: Phone) -> None:
    """Wait until it does not."""
    await it.until("document.getElementById('incoming').hidden")
    assert await it.page.title() == "Phone"


async def failed(ring: Ring, within_s: float = 10) -> str:
    """Why a ring failed."""
    with pytest.raises(RingFailedError) as caught:
        async with asyncio.timeout(within_s):
            await ring.answered()
    return caught.value.reason


async def focused(it: Phone) -> str:
    """Id of what has the focus."""
    return str(await it.page.evaluate("document.activeElement.id"))


# ---- signing in -----------------------------------------------------------------------------------


async def test_a_wrong_password_is_told_and_the_right_one_opens_the_desk(
    browser: Browser, desk: Office
) -> None:
    async with page(browser, desk) as it:
        await sign_in(it, password="not the password")
        problem = "document.getElementById('sign-in-problem').textContent"
        await it.until(f"{problem} === 'Not signed in: the name or the password is wrong.'")
        assert await focused(it) == "password"
        assert all("401" in line for line in it.complaints)  # the browser itself notes every refusal
        it.complaints.clear()
        await sign_in(it)
        await desk.seen("olivia", "ready")
        assert await it.page.inner_text("#person") == "Olivia"
        assert await focused(it) == "ready"
        assert await it.page.evaluate("document.cookie") == ""


async def test_a_reload_stays_signed_in_and_signing_out_ends_it(browser: Browser, desk: Office) -> None:
    async with at_desk(browser, desk) as it:
        await it.open()
        await it.until("document.getElementById('person').textContent === 'Olivia'")
        await desk.seen("olivia", "ready")
        await it.page.click("#sign-out")
        await desk.seen("olivia", "offline")
        await it.open()
        assert await it.page.is_visible("#sign-in")


async def test_going_away_and_coming_back(browser: Browser, desk: Office) -> None:
    async with at_desk(browser, desk) as it:
        await it.page.click("#ready")
        await desk.seen("olivia", "away")
        assert await it.page.get_attribute("#ready", "aria-pressed") == "false"
        assert await it.page.inner_text("#presence") == "You are away: no calls come."
        await it.page.click("#ready")
        await desk.seen("olivia", "ready")


async def test_nothing_rings_during_a_call_of_ones_own(browser: Browser, desk: Office) -> None:
    async with at_desk(browser, desk) as it:
        await it.call("seller")
        await desk.seen("olivia", "away")
        await it.hang_up()
        await desk.seen("olivia", "ready")


# ---- answering ------------------------------------------------------------------------------------


async def test_a_call_is_answered_held_taken_back_and_handed_back(browser: Browser, desk: Office) -> None:
    async with at_desk(browser, desk) as it:
        ring = await desk.ring()
        await rings(it)
        assert await it.page.inner_text("#incoming-from") == CALLER
        assert await it.page.inner_text("#incoming-to") == "for +4930555, from agent seller"
        assert "Caller: I want to talk to a person." in await it.page.inner_text("#incoming-transcript")
        assert await it.page.title() == f"☎ {CALLER}"
        assert await focused(it) == "answer"
        await it.page.keyboard.press("Enter")
        caller = await desk.connect(ring)
        await it.status("Connected.")
        await rings_no_more(it)
        assert await focused(it) == "hangup"
        assert "Agent: One moment." in await it.transcript()
        await asyncio.gather(it.heard(), it.hum(700, 1500))
        caller.line.said("caller", "Hello Olivia")
        await it.until("document.getElementById('transcript').textContent.includes('Hello Olivia')")
        await it.page.click("#hold")
        assert await caller.wish() == "hold"
        caller.line.held(True)
        await it.status("The caller is on hold.")
        assert await it.page.get_attribute("#hold", "aria-pressed") == "true"
        await it.quiet()
        await it.hum(700, 500)  # on hold the microphone is shut
        assert await it.page.evaluate("document.getElementById('far-level').value") < -55
        await it.page.click("#hold")
        assert await caller.wish() == "resume"
        caller.line.held(False)
        await it.until("document.getElementById('hold').ariaPressed === 'false'")
        await asyncio.gather(it.heard(), it.hum(700, 1500))
        await it.page.click("#hand-back")
        assert await caller.wish() == "hand_back"
        caller.line.left("handed back")
        await it.status("The call is back with the agent.")
        await caller.ended()
        assert not await it.page.is_visible("#hold")
        await desk.seen("olivia", "ready")


async def test_the_person_hangs_up(browser: Browser, desk: Office) -> None:
    async with at_desk(browser, desk) as it:
        ring = await desk.ring()
        await rings(it)
        await it.page.click("#answer")
        caller = await desk.connect(ring)
        await it.status("Connected.")
        await it.page.click("#hangup")
        assert await caller.wish() == "hang_up"
        await caller.leave("hung_up")
        await desk.seen("olivia", "ready")
        assert await it.page.inner_text("#status") == "You hung up."


async def test_the_page_reports_what_it_measures(browser: Browser, desk: Office) -> None:
    async with at_desk(browser, desk) as it:
        ring = await desk.ring()
        await rings(it)
        await it.page.click("#answer")
        caller = await desk.connect(ring)
        await it.hum(500, 1000)
        async with asyncio.timeout(10):
            while (found := read_stats(await caller.texts.get())) is None or found.packets_received < 50:
                pass
            again = read_stats(await caller.texts.get())
        assert again is not None
        assert again.packets_received >= found.packets_received + 25
        assert again.total_samples > found.total_samples > 0
        assert again.jitter_buffer_emitted > 0
        assert again.target_bitrate_bps is None or again.target_bitrate_bps > 6000
        assert again.rtt_ms is not None
        refusal: dict[str, Any] = {"code": "event_not_allowed", "message": "no", "event_id": "gateway.stats"}
        caller.leg.send_text(json.dumps({"type": "error", "error": refusal}))
        await it.event("error")
        await caller.leave("the caller has gone")
        await it.status("The caller hung up.")
        assert "no" not in (await it.transcript()).split()


# ---- not answering --------------------------------------------------------------------------------


async def test_declining(browser: Browser, desk: Office) -> None:
    async with at_desk(browser, desk) as it:
        ring = await desk.ring()
        await rings(it)
        await it.page.keyboard.press("Tab")
        assert await focused(it) == "decline"
        await it.page.keyboard.press("Space")
        assert await failed(ring) == "declined"
        await it.status("You declined the call.")
        await rings_no_more(it)
        assert await focused(it) == "ready"


async def test_the_caller_gives_up(browser: Browser, desk: Office) -> None:
    async with at_desk(browser, desk) as it:
        ring = await desk.ring()
        await rings(it)
        ring.cancel()
        await it.status("The caller gave up.")
        await rings_no_more(it)


async def test_two_tabs_ring_and_the_first_answer_wins(browser: Browser, desk: Office) -> None:
    async with at_desk(browser, desk) as first, at_desk(browser, desk) as second:
        ring = await desk.ring()
        await asyncio.gather(rings(first), rings(second))
        await second.page.click("#answer")
        caller = await desk.connect(ring)
        await first.status("The call was answered elsewhere.")
        await rings_no_more(first)
        await second.status("Connected.")
        assert not await first.page.is_visible("#hold")
        await caller.leave("the caller has gone")
        await second.status("The caller hung up.")


async def test_a_tab_that_is_closed_rings_no_more(browser: Browser, desk: Office) -> None:
    async with at_desk(browser, desk) as it:
        ring = await desk.ring()
        await rings(it)
    assert await failed(ring) == "gone"
    await desk.seen("olivia", "offline")


async def test_who_is_cut_off_in_a_call_is_missed(browser: Browser, desk: Office) -> None:
    async with at_desk(browser, desk) as it:
        ring = await desk.ring()
        await rings(it)
        await it.page.click("#answer")
        caller = await desk.connect(ring)
        await it.status("Connected.")
    async with asyncio.timeout(10):
        await caller.gone.wait()
    caller.line.left("lost")
    await desk.seen("olivia", "offline")


async def test_a_call_goes_on_when_the_line_was_cut(browser: Browser, desk: Office) -> None:
    async with Wire(desk.rig.server.port) as wire, at_desk(browser, desk, base=wire.base) as it:
        ring = await desk.ring()
        await rings(it)
        await it.page.click("#answer")
        caller = await desk.connect(ring)
        await it.status("Connected.")
        await it.page.evaluate(_WATCH_PRESENCE)
        wire.cut()
        await it.until("presences.some((text) => text.startsWith('No connection'))")
        await it.until("document.getElementById('presence').textContent.startsWith('Calls come')")
        await it.page.click("#hold")
        assert await caller.wish() == "hold"
        await caller.leave("the caller has gone")
        await it.status("The caller hung up.")
        await desk.seen("olivia", "ready")
        it.complaints.clear()  # the browser notes connections that were cut


async def test_both_sides_notice_a_dead_network_and_find_each_other_again(
    browser: Browser, desk: Office
) -> None:
    async with Wire(desk.rig.server.port) as wire, at_desk(browser, desk, base=wire.base) as it:
        wire.stall()
        await desk.seen("olivia", "offline", within_s=10)
        await it.until("document.getElementById('presence').textContent.startsWith('No connection')", 20)
        wire.mend()
        await desk.seen("olivia", "ready", within_s=10)
        it.complaints.clear()


# ---- for everybody --------------------------------------------------------------------------------


async def test_who_writes_does_not_answer_by_mistake(browser: Browser, desk: Office) -> None:
    async with at_desk(browser, desk) as it:
        await it.page.focus("#number")
        await it.page.keyboard.type("+49")
        ring = await desk.ring()
        await rings(it)
        await it.page.keyboard.type("30 ")
        assert await it.page.input_value("#number") == "+4930 "
        assert not ring.over
        assert await it.page.get_attribute("#incoming", "role") == "alertdialog"
        ring.cancel()
        await rings_no_more(it)
        assert await focused(it) == "number"


async def test_it_fits_a_small_screen_and_thick_fingers(browser: Browser, desk: Office) -> None:
    async with at_desk(browser, desk) as it:
        await it.page.set_viewport_size({"width": 320, "height": 560})
        long = TranscriptLine("caller", "word " * 60 + "x" * 200)
        ring = await desk.ring(info=replace(INFO, from_party="sip:" + "y" * 120, transcript=(long,) * 6))
        await rings(it)
        assert await it.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert await it.page.evaluate(_SMALL) == []
        in_view = "document.getElementById('decline').getBoundingClientRect().bottom <= innerHeight"
        assert await it.page.evaluate(in_view)
        ring.cancel()
        await rings_no_more(it)


@pytest.mark.parametrize(("reduced", "animation"), [(True, "none"), (False, "ring")])
async def test_nothing_moves_for_who_does_not_want_it(
    browser: Browser, desk: Office, reduced: bool, animation: str
) -> None:
    async with page(browser, desk, reduced_motion=reduced) as it:
        await sign_in(it)
        ring = await desk.ring()
        await rings(it)
        style = "getComputedStyle(document.getElementById('incoming')).animationName"
        assert await it.page.evaluate(style) == animation
        ring.cancel()
        await rings_no_more(it)

"""The phone page in a browser, with what a test does on it and sees on it."""

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median
from typing import Any, Final

from playwright.async_api import Browser, Page

from tests.integration.browser.chromium import complaints
from tests.integration.harness import GatewayProcess

SPEECH: Final = Path(__file__).parents[3] / "gateway/softphone/speech"
PAGE_SIDE: Final = (Path(__file__).parent / "page_side.js").read_text()

_LOUDEST_HZ: Final = """() => {
  const tap = new AnalyserNode(new AudioContext(), { fftSize: 8192, smoothingTimeConstant: 0 });
  tap.context.createMediaStreamSource(document.getElementById("far").srcObject).connect(tap);
  const samples = new Float32Array(tap.fftSize);
  const bins = new Float32Array(tap.frequencyBinCount);
  const found = [];
  const full = () => {
    tap.getFloatTimeDomainData(samples);
    for (let from = 0; from < samples.length; from += 512) {
      if (!samples.subarray(from, from + 512).some((sample) => Math.abs(sample) > 0.01)) return false;
    }
    return true;
  };
  return new Promise((resolve) => {
    const timer = setInterval(() => {
      if (!full()) return;
      tap.getFloatFrequencyData(bins);
      found.push((bins.indexOf(Math.max(...bins)) * tap.context.sampleRate) / tap.fftSize);
      if (found.length < 5) return;
      clearInterval(timer);
      resolve(found);
    }, 50);
  });
}"""
"""The loudest frequency of each of five windows of 170 ms that are full of sound.

While a tone begins, a browser on a busy machine conceals and stretches, and the peak of such a window may lie
beside the tone; a fault on the way moves that of every window.
"""

_UNTIL: Final = """new Promise((resolve) => {
  const timer = setInterval(() => {
    if (!(CONDITION)) return;
    clearInterval(timer);
    resolve();
  }, 20);
})"""
_HEARD: Final = "document.getElementById('far-level').value > -45"
_QUIET: Final = "document.getElementById('far-level').value < -55"


class Phone:
    """One tab with the page open."""

    def __init__(self, page: Page, address: str) -> None:
        self.page = page
        self.address = address
        self.complaints = complaints(page)

    async def open(self) -> None:
        """Load the page, or load it again."""
        await self.page.goto(self.address)
        await self.until("document.getElementById('agent').options.length > 1")

    async def call(self, agent: str = "", number: str = "") -> None:
        """Call and wait for the connection."""
        await self.page.select_option("#agent", agent)
        await self.page.fill("#number", number)
        await self.page.click("#call")
        await self.status("Connected.")

    async def hang_up(self) -> None:
        """As a user does."""
        await self.page.click("#hangup")
        await self.status("You hung up.")

    async def status(self, text: str, within_s: float = 10.0) -> None:
        """Wait for this status."""
        await self.until(f"document.getElementById('status').textContent === {text!r}", within_s)

    async def until(self, condition: str, within_s: float = 10.0) -> None:
        """Wait until a JavaScript expression is true."""
        # Playwright's own way to wait needs `eval`, which the page's policy forbids.
        async with asyncio.timeout(within_s):
            await self.page.evaluate(_UNTIL.replace("CONDITION", condition))

    async def heard(self, within_s: float = 10.0) -> None:
        """Wait until the agent is audible."""
        await self.until(_HEARD, within_s)

    async def quiet(self, within_s: float = 15.0) -> None:
        """Wait until the agent is not."""
        await self.until(_QUIET, within_s)

    async def loudest_hz(self, within_s: float = 10.0) -> float:
        """Which frequency of the agent is loudest, as soon as it is heard for long enough to tell."""
        async with asyncio.timeout(within_s):
            found: list[float] = await self.page.evaluate(_LOUDEST_HZ)
        return median(found)

    async def say(self, recording: str) -> None:
        """Speak a recording to its end."""
        wav = base64.b64encode((SPEECH / recording).read_bytes()).decode()
        await self.page.evaluate("wav => say(wav)", wav)

    async def hum(self, hz: int, ms: int) -> None:
        """Sing a tone."""
        await self.page.evaluate("([hz, ms]) => hum(hz, ms)", [hz, ms])

    async def event(self, type_: str, count: int = 1, within_s: float = 15.0) -> dict[str, Any]:
        """The `count`-th event of a type on the data channel, waiting for it."""
        found = f"channelEvents.filter((event) => event.type === '{type_}')"
        await self.until(f"{found}.length >= {count}", within_s)
        event: dict[str, Any] = await self.page.evaluate(f"{found}[{count - 1}]")
        return event

    async def events(self) -> list[dict[str, Any]]:
        """All events on the data channel so far."""
        found: list[dict[str, Any]] = await self.page.evaluate("channelEvents")
        return found

    async def transcript(self) -> str:
        """As it is shown."""
        return await self.page.inner_text("#transcript")

    async def turns(self, column: int) -> list[float]:
        """Figures of the table of turns: 1 as heard, 2 as reported, 3 interruptions."""
        cells = await self.page.locator(f"#turns tr td:nth-child({column + 1})").all_inner_texts()
        return [float(cell) for cell in cells if cell != "–"]


@asynccontextmanager
async def phone(
    browser: Browser, gateway: GatewayProcess, *, speaks_for_itself: bool = True
) -> AsyncIterator[Phone]:
    """The page in a tab of its own; fails if the page had an error.

    speaks_for_itself: the microphone is `Phone.say` and `Phone.hum`, else the browser's.
    """
    context = await browser.new_context()
    try:
        page = await context.new_page()
        if speaks_for_itself:
            await page.add_init_script("window.speaksForItself = true;")
        await page.add_init_script(PAGE_SIDE)
        it = Phone(page, f"http://127.0.0.1:{gateway.http_port}/phone")
        await it.open()
        yield it
        assert not it.complaints, it.complaints
    finally:
        await context.close()

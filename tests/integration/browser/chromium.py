"""Headless Chromium with a microphone that plays a recording or a test's own sounds."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from playwright.async_api import Browser, Page, async_playwright

PROGRAM: Final = "/usr/bin/chromium"

_FLAGS: Final = (
    "--no-sandbox",  # Chromium refuses to run as root with it
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    # Nothing but the test's own traffic.
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-default-apps",
    "--use-fake-device-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
    "--allow-loopback-in-peer-connection",
)


@asynccontextmanager
async def chromium(microphone: Path | None = None, *, may_listen: bool = True) -> AsyncIterator[Browser]:
    """A browser; its microphone plays the WAV file once per capture, else a beep every second.

    may_listen: whether the user lets pages use it.
    """
    consent = "--use-fake-ui-for-media-stream" + ("" if may_listen else "=deny")
    capture = [] if microphone is None else [f"--use-file-for-fake-audio-capture={microphone}%noloop"]
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=PROGRAM, args=[*_FLAGS, consent, *capture])
        try:
            yield browser
        finally:
            await browser.close()


def complaints(page: Page) -> list[str]:
    """Errors of the page, as they come: uncaught ones and those on its console."""
    found: list[str] = []
    page.on("pageerror", lambda error: found.append(str(error)))
    page.on("console", lambda line: found.append(line.text) if line.type == "error" else None)
    return found

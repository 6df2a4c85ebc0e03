"""A page written for OpenAI's Realtime API over WebRTC works here when only its base URL is changed."""

import wave
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import pytest
from aiohttp import web
from playwright.async_api import Page

from tests.integration.browser.chromium import chromium, complaints
from tests.integration.browser.phone import SPEECH
from tests.integration.harness import GatewayProcess

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.asyncio(loop_scope="package")]

_PAGE = Path(__file__).parent / "realtime_page.html"
_SILENCE_S = 3.0


@asynccontextmanager
async def website() -> AsyncIterator[str]:
    """Serves the page; its address."""

    async def page(_request: web.Request) -> web.FileResponse:
        return web.FileResponse(_PAGE)

    app = web.Application()
    app.router.add_get("/", page)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://localhost:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()


def speech_after_silence(recording: Path) -> Path:
    """What the microphone hears: a pause, then somebody who wants billing, then nothing for long."""
    with wave.open(str(SPEECH / "ask_billing.wav"), "rb") as wav:
        rate_hz, words = wav.getframerate(), wav.readframes(wav.getnframes())
    with wave.open(str(recording), "wb") as wav:
        wav.setparams((1, 2, rate_hz, 0, "NONE", ""))
        wav.writeframes(np.zeros(int(_SILENCE_S * rate_hz), np.int16).tobytes())
        wav.writeframes(words)
        wav.writeframes(np.zeros(60 * rate_hz, np.int16).tobytes())
    return recording


async def client_secret(base: str) -> str:
    """As the page's own server would get it."""
    body: dict[str, Any] = {"session": {"type": "realtime", "model": "bot"}}
    async with (
        aiohttp.ClientSession() as http,
        http.post(f"{base}/realtime/client_secrets", json=body) as response,
    ):
        assert response.status == 200, await response.text()
        return str((await response.json())["value"])


async def until(page: Page, condition: str, within_s: float) -> None:
    """Wait until a JavaScript expression is true."""
    await page.wait_for_function(condition, timeout=within_s * 1000, polling=20)


async def test_it_talks_to_the_gateway_instead(gateway: GatewayProcess, tmp_path: Path) -> None:
    base = f"http://127.0.0.1:{gateway.http_port}/v1"
    began = len(gateway.log)
    microphone = speech_after_silence(tmp_path / "microphone.wav")
    async with website() as site, chromium(microphone) as browser:
        page = await browser.new_page()
        errors = complaints(page)
        await page.goto(f"{site}?base={base}&key={await client_secret(base)}")
        await until(page, "window.loudest > -45", 15)
        assert await page.evaluate("window.httpStatus") == 201
        said = "conversation.item.input_audio_transcription.completed"
        await until(page, f"window.received.some((event) => event.type === '{said}')", 25)
        received = await page.evaluate("window.received")
        call_id = await page.evaluate("window.callId")
        assert errors == []
    types = [event["type"] for event in received]
    assert types[0] == "session.created"
    assert received[0]["session"]["model"] == "bot"
    assert "error" not in types
    updated = next(event for event in received if event["type"] == "session.updated")
    assert updated["session"]["instructions"] == "Be brief."
    heard = next(event["transcript"] for event in received if event["type"] == said)
    assert "billing" in heard.lower()
    assert types.index("response.created") < types.index("output_audio_buffer.started") < types.index(said)
    ended = await gateway.logged("call ended", 12, since=began)
    assert ended["call_id"] == call_id

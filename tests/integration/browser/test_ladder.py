"""Chromium on a network that loses much: bitrates go down both ways, and come back."""

import pytest
from playwright.async_api import Browser

from gateway.core.record import TimelineKind
from gateway.impair.impairment import Impairment
from tests.integration.browser.downlink import impaired_gateway
from tests.integration.browser.phone import phone

pytestmark = [pytest.mark.long, pytest.mark.needs("chromium"), pytest.mark.asyncio(loop_scope="package")]

_MOST_BITRATE = """() => connections.at(-1).getSenders()
  .find((each) => each.track?.kind === "audio").getParameters().encodings[0].maxBitrate ?? 0"""
_DOWN = f"() => {{ const now = ({_MOST_BITRATE})(); return 0 < now && now <= 24000; }}"
_UP = f"() => ({_MOST_BITRATE})() === 32000"


@pytest.mark.parametrize("loss", [0.05, 0.15])
async def test_it_goes_down_both_ways_and_comes_back(browser: Browser, loss: float) -> None:
    bad = Impairment(loss=loss, delay_ms=20)
    async with impaired_gateway({"up_after_s": 5}) as (gateway, network):
        async with phone(browser, gateway) as it:
            await it.call("bot")
            await it.event("output_audio_buffer.started", 1)
            network.change(up=bad, down=bad)
            await it.page.wait_for_function(_DOWN, timeout=25_000, polling=200)
            network.change(up=Impairment(), down=Impairment())
            await it.page.wait_for_function(_UP, timeout=45_000, polling=200)
            await it.hang_up()
        record = await gateway.record(str((await gateway.logged("call ended"))["call_id"]))
    changes = [event.fields for event in record.timeline if event.kind is TimelineKind.TIER]
    received = [change["after"] for change in changes if change["direction"] == "received"]
    sent = [change["after"] for change in changes if change["direction"] == "sent"]
    assert received[0] == "24k/40ms"
    assert received[-1] == "32k/20ms"
    assert sent[0] == "24k/40ms"
    assert record.mos_min is not None
    assert max(point.received_loss for point in record.quality) > loss / 2

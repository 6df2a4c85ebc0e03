"""Chromium makes up next to nothing of what the agent says: not in pauses, not at 5 and 15 % loss."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from gateway.impair.impairment import Impairment
from gateway.impair.udp import Impairer
from tests.integration.browser.downlink import conversation, impaired_gateway
from tests.integration.harness import GatewayProcess

pytestmark = [pytest.mark.long, pytest.mark.needs("chromium"), pytest.mark.asyncio(loop_scope="package")]

_MOST_CONCEALED_PERCENT = 2.0


@pytest_asyncio.fixture(scope="module", loop_scope="package")
async def line() -> AsyncIterator[tuple[GatewayProcess, Impairer]]:
    """A gateway of our own: its answers name the impairer's port."""
    async with impaired_gateway() as (running, network):
        yield running, network


@pytest.mark.parametrize("loss", [0.0, 0.05, 0.15])
async def test_little_of_a_conversation_is_made_up(
    browser: Browser, line: tuple[GatewayProcess, Impairer], loss: float
) -> None:
    gateway, network = line
    bad = Impairment(loss=loss, delay_ms=20, jitter_ms=50 if loss else 0, reorder=True)
    before = network.counters("down")
    heard = await conversation(browser, gateway, network, bad)
    after = network.counters("down")
    passed, lost = after.packets - before.packets, after.lost - before.lost
    assert lost == pytest.approx(passed * loss, rel=0.3), "the network was as bad as it was to be"
    assert heard.packets / heard.seconds > 45, "the stream does not pause"
    assert heard.concealed_percent <= _MOST_CONCEALED_PERCENT, str(heard)

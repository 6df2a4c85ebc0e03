"""One gateway and one browser for all tests of this directory."""

from collections.abc import AsyncIterator

import pytest_asyncio
from playwright.async_api import Browser

from tests.integration.browser.chromium import chromium
from tests.integration.harness import GatewayProcess
from tests.integration.processes import free_sip_port
from tests.integration.realtime_backend import RealtimeBackend


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def gateway() -> AsyncIterator[GatewayProcess]:
    """Agents: `bot`, the embedded one, and `echo`, which says back what it hears."""
    webrtc = {"listen": f"127.0.0.1:{free_sip_port()}", "max_peers": 4, "cors": ["*"]}
    async with (
        RealtimeBackend("echo") as echo,
        GatewayProcess(
            agents={"bot": {"backend": "bot"}, "echo": echo.agent()},
            environment={"TEST_KEY": "sk-test-echo"},
            sections={"webrtc": webrtc},
        ) as running,
    ):
        yield running


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def browser() -> AsyncIterator[Browser]:
    """Its tabs are the tests' own."""
    async with chromium() as running:
        yield running

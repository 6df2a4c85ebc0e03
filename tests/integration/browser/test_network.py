"""The page behind a network that blocks UDP; and when the gateway has as many peers as it takes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Self

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from tests.integration.browser.phone import phone
from tests.integration.harness import GatewayProcess
from tests.integration.processes import free_sip_port

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.asyncio(loop_scope="package")]

_PATH = """async () => {
  const report = await connections.at(-1).getStats();
  const pair = [...report.values()].find((each) => each.type === "candidate-pair" && each.nominated);
  return report.get(pair.remoteCandidateId).protocol;
}"""


class Firewall(asyncio.DatagramProtocol):
    """One port: TCP goes through to the target, UDP goes nowhere."""

    def __init__(self, target: tuple[str, int]) -> None:
        self._target = target
        self._lines: set[asyncio.Task[None]] = set()
        self.swallowed = 0
        """Datagrams."""

    async def __aenter__(self) -> Self:
        self.port = free_sip_port()
        loop = asyncio.get_running_loop()
        self._udp, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=("127.0.0.1", self.port))
        self._tcp = await asyncio.start_server(self._through, "127.0.0.1", self.port)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._udp.close()
        self._tcp.close()
        for line in self._lines:
            line.cancel()
        await asyncio.gather(*self._lines, return_exceptions=True)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.swallowed += 1

    async def _through(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._lines.add(task)
        far_reader, far_writer = await asyncio.open_connection(*self._target)
        try:
            async with asyncio.TaskGroup() as ways:
                ways.create_task(_pump(reader, far_writer))
                ways.create_task(_pump(far_reader, writer))
        finally:
            self._lines.discard(task)
            writer.close()
            far_writer.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        """One side is gone."""
    writer.close()


@asynccontextmanager
async def walled_gateway() -> AsyncIterator[tuple[GatewayProcess, Firewall]]:
    """For one peer at a time, reached through a firewall."""
    relay_port = free_sip_port()
    async with Firewall(("127.0.0.1", relay_port)) as wall:
        webrtc = {
            "listen": f"127.0.0.1:{relay_port}",
            "advertise": [f"127.0.0.1:{wall.port}"],
            "max_peers": 1,
        }
        async with GatewayProcess(agents={"bot": {"backend": "bot"}}, sections={"webrtc": webrtc}) as gateway:
            yield gateway, wall


@pytest_asyncio.fixture(scope="module", loop_scope="package")
async def walled() -> AsyncIterator[tuple[GatewayProcess, Firewall]]:
    """One for all tests of this file."""
    async with walled_gateway() as both:
        yield both


async def test_a_call_goes_by_tcp_where_udp_is_blocked(
    browser: Browser, walled: tuple[GatewayProcess, Firewall]
) -> None:
    gateway, wall = walled
    async with phone(browser, gateway) as it:
        await it.call("bot")
        await it.heard()
        assert await it.page.evaluate(_PATH) == "tcp"
        await it.say("interrupt.wav")
        await it.event("output_audio_buffer.cleared")
        assert wall.swallowed > 0, "UDP was tried"
        # A browser tries from each of its addresses.
        await gateway.metric("gateway_edge_relay_tcp_connections", lambda now: now >= 1)
        await it.hang_up()


async def test_one_more_peer_than_the_limit_is_told_so_and_served_later(
    browser: Browser, walled: tuple[GatewayProcess, Firewall]
) -> None:
    gateway, _ = walled
    async with phone(browser, gateway) as first, phone(browser, gateway) as second:
        began = len(gateway.log)
        await first.call("bot")
        await second.page.select_option("#agent", "bot")
        async with second.page.expect_response("**/v1/realtime/calls*") as refusal:
            await second.page.click("#call")
        assert (await refusal.value).status == 503
        await second.until("document.getElementById('status').textContent.startsWith('The gateway refuses')")
        await first.heard()
        await first.hang_up()
        await gateway.logged("call ended", since=began)
        await second.call("bot")
        await second.heard()
        await second.hang_up()
        # The browser itself notes every refusal.
        assert all("503" in line for line in second.complaints)
        second.complaints.clear()

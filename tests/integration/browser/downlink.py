"""What Chromium makes of the agent's audio over a bad network: statistics of a conversation."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import MappingProxyType

from playwright.async_api import Browser

from gateway.impair.impairment import Impairment
from gateway.impair.udp import Impairer
from tests.integration.browser.phone import Phone, phone
from tests.integration.harness import GatewayProcess
from tests.integration.processes import free_sip_port

_INBOUND = """async () => {
  const report = await connections.at(-1).getStats();
  return [...report.values()].find((each) => each.type === "inbound-rtp" && each.kind === "audio");
}"""
_QUIET_FOR_A_SECOND = """() => {
  const level = document.getElementById("far-level");
  let since = performance.now();
  return new Promise((resolve) => {
    const timer = setInterval(() => {
      if (level.value > -55) since = performance.now();
      if (performance.now() - since < 1000) return;
      clearInterval(timer);
      resolve();
    }, 20);
  });
}"""
_TURN_S = 40.0
_SETTLE_S = 1.0
"""After the connection, until the browser's playout buffer runs evenly."""
_LISTEN_S = 4.0
"""In silence behind the agent's last words: it is part of the call."""


@dataclass(frozen=True)
class Heard:
    """A browser's account of one call's downlink (W3C webrtc-stats, `RTCInboundRtpStreamStats`)."""

    seconds: float
    packets: int
    lost_percent: float
    """Packets that never came, also not when they were sent again."""
    concealed_percent: float
    """Samples that the browser made up, silence included."""
    audible_percent: float
    """The same without those that it made up as silence."""
    asked_again: int
    """Packets the browser asked for with a NACK."""
    delay_ms: float
    """Mean time in the browser's playout buffer."""

    def __str__(self) -> str:
        return (
            f"{self.seconds:5.1f} s  {self.packets:5d} packets  lost {self.lost_percent:4.1f} %  concealed "
            f"{self.concealed_percent:4.2f} % (audible {self.audible_percent:4.2f} %)  "
            f"NACKs {self.asked_again:3d}  buffer {self.delay_ms:3.0f} ms"
        )


@asynccontextmanager
async def impaired_gateway(
    ladder: Mapping[str, object] = MappingProxyType({"enabled": False}),
) -> AsyncIterator[tuple[GatewayProcess, Impairer]]:
    """The embedded bot behind a network that can be made bad; packets of 20 ms unless there is a ladder."""
    relay_port = free_sip_port()
    async with Impairer(("127.0.0.1", 0), ("127.0.0.1", relay_port), seed=11) as network:
        webrtc = {
            "listen": f"127.0.0.1:{relay_port}",
            "advertise": [f"127.0.0.1:{network.address[1]}"],
            "max_peers": 4,
            "ladder": dict(ladder),
        }
        async with GatewayProcess(agents={"bot": {"backend": "bot"}}, sections={"webrtc": webrtc}) as gateway:
            yield gateway, network


async def conversation(
    browser: Browser, gateway: GatewayProcess, network: Impairer, down: Impairment
) -> Heard:
    """Three turns of the agent's and the silence around them; impaired once the call stands."""
    network.change(down=Impairment())
    async with phone(browser, gateway) as it:
        await it.call("bot")
        network.change(down=down)
        await asyncio.sleep(_SETTLE_S)  # what is measured is time
        before = await it.page.evaluate(_INBOUND)
        await _talk(it)
        after = await it.page.evaluate(_INBOUND)
        await it.hang_up()
    network.change(down=Impairment())

    def grown(name: str) -> float:
        return float(after.get(name, 0) - before.get(name, 0))

    samples, packets = grown("totalSamplesReceived"), grown("packetsReceived")
    made_up, silent = grown("concealedSamples"), grown("silentConcealedSamples")
    return Heard(
        seconds=samples / 48000,
        packets=int(packets),
        lost_percent=100 * grown("packetsLost") / (packets + grown("packetsLost")),
        concealed_percent=100 * made_up / samples,
        audible_percent=100 * (made_up - silent) / samples,
        asked_again=int(grown("nackCount")),
        delay_ms=1000 * grown("jitterBufferDelay") / grown("jitterBufferEmittedCount"),
    )


async def _talk(it: Phone) -> None:
    for turn, said in enumerate(("", "ask_billing.wav", "yes_please.wav"), 1):
        if said:
            await it.say(said)
        await it.event("output_audio_buffer.started", turn)
        await it.heard()
        async with asyncio.timeout(_TURN_S):
            await it.page.evaluate(_QUIET_FOR_A_SECOND)
    await asyncio.sleep(_LISTEN_S)

"""What a person at a browser measures: the phone page in headless Chromium against a whole gateway.

    python -m tests.bench.page_figures [--calls 20] [--interruptions 24] [--only calls interruptions]

Calls, per agent (`tone` is a service whose answer is loud from its first sample; `bot` is the embedded one,
whose greeting begins softly), in the steps of a call:

    click → offer leaves (POST) → answer → ICE → DTLS → first packet → heard

"click" is the browser's event on the button, of a user who has let the page use the microphone before (it
is opened meanwhile). "heard" is the first stretch of 128 samples above -45 dBFS that the page gets of the
agent's track, after jitter buffer, decoder and whatever the page does to it; what the sound device holds
comes on top, and is the same for all sound of the machine. The goal is met by click → heard; offer → heard
is what it was compared with while the page opened the microphone first.

Interruptions: the microphone is a file with words every few seconds; counted are those that begin while the
bot is heard. From the first loud stretch of the microphone's track, after the browser's own processing, to
the agent's last one, both on the same audio clock. "gateway" is its own figure: onset to silence on the wire.

Both ends of every figure are on this machine. Needs Chromium.
"""

import argparse
import asyncio
import sys
import tempfile
import wave
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
from playwright.async_api import Browser, Page
from rich.console import Console
from rich.table import Table

from gateway.core.record import TimelineKind
from gateway.media.g711 import ulaw_encode
from tests.bench.page_sound import BufferRow, Interruption, Row, buffer_ms, first_heard_ms, interruptions
from tests.integration.browser.chromium import chromium
from tests.integration.browser.phone import SPEECH
from tests.integration.harness import GatewayProcess
from tests.integration.processes import free_sip_port
from tests.integration.realtime_backend import RealtimeBackend

HEARD_P50_MS: Final = 60.0
SILENT_P95_MS: Final = 150.0

_EAR: Final = (Path(__file__).parent / "page_ear.js").read_text()
_STEPS: Final = ("click", "offered", "answered", "ice", "connected", "first packet", "heard")
_PTIME_MS: Final = 20.0
_AT_ONCE: Final = 2.5
"""The first two packets leave together, the third at the next tick of the card: right to 10 ms."""
_LEAD_S: Final = 3.0
_EVERY_S: Final = 5.0
"""From one interruption to the next: the bot has answered and talks again by then."""
_TONE_S: Final = 2.0
_RATE_HZ: Final = 8000


@dataclass(slots=True)
class Talk:
    """What came of interrupting."""

    heard: list[Interruption] = field(default_factory=list)
    gateway_ms: list[float] = field(default_factory=list)
    """Its own figures."""
    resumed: int = 0
    """Times that the agent went on, since it took the words for less than an interruption."""
    buffer_ms: list[float] = field(default_factory=list)
    """Of audio in the browser's playout buffer, at each onset."""


def tone() -> bytes:
    """µ-law, loud at once."""
    at_s = np.arange(int(_TONE_S * _RATE_HZ)) / _RATE_HZ
    return ulaw_encode((np.sin(2 * np.pi * 440 * at_s) * 12000).astype("<i2").tobytes())


def microphone(recording: Path, words: int) -> float:
    """A file that says something every few seconds; its length in seconds."""
    with wave.open(str(SPEECH / "interrupt.wav"), "rb") as wav:
        rate_hz, said = wav.getframerate(), np.frombuffer(wav.readframes(wav.getnframes()), "<i2")
    length_s = _LEAD_S + words * _EVERY_S
    samples = np.zeros(int(length_s * rate_hz), "<i2")
    for word in range(words):
        begin = int((_LEAD_S + word * _EVERY_S) * rate_hz)
        samples[begin : begin + len(said)] = said
    with wave.open(str(recording), "wb") as wav:
        wav.setparams((1, 2, rate_hz, 0, "NONE", ""))
        wav.writeframes(samples.tobytes())
    return length_s


async def dial(page: Page, gateway: GatewayProcess, agent: str) -> None:
    """Open the page and click on Call."""
    await page.add_init_script(_EAR)
    await page.goto(f"http://127.0.0.1:{gateway.http_port}/phone")
    await page.evaluate("listening")
    await page.wait_for_selector(f"#agent option[value={agent}]", state="attached")
    await page.select_option("#agent", agent)
    await page.click("#call")
    await page.wait_for_function("callSound.some((row) => row[3] > -45)", polling=50)


async def hang_up(page: Page, gateway: GatewayProcess, began: int) -> str:
    """As a user does; the call's id, once it is over."""
    await page.click("#hangup")
    ended = await gateway.logged("call ended", since=began)
    return str(ended["call_id"])


async def call(browser: Browser, gateway: GatewayProcess, agent: str) -> dict[str, float]:
    """One call until it is heard: milliseconds from the click to each step."""
    context = await browser.new_context(bypass_csp=True, permissions=["microphone"])
    try:
        page, began = await context.new_page(), len(gateway.log)
        await dial(page, gateway, agent)
        await page.wait_for_function("callSteps.microphone", polling=50)
        steps: dict[str, float] = await page.evaluate("callSteps")
        rows: list[Row] = await page.evaluate("callSound")
        inbound: dict[str, Any] = await page.evaluate("inbound()")
        await hang_up(page, gateway, began)
    finally:
        await context.close()
    since_first_ms = (inbound["packetsReceived"] - _AT_ONCE) * _PTIME_MS
    steps["first packet"] = inbound["lastPacketReceivedTimestamp"] - since_first_ms
    heard_ms = first_heard_ms(rows)
    assert heard_ms is not None
    steps["heard"] = heard_ms
    return {name: steps[name] - steps["click"] for name in (*_STEPS, "microphone")}


async def interrupt(browser: Browser, gateway: GatewayProcess, length_s: float) -> Talk:
    """One call in which the microphone's file is played to its end."""
    context = await browser.new_context(bypass_csp=True)
    try:
        page, began = await context.new_page(), len(gateway.log)
        await dial(page, gateway, "bot")
        await asyncio.sleep(length_s)  # the file lasts as long
        rows: list[Row] = await page.evaluate("callSound")
        buffer: list[BufferRow] = await page.evaluate("callBuffer")
        record = await gateway.record(await hang_up(page, gateway, began))
    finally:
        await context.close()
    resumed = sum(each.kind == TimelineKind.AGENT_RESUMED for each in record.timeline)
    stops = [each.fields["stop_ms"] for each in record.timeline if each.kind == TimelineKind.BARGE_IN]
    heard = interruptions(rows)
    held_ms = [buffer_ms(buffer, each.onset_s) for each in heard]
    return Talk(
        heard,
        [float(ms) for ms in stops if isinstance(ms, int | float)],
        resumed,
        [ms for ms in held_ms if ms is not None],
    )


def percentiles(values: Sequence[float]) -> str:
    """p50, p95 and the most."""
    if not values:
        return "–"
    return " / ".join(f"{value:.0f}" for value in np.percentile(values, [50, 95, 100]))


def show_calls(console: Console, agent: str, calls: Sequence[dict[str, float]]) -> float:
    """Print where the time goes; p50 of the figure with a goal."""
    table = Table(
        "step", "ms, p50 / p95 / most", "since the click", title=f"{len(calls)} calls, agent {agent}"
    )
    for before, step in pairwise(_STEPS):
        took = percentiles([each[step] - each[before] for each in calls])
        table.add_row(f"{before} → {step}", took, percentiles([each[step] for each in calls]))
    console.print(table)
    heard = [each["heard"] for each in calls]
    offered = [each["heard"] - each["offered"] for each in calls]
    console.print(f"click → heard: {percentiles(heard)} ms (goal: p50 {HEARD_P50_MS:.0f})")
    microphone = percentiles([each["microphone"] for each in calls])
    console.print(f"offered → heard: {percentiles(offered)} ms; click → microphone open: {microphone} ms\n")
    return float(np.percentile(heard, 50))


def show_talk(console: Console, talk: Talk) -> float:
    """Print the figures; p95 of the one with a goal."""
    silent = [each.silent_after_ms for each in talk.heard if each.silent_after_ms is not None]
    kept_on = len(talk.heard) - len(silent)
    effect = f"{kept_on} without effect, {talk.resumed} times the agent went on after a pause"
    console.print(f"{len(talk.heard)} interruptions, {effect}; ms, p50 / p95 / most:")
    console.print(f"  onset → silence in the page: {percentiles(silent)} (goal: p95 {SILENT_P95_MS:.0f})")
    console.print(f"  onset → silence on the wire, gateway's figure: {percentiles(talk.gateway_ms)}")
    console.print(f"  the browser's playout buffer at the onset: {percentiles(talk.buffer_ms)}")
    return float(np.percentile(silent, 95)) if silent else float("inf")


async def run(calls: int, words: int, only: Sequence[str]) -> bool:
    """Measure and print; whether the goals are met."""
    console, met = Console(width=120), True
    webrtc = {"listen": f"127.0.0.1:{free_sip_port()}", "max_peers": 4}
    with tempfile.TemporaryDirectory() as scratch:
        recording = Path(scratch) / "microphone.wav"
        length_s = microphone(recording, words)
        async with (
            RealtimeBackend("greet", answer=tone()) as service,
            GatewayProcess(
                agents={"bot": {"backend": "bot"}, "tone": service.agent(greeting="Hum.")},
                environment={"TEST_KEY": "sk-test-tone"},
                sections={"webrtc": webrtc},
            ) as gateway,
        ):
            await gateway.logged("speech ready", 30)
            if "calls" in only:
                async with chromium() as browser:
                    await call(browser, gateway, "bot")  # the browser's first call pays for its start
                    for agent in ("tone", "bot"):
                        found = [await call(browser, gateway, agent) for _ in range(calls)]
                        p50_ms = show_calls(console, agent, found)
                        met &= agent != "tone" or p50_ms <= HEARD_P50_MS
            if "interruptions" in only:
                async with chromium(recording) as browser:
                    talk = await interrupt(browser, gateway, length_s)
                met &= show_talk(console, talk) <= SILENT_P95_MS and len(talk.heard) >= words * 2 // 3
    return met


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.page_figures", description=__doc__)
    parser.add_argument("--calls", type=int, default=20)
    parser.add_argument("--interruptions", type=int, default=24)
    kinds = ("calls", "interruptions")
    parser.add_argument("--only", nargs="+", choices=kinds, default=kinds)
    arguments = parser.parse_args()
    return 0 if asyncio.run(run(arguments.calls, arguments.interruptions, arguments.only)) else 1


if __name__ == "__main__":
    sys.exit(main())

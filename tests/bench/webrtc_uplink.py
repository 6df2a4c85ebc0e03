"""What of a peer's audio reaches the core over a bad network, and how late.

    python -m tests.bench.webrtc_uplink [--seconds 60]

One card, one peer on its own sockets, a seeded forwarder between them. The frames that the core gets are
counted against the packets that were sent: the n-th frame is the n-th packet's, decoded, recovered from
the next one's FEC, or concealed. Exit status 1 if a frame is missing, or p95 of the delay that is added to
the network's least one exceeds 80 ms.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.rtcconfiguration import RTCBundlePolicy

from gateway.cards.webrtc import seam
from gateway.cards.webrtc.opus import OpusEncoder
from gateway.cards.webrtc.peer import audio_line
from gateway.cards.webrtc.tick import TickSchedule
from gateway.core.audio import PTIME_MS, PcmFormat
from gateway.core.ids import LegId
from gateway.impair.impairment import Impairment
from gateway.impair.udp import Impairer
from gateway.observe.priority import be_realtime
from gateway.wire import card as wire
from gateway.wire import ufrag
from gateway.wire.frames import HeardFlag
from tests.integration.card.core import StandInCore, auto_answer
from tests.integration.webrtc_card.cards import running_card
from tests.integration.webrtc_card.client import send_offer
from tests.sounds import frames, voiced

_RATE_HZ: Final = 16000
_FRAME_S: Final = PTIME_MS / 1000
_LEAST_DELAY_MS: Final = 20.0
_MOST_P95_MS: Final = 80.0
_TAIL_FRAMES: Final = 50
"""Sent behind what is counted, so that its last packets are followed by others."""
_LATEST_S: Final = 5.0
_NETWORKS: Final = tuple(
    Impairment(loss=loss, delay_ms=_LEAST_DELAY_MS, jitter_ms=jitter_ms, reorder=True)
    for loss, jitter_ms in ((0.0, 0.0), (0.05, 50.0), (0.15, 50.0))
)


@dataclass(frozen=True)
class Arrived:
    """The fate of `sent` frames."""

    sent: int
    heard: int
    silent: int
    """Frames of silence in place of audio that did not come."""
    lost_packets: int
    delays_ms: Sequence[float]

    @property
    def good(self) -> bool:
        """Nothing is missing, and little time was lost."""
        complete = self.heard == self.sent and not self.silent
        return complete and float(np.percentile(self.delays_ms, 95)) <= _MOST_P95_MS

    def __str__(self) -> str:
        p50, p95, longest = np.percentile(self.delays_ms, [50, 95, 100])
        return (
            f"{self.sent} frames, {self.lost_packets} packets lost, missing {self.sent - self.heard}, "
            f"silence instead {self.silent}; added delay p50 {p50:.0f}, p95 {p95:.0f}, most {longest:.0f} ms"
        )


class _Ear:
    """When the frames of a leg reached the core."""

    def __init__(self) -> None:
        self.at_s: list[float] = []
        self.silent = 0
        self.listens = False

    def hear(self, _leg: LegId, flags: int) -> None:
        """One frame."""
        if not self.listens:
            return
        if flags & HeardFlag.CONCEALED:
            self.silent += bool(self.at_s)
        else:
            self.at_s.append(time.monotonic())


async def _speak(sender: seam.AudioSender, count: int) -> list[float]:
    """So many packets of speech in real time; when each was sent."""
    encoder = OpusEncoder(_RATE_HZ)
    encoder.tune(bitrate_bps=24000, fec=True, loss_percent=15)
    speech = [encoder.encode(frame) for frame in frames(voiced(8000, _RATE_HZ), PcmFormat(_RATE_HZ))]
    sent_s: list[float] = []
    schedule = TickSchedule(_FRAME_S, time.monotonic())
    while len(sent_s) < count:
        await asyncio.sleep(max(0.0, schedule.deadline_s - time.monotonic()))
        for _ in range(schedule.due(time.monotonic())):
            sender.send_now(speech[len(sent_s) % len(speech)], len(sent_s) * 960)
            sent_s.append(time.monotonic())
    return sent_s


def _candidate(sdp: str) -> tuple[str, int]:
    line = next(line for line in sdp.splitlines() if line.startswith("a=candidate:"))
    host, port = line.split()[4:6]
    return host, int(port)


async def _cross(core: StandInCore, up: Impairment, count: int) -> Arrived:
    caller = RTCPeerConnection(RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE))
    _, sender = audio_line(caller)
    ear = _Ear()
    core.on_heard = ear.hear
    try:
        await caller.setLocalDescription(await caller.createOffer())
        accepted = await send_offer(core, caller.localDescription.sdp)
        host, port = _candidate(accepted.sdp)
        async with Impairer(("127.0.0.1", 0), (host, port), seed=5) as network:
            by_way = f" 127.0.0.1 {network.address[1]} typ"
            answer = accepted.sdp.replace(f" {host} {port} typ", by_way)
            await caller.setRemoteDescription(RTCSessionDescription(answer, "answer"))
            await core.expect(wire.Answered, lambda m: m.leg == accepted.leg)
            network.change(up=up, down=Impairment(delay_ms=_LEAST_DELAY_MS))
            ear.listens = True
            sent_s = (await _speak(sender, count + _TAIL_FRAMES))[:count]
            await core.until(lambda: len(ear.at_s) >= count, within_s=_LATEST_S)
            lost = network.counters("up").lost
    finally:
        core.on_heard = None
        await caller.close()
    heard_s = ear.at_s[:count]
    delays_ms = [(heard - sent) * 1000 - up.delay_ms for sent, heard in zip(sent_s, heard_s, strict=True)]
    return Arrived(count, len(heard_s), ear.silent, lost, delays_ms)


async def _run(count: int) -> bool:
    good = True
    for up in _NETWORKS:
        async with running_card({}) as card:
            core = await StandInCore.connect(card.socket_path)
            auto_answer(core)
            try:
                arrived = await _cross(core, up, count)
            finally:
                await core.close()
        sys.stdout.write(f"{up.describe():46s} {arrived}\n")
        sys.stdout.flush()
        good = good and arrived.good
    return good


def main() -> int:
    """Print one line per network."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.webrtc_uplink", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="length of each measurement")
    arguments = parser.parse_args()
    be_realtime()
    seam.install(lambda: ["127.0.0.1"], lambda port: ufrag.encode(port, bytes(ufrag.SECRET_BYTES)))
    return 0 if asyncio.run(_run(round(arguments.seconds / _FRAME_S))) else 1


if __name__ == "__main__":
    sys.exit(main())

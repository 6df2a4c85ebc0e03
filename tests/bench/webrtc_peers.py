"""CPU of a WebRTC card by number of peers: `python -m tests.bench.webrtc_peers 10 30 60`.

Every peer sends Opus speech at 50 packets a second and gets it echoed through a stand-in core. The peers
share a process of their own (this one), real-time as the card is, and the card's own light media path,
so that they keep pace; what is measured is the card's process alone, by /proc.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.rtcconfiguration import RTCBundlePolicy

from gateway.cards.webrtc import seam
from gateway.cards.webrtc.opus import OpusEncoder
from gateway.cards.webrtc.peer import audio_line
from gateway.cards.webrtc.tick import TickSchedule
from gateway.core.audio import PcmFormat
from gateway.observe.priority import be_realtime
from gateway.wire import card as wire
from gateway.wire import ufrag
from tests.integration.card.core import StandInCore, auto_answer
from tests.integration.webrtc_card.cards import RunningCard, running_card
from tests.integration.webrtc_card.client import send_offer
from tests.sounds import frames, voiced

_SETTLE_S = 3.0
_RATE_HZ = 16000


@dataclass(frozen=True)
class Figures:
    """Of one run."""

    peers: int
    cpu_percent: float
    """Of one core."""
    sent: int
    received: int
    expected: int

    def __str__(self) -> str:
        each = self.cpu_percent / self.peers
        share = 100 * self.received / self.expected
        return (
            f"{self.peers:3d} peers  {self.cpu_percent:5.1f} % of a core  {each:.2f} % each  "
            f"{each * 0.2:.3f} ms per 20 ms  {share:.1f} % of the packets echoed"
        )


class LightPeer:
    """A client that costs little: encoded packets out, counted packets in."""

    def __init__(self) -> None:
        self.received = 0
        self._connection = RTCPeerConnection(
            RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE)
        )
        self._receiver, self.sender = audio_line(self._connection)
        self._connection.createDataChannel("oai-events")

    async def call(self, core: StandInCore, request: int) -> None:
        """Connect and be answered."""
        connection = self._connection
        await connection.setLocalDescription(await connection.createOffer())
        accepted = await send_offer(core, connection.localDescription.sdp, request)
        await connection.setRemoteDescription(RTCSessionDescription(accepted.sdp, "answer"))
        self._receiver.deliver_to(self._take, lambda: None)
        await core.expect(wire.Answered, lambda m: m.leg == accepted.leg)

    async def close(self) -> None:
        """Leave."""
        await self._connection.close()

    def _take(self, ssrc: int, sequence: int, timestamp: int, payload: bytes) -> Sequence[int]:
        self.received += 1
        return ()


def _speech() -> list[bytes]:
    encoder = OpusEncoder(_RATE_HZ)
    encoder.tune(bitrate_bps=24000, fec=True, loss_percent=10)
    return [encoder.encode(frame) for frame in frames(voiced(8000, _RATE_HZ), PcmFormat(_RATE_HZ))]


async def _speak(peers: list[LightPeer], duration_s: float) -> None:
    speech = _speech()
    schedule, end_s, count = TickSchedule(0.02, time.monotonic()), time.monotonic() + duration_s, 0
    while time.monotonic() < end_s:
        await asyncio.sleep(max(0.0, schedule.deadline_s - time.monotonic()))
        for _ in range(schedule.due(time.monotonic())):
            for index, peer in enumerate(peers):
                peer.sender.send_now(speech[(count + index * 7) % len(speech)], count * 960)
            count += 1


async def _measure(card: RunningCard, peers: list[LightPeer], duration_s: float) -> Figures:
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_speak(peers, duration_s + 2 * _SETTLE_S))
        await asyncio.sleep(_SETTLE_S)
        before, began_s, cpu_s = [p.received for p in peers], time.monotonic(), card.cpu_s()
        await asyncio.sleep(duration_s)
        took_s, used_s = time.monotonic() - began_s, card.cpu_s() - cpu_s
        received = sum(p.received for p in peers) - sum(before)
    sent = sum(p.sender.packets for p in peers)
    return Figures(len(peers), 100 * used_s / took_s, sent, received, round(took_s * 50 * len(peers)))


async def run(count: int, duration_s: float) -> Figures:
    """One card, `count` peers."""
    async with running_card({"max_peers_per_card": count}) as card:
        core = await StandInCore.connect(card.socket_path)
        auto_answer(core)
        core.echo = True
        peers = [LightPeer() for _ in range(count)]
        try:
            for request, peer in enumerate(peers):
                await peer.call(core, request)
            return await _measure(card, peers, duration_s)
        finally:
            await asyncio.gather(*(peer.close() for peer in peers))
            await core.close()


def main() -> int:
    """Print one line per number of peers."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.webrtc_peers", description=__doc__)
    parser.add_argument("peers", type=int, nargs="+", help="how many, for each run")
    parser.add_argument("--seconds", type=float, default=15.0, help="length of each measurement")
    arguments = parser.parse_args()
    be_realtime()
    seam.install(lambda: ["127.0.0.1"], lambda port: ufrag.encode(port, bytes(ufrag.SECRET_BYTES)))
    for count in arguments.peers:
        sys.stdout.write(f"{asyncio.run(run(count, arguments.seconds))}\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())

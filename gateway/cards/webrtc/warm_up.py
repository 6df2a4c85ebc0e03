"""A call of the card with itself before it reports ready.

The first call of a process pays for imports, OpenSSL's tables and the codecs: 25 to 90 ms. It is also the
test that aiortc and aioice still work the way `seam` takes for granted.
"""

import asyncio
from collections.abc import Sequence
from typing import Final

from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.rtcconfiguration import RTCBundlePolicy

from gateway.cards.webrtc.downlink import Downlink
from gateway.cards.webrtc.peer import CHANNEL, Peer, audio_line
from gateway.cards.webrtc.sdp import Offer, check_offer
from gateway.cards.webrtc.seam import AudioSender
from gateway.cards.webrtc.uplink import Uplink
from gateway.core.audio import PcmFormat
from gateway.errors import LocalError

_WITHIN_S: Final = 10.0
_PACKETS: Final = 5
"""Of silence: enough to warm the codecs."""


class _Called:
    """The called end: waits for one packet and the data channel."""

    def __init__(self, uplink: Uplink) -> None:
        loop = asyncio.get_running_loop()
        self._uplink, self._clock = uplink, loop.time
        self.connected, self.heard, self.channel = loop.create_future(), asyncio.Event(), asyncio.Event()

    def on_connected(self) -> None:
        if not self.connected.done():
            self.connected.set_result(None)

    def on_lost(self, status: int, reason: str) -> None:
        if not self.connected.done():
            self.connected.set_exception(LocalError(f"the card cannot call itself: {reason}"))

    def on_packet(self, ssrc: int, sequence: int, timestamp: int, payload: bytes) -> Sequence[int]:
        now = self._clock()
        missing = self._uplink.take(ssrc, sequence, timestamp, payload, now)
        if self._uplink.tick(now)[0]:
            self.heard.set()
        return missing

    def on_alive(self) -> None:
        """It is alive, or this would never end."""

    def on_channel(self) -> None:
        self.channel.set()

    def on_text(self, text: str) -> None:
        """Nobody sends any."""


async def warm_up(pcm_format: PcmFormat) -> None:
    """Raises `LocalError` if no call comes about."""
    caller = RTCPeerConnection(RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE))
    _, sender = audio_line(caller)
    caller.createDataChannel(CHANNEL)
    try:
        async with asyncio.timeout(_WITHIN_S):
            await caller.setLocalDescription(await caller.createOffer())
            await _call(caller, sender, check_offer(caller.localDescription.sdp), pcm_format)
    except TimeoutError as exc:
        raise LocalError(f"the card's call with itself did not work within {_WITHIN_S:.0f} s") from exc
    finally:
        await caller.close()


async def _call(caller: RTCPeerConnection, sender: AudioSender, offer: Offer, pcm_format: PcmFormat) -> None:
    loop = asyncio.get_running_loop()
    called = _Called(Uplink(offer.codec, pcm_format, loop.time()))
    downlink = Downlink(offer.codec, pcm_format)
    peer = Peer(called, offer)
    try:
        answer = await peer.accept((), pcm_format.sample_rate_hz)
        await caller.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        await called.connected
        await called.channel.wait()
        for packet in (downlink.tick() for _ in range(_PACKETS)):
            if packet is not None:
                sender.send_now(*packet)
        await called.heard.wait()
    finally:
        await peer.close()

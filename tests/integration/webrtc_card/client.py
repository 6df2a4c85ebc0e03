"""A WebRTC client with stock aiortc: sends a tone, keeps what it hears, has a data channel."""

import asyncio
import fractions
import time
from collections.abc import Callable, Sequence
from typing import Self

import numpy as np
from aiortc import (
    MediaStreamTrack,
    RTCConfiguration,
    RTCDataChannel,
    RTCPeerConnection,
    RTCRtpSender,
    RTCSessionDescription,
)
from aiortc.mediastreams import MediaStreamError
from aiortc.rtcconfiguration import RTCBundlePolicy
from av import AudioFrame

from gateway.core.audio import PcmFormat
from gateway.core.ids import LegId
from gateway.wire import card as wire
from tests.integration.card.core import StandInCore
from tests.sounds import tone

RATE_HZ = 48000
WITHIN_S = 10.0
_FORMAT = PcmFormat(RATE_HZ)


class ToneTrack(MediaStreamTrack):
    """A sine wave in real time."""

    kind = "audio"

    def __init__(self, frequency_hz: float) -> None:
        super().__init__()
        self._pcm = tone(frequency_hz, 1000, RATE_HZ)
        self._count, self._start_s = 0, time.monotonic()

    async def recv(self) -> AudioFrame:
        """The next 20 ms, when it is time for them."""
        if self.readyState != "live":
            raise MediaStreamError
        await asyncio.sleep(max(0.0, self._start_s + self._count * 0.02 - time.monotonic()))
        frame = AudioFrame(format="s16", layout="mono", samples=_FORMAT.frame_samples)
        at = self._count % 50 * _FORMAT.frame_bytes
        frame.planes[0].update(self._pcm[at : at + _FORMAT.frame_bytes])
        frame.sample_rate, frame.time_base = RATE_HZ, fractions.Fraction(1, RATE_HZ)
        frame.pts = self._count * _FORMAT.frame_samples
        self._count += 1
        return frame


class Client:
    """`async with Client() as client: await client.call(core)`."""

    def __init__(
        self, *, frequency_hz: float = 440, codecs: Sequence[str] = (), channel: bool = True
    ) -> None:
        self.connection = RTCPeerConnection(
            RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE)
        )
        self.track = ToneTrack(frequency_hz)
        self.heard: list[tuple[float, np.ndarray]] = []
        """(CLOCK_MONOTONIC, samples of the left channel at 48 kHz or the codec's rate)."""
        self.texts: list[str] = []
        self.leg = LegId(0)
        self.answer = ""
        self._changed = asyncio.Event()
        self._listening: asyncio.Task[None] | None = None
        self.connection.on("track", self._on_track)
        transceiver = self.connection.addTransceiver(self.track)
        if codecs:
            known = RTCRtpSender.getCapabilities("audio")
            assert known is not None
            transceiver.setCodecPreferences([c for c in known.codecs if c.name in codecs])
        self.channel: RTCDataChannel | None = None
        if channel:
            self.channel = self.connection.createDataChannel("oai-events")
            self.channel.on("message", self._on_text)
            self.channel.on("open", self._changed.set)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def offer(self) -> str:
        """SDP with our candidates."""
        await self.connection.setLocalDescription(await self.connection.createOffer())
        return self.connection.localDescription.sdp

    async def take(self, answer: str) -> None:
        """Connect to what an answer says."""
        self.answer = answer
        await self.connection.setRemoteDescription(RTCSessionDescription(answer, "answer"))

    async def call(self, core: StandInCore, *, request: int = 1, answer: bool = True) -> LegId:
        """Offer through the core, connect, be answered."""
        accepted = await send_offer(core, await self.offer(), request)
        self.leg = accepted.leg
        if answer:
            core.send(wire.Answer(self.leg))
        await self.take(accepted.sdp)
        if answer:
            await core.expect(wire.Answered, lambda m: m.leg == self.leg)
        return self.leg

    async def until(self, condition: Callable[[], bool], within_s: float = WITHIN_S) -> None:
        """Wait until something heard or read makes a condition true."""
        async with asyncio.timeout(within_s):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    async def opened(self) -> RTCDataChannel:
        """The data channel; the card knows of it before its confirmation is here."""
        channel = self.channel
        assert channel is not None
        await self.until(lambda: channel.readyState == "open")
        return channel

    async def next_heard(self, duration_s: float) -> "np.ndarray":
        """What is heard from now on."""
        start = len(self.heard)

        def enough() -> bool:
            return sum(len(samples) for _, samples in self.heard[start:]) >= duration_s * RATE_HZ

        await self.until(enough, within_s=duration_s + WITHIN_S)
        return np.concatenate([samples for _, samples in self.heard[start:]])

    async def vanish(self) -> None:
        """Fall silent without a word, as a tab that crashed."""
        transport = self.connection.getTransceivers()[0].receiver.transport.transport
        for protocol in transport._connection._protocols:
            protocol.transport.abort()

    async def close(self) -> None:
        """Leave."""
        await self.connection.close()
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.gather(self._listening, return_exceptions=True)

    def _on_track(self, track: MediaStreamTrack) -> None:
        self._listening = asyncio.get_running_loop().create_task(self._listen(track))

    def _on_text(self, text: str) -> None:
        self.texts.append(text)
        self._changed.set()

    async def _listen(self, track: MediaStreamTrack) -> None:
        while True:
            try:
                frame = await track.recv()
            except MediaStreamError:
                return
            assert isinstance(frame, AudioFrame)
            samples = frame.to_ndarray().reshape(-1)[:: len(frame.layout.channels)]
            self.heard.append((time.monotonic(), samples))
            self._changed.set()


async def send_offer(core: StandInCore, sdp: str, request: int = 1) -> wire.OfferAccepted:
    """Offer to the card; its answer."""
    core.send(offer_message(sdp, request))
    return await core.expect(wire.OfferAccepted, lambda m: m.request == request)


def offer_message(sdp: str, request: int = 1) -> wire.Offer:
    """What the signalling sends for an offer."""
    return wire.Offer(request, sdp, "reception", "web-user", "tcp:127.0.0.1:5", (("Origin", "x"),), 0.0)


def loudest_hz(samples: "np.ndarray", rate_hz: int) -> float:
    """The frequency with the most energy; 0 for silence."""
    signal = samples.astype(np.float64)
    if not len(signal) or np.abs(signal).max() < 100:
        return 0.0
    power = np.abs(np.fft.rfft(signal * np.hanning(len(signal))))
    return float(np.fft.rfftfreq(len(signal), 1 / rate_hz)[int(power.argmax())])

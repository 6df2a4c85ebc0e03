"""One WebRTC connection: offer in, answer out, packets and texts both ways."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from aiortc import RTCConfiguration, RTCDataChannel, RTCPeerConnection, RTCSessionDescription
from aiortc.exceptions import InternalError, InvalidAccessError, InvalidStateError, OperationError
from aiortc.rtcconfiguration import RTCBundlePolicy
from aiortc.stats import RTCRemoteInboundRtpStreamStats

from gateway.cards.webrtc import seam
from gateway.cards.webrtc.sdp import Candidate, Offer, OfferError, be_passive, finish_answer
from gateway.errors import LocalError
from gateway.observe.log import get_logger

CHANNEL: Final = "oai-events"
"""Label of the one data channel that we serve."""

_MAX_UNSENT_BYTES: Final = 1 << 20
_CLOSE_WITHIN_S: Final = 5.0
_CONFIGURATION: Final = RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE)
# What aiortc's parser and state machine throw at an offer that they don't like. A StopIteration leaves a
# coroutine as RuntimeError.
_UNFIT: Final = (
    ValueError,
    AssertionError,
    LookupError,
    AttributeError,
    TypeError,
    RuntimeError,
    InternalError,
    InvalidAccessError,
    InvalidStateError,
    OperationError,
)

log = get_logger()


class PeerUser(Protocol):
    """Who uses a peer. Nothing here may raise: aiortc would end the whole connection."""

    def on_connected(self) -> None:
        """ICE and DTLS are done: media can flow."""

    def on_lost(self, status: int, reason: str) -> None:
        """The connection failed or the far end closed it."""

    def on_packet(self, ssrc: int, sequence: int, timestamp: int, payload: bytes) -> Sequence[int]:
        """A packet of audio; returns what to ask for again. Hot path."""

    def on_alive(self) -> None:
        """The far end showed an authentic sign of life. Hot path."""

    def on_channel(self) -> None:
        """The data channel is open."""

    def on_text(self, text: str) -> None:
        """A text message on the data channel."""


@dataclass(frozen=True, slots=True)
class FarReport:
    """What the far end last said about our stream (RFC 3550 section 6.4.1)."""

    lost: int = -1
    jitter_ms: float = 0.0
    rtt_ms: float = -1.0


def audio_line(connection: RTCPeerConnection) -> tuple[seam.AudioReceiver, seam.AudioSender]:
    """A new audio line both ways."""
    line = connection.addTransceiver("audio", direction="sendrecv")
    receiver, sender = line.receiver, line.sender
    if not isinstance(receiver, seam.AudioReceiver) or not isinstance(sender, seam.AudioSender):
        raise LocalError("aiortc made a receiver or sender that is not ours")
    return receiver, sender


class Peer:
    """One connection; `accept` once, `close` always."""

    def __init__(self, user: PeerUser, offer: Offer) -> None:
        self._user, self._offer = user, offer
        self._connection = RTCPeerConnection(_CONFIGURATION)
        self._receiver, self._sender = audio_line(self._connection)
        self._channel: RTCDataChannel | None = None
        self._closing = False
        self.unsent = 0
        """Texts dropped because the channel was not open or the far end does not read."""
        self._connection.on("connectionstatechange", self._state_changed)
        self._connection.on("datachannel", self._channel_opened)

    @property
    def packets_sent(self) -> int:
        """Audio packets given to the sender."""
        return self._sender.packets

    @property
    def first_timestamp(self) -> int:
        """RTP timestamp of our stream's beginning, on the wire."""
        return self._sender.first_timestamp

    @property
    def asked_again(self) -> int:
        """Audio packets that the far end asked for again, each counted once."""
        return self._sender.asked_again

    @property
    def channel_open(self) -> bool:
        """Whether texts can be sent."""
        return self._channel is not None and self._channel.readyState == "open"

    async def accept(self, candidates: Sequence[Candidate], sample_rate_hz: int) -> str:
        """The SDP answer; with our own sockets' addresses if `candidates` is empty. Raises `OfferError`."""
        offer = self._offer
        connection = self._connection
        try:
            await connection.setRemoteDescription(RTCSessionDescription(offer.sdp, "offer"))
            self._receiver.deliver_to(self._user.on_packet, self._user.on_alive)
            answer = (await connection.createAnswer()).sdp
            if "a=setup:passive" not in offer.sdp:
                answer = be_passive(answer)
            await connection.setLocalDescription(RTCSessionDescription(answer, "answer"))
        except _UNFIT as exc:
            raise OfferError(400, f"the offer is malformed ({type(exc).__name__})") from exc
        own = [Candidate(*each) for each in seam.local_ports(self._receiver.transport)]
        return finish_answer(connection.localDescription.sdp, offer, candidates or own, sample_rate_hz)

    def send(self, payload: bytes, timestamp: int) -> None:
        """An encoded packet."""
        self._sender.send_now(payload, timestamp)

    def send_text(self, text: str) -> bool:
        """Send over the data channel; False if it could not be."""
        channel = self._channel
        if channel is None or channel.readyState != "open" or channel.bufferedAmount > _MAX_UNSENT_BYTES:
            self.unsent += 1
            return False
        channel.send(text)
        return True

    async def far_report(self) -> FarReport:
        """From the far end's last receiver report."""
        for stats in (await self._sender.getStats()).values():
            if isinstance(stats, RTCRemoteInboundRtpStreamStats):
                rtt_s = stats.roundTripTime
                return FarReport(
                    stats.packetsLost,
                    stats.jitter * 1000 / self._offer.codec.clock_rate_hz,
                    rtt_s * 1000 if rtt_s is not None else -1.0,
                )
        return FarReport()

    async def close(self) -> None:
        """End the connection and give its sockets back."""
        self._closing = True
        try:
            async with asyncio.timeout(_CLOSE_WITHIN_S):
                await self._connection.close()
        except TimeoutError:
            log.error("a peer's connection does not close")

    def _state_changed(self) -> None:
        state = self._connection.connectionState
        if self._closing:
            return
        if state == "connected":
            self._user.on_connected()
        elif state == "failed":
            self._user.on_lost(500, "ICE or DTLS failed")
        elif state == "closed":
            self._user.on_lost(200, "closed by the peer")

    def _channel_opened(self, channel: RTCDataChannel) -> None:
        if channel.label != CHANNEL:
            log.debug("data channel that nobody serves")
            channel.close()
            return
        self._channel = channel
        channel.on("message", self._message)
        self._user.on_channel()

    def _message(self, data: str | bytes) -> None:
        if isinstance(data, str):
            self._user.on_text(data)

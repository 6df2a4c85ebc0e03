"""Every private name of aiortc and aioice that we touch, and nothing else.

Four of their classes are replaced by ours, once per process, by `install`:

    RTCRtpReceiver   an audio receiver without thread and jitter buffer; hands payloads to a sink
    RTCRtpSender     sends encoded payloads in the call that brings them, instead of from a task and a track
    Connection       binds where we say, names its port in the ufrag, doesn't sleep when ICE is done,
                     hands SRTP on in the event that brought it
    StunProtocol     tells media from STUN by the first byte (RFC 7983) instead of by a parser's exception

The versions are pinned exactly; `check_names` proves at every start that the names are still there.
"""

import asyncio
import inspect
import secrets
import struct
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import Any, ClassVar, Final, NamedTuple

import aioice.ice
import aiortc.rtcicetransport
import aiortc.rtcpeerconnection
import pylibsrtp
from aioice import Connection
from aiortc.rtcdtlstransport import RTCDtlsTransport
from aiortc.rtcrtpparameters import RTCRtpCodecParameters, RTCRtpReceiveParameters
from aiortc.rtcrtpreceiver import RTCRtpReceiver, StreamStatistics
from aiortc.rtcrtpsender import RTCRtpSender
from aiortc.rtp import RTCP_RTPFB_NACK, AnyRtcpPacket, RtcpRtpfbPacket

from gateway.errors import LocalError

Sink = Callable[[int, int, int, bytes], Sequence[int]]
"""(ssrc, sequence, timestamp, payload) of a packet; returns the sequence numbers to ask for again."""

_VERSIONS: Final = {"aiortc": "1.16.", "aioice": "0.13."}
_ICE_PACE_S: Final = 0.02
_MAX_WAITING: Final = 256
"""Datagrams (DTLS, RTCP) that wait for aiortc; a flood's rest is dropped."""
_RTP_HEADER: Final = struct.Struct("!BBHII")
_SENT_AGAIN: Final = 128
"""Packets kept for those that ask for them again: 2.5 s at 20 ms."""
_NTP_EPOCH_S: Final = 2_208_988_800
"""From 1900 to 1970."""

_RECEIVER_NAMES: Final = ("codecs", "rtcp_ssrc", "rtcp_task", "remote_streams", "started", "rtcp_exited")
_SENDER_NAMES: Final = (
    "ntp_timestamp",
    "octet_count",
    "packet_count",
    "rtp_exited",
    "rtp_started",
    "rtp_timestamp",
)
_CONNECTION_NAMES: Final = (
    "_check_list",
    "_check_list_state",
    "_early_checks",
    "_early_checks_done",
    "_local_candidates",
    "_local_candidates_end",
    "_local_candidates_start",
    "_local_username",
    "_nominated",
    "_query_consent_task",
    "_queue",
    "_remote_candidates",
)


class _Packet(NamedTuple):
    """What aiortc's statistics want of a packet."""

    sequence_number: int
    timestamp: int


class PeerSocket(aioice.ice.StunProtocol):
    """The UDP socket of a peer."""

    def datagram_received(self, data: bytes | str, addr: tuple[Any, ...]) -> None:
        """STUN begins with 0 to 3; anything else goes straight on."""
        if isinstance(data, bytes) and data and data[0] > 3:
            self.receiver.data_received(data, 1)
        else:
            super().datagram_received(data, addr)


class PeerIce(Connection):
    """ICE of one peer."""

    addresses: ClassVar[Callable[[], Sequence[str]]]
    """Local addresses to bind."""
    name_port: ClassVar[Callable[[int], str]]
    """The ufrag for a local port."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.on_media: Callable[[bytes], bool] | None = None
        """Gets SRTP first; False: not taken."""
        self.on_alive: Callable[[], None] | None = None
        """The peer proved that it lives: a STUN request with its password."""
        self.dropped = 0
        """Datagrams dropped because too many waited."""

    async def gather_candidates(self) -> None:
        """Bind, then name the port in the ufrag."""
        if self._local_candidates_start:
            return
        self._local_candidates_start = True
        self._local_candidates += await self.get_component_candidates(1, list(type(self).addresses()))
        if not self._local_candidates:
            raise LocalError("no local address for a peer's socket")
        self._local_username = type(self).name_port(self._local_candidates[0].port)
        self._local_candidates_end = True

    async def connect(self) -> None:
        """Check pairs until one is nominated. Raises `ConnectionError`."""
        for remote in self._remote_candidates:
            self._pair_remote_candidate(remote)
        self.sort_check_list()
        self._unfreeze_initial()
        for early in self._early_checks:
            self.check_incoming(*early)
        self._early_checks.clear()
        self._early_checks_done = True
        outcome = None
        while outcome is None and self._check_periodic():
            outcome = await self._outcome_within(_ICE_PACE_S)
        if outcome is None:
            outcome = await self._check_list_state.get()
        for pair in self._check_list:
            if pair.task is not None:
                pair.task.cancel()
        if outcome != aioice.ice.ICE_COMPLETED:
            raise ConnectionError("ICE negotiation failed")
        self._query_consent_task = asyncio.create_task(self.query_consent())

    async def _outcome_within(self, pace_s: float) -> int | None:
        try:
            async with asyncio.timeout(pace_s):
                return await self._check_list_state.get()
        except TimeoutError:
            return None

    def check_incoming(self, message: Any, addr: tuple[str, int], protocol: Any) -> None:
        """A request with the right password came in."""
        if self.on_alive is not None:
            self.on_alive()
        super().check_incoming(message, addr, protocol)

    def data_received(self, data: bytes, component: int) -> None:
        """Media goes to its sink, all else waits for aiortc."""
        if self.on_media is not None and 127 < data[0] < 192 and self.on_media(data):
            return
        if self._queue.qsize() >= _MAX_WAITING:
            self.dropped += 1
            return
        super().data_received(data, component)

    def send_now(self, data: bytes) -> None:
        """Send a datagram without waiting for anything; lost when there is no pair yet."""
        pair = self._nominated.get(1)
        if pair is not None:
            pair.protocol.transport.sendto(data, pair.remote_addr)


class AudioReceiver(RTCRtpReceiver):
    """Takes SRTP from the ICE connection, answers gaps with a NACK."""

    def __init__(self, kind: str, transport: RTCDtlsTransport) -> None:
        super().__init__(kind, transport)
        self._sink: Sink | None = None
        self._alive: Callable[[], None] = lambda: None
        self.undecipherable = 0
        """Packets that fail authentication."""

    def deliver_to(self, sink: Sink, alive: Callable[[], None]) -> None:
        """Where payloads go. `alive`: anything authentic arrived. Call when the transport is final."""
        self._sink, self._alive = sink, alive
        connection = _connection(self.transport)
        connection.on_media, connection.on_alive = self._take, alive

    async def receive(self, parameters: RTCRtpReceiveParameters) -> None:
        """Start, without a decoder's thread."""
        if self._get("started"):
            return
        for codec in parameters.codecs:
            self._get("codecs")[codec.payloadType] = codec
        self.transport._register_rtp_receiver(self, parameters)
        self._set("rtcp_task", asyncio.ensure_future(self._run_rtcp()))
        self._set("started", True)

    async def _handle_rtcp_packet(self, packet: AnyRtcpPacket) -> None:
        self._alive()
        await super()._handle_rtcp_packet(packet)

    def _handle_disconnect(self) -> None:
        """Nothing of ours waits for a track."""

    def _take(self, data: bytes) -> bool:
        """An SRTP datagram; False for RTCP (RFC 5761 section 4) and before the handshake is done."""
        srtp = self.transport._rx_srtp
        if len(data) < 12 or 191 < data[1] < 224 or srtp is None or not self._get("started"):
            return False
        try:
            plain: bytes = srtp.unprotect(data)
        except pylibsrtp.Error:
            self.undecipherable += 1
            return True
        self._alive()
        first, second, sequence, timestamp, ssrc = _RTP_HEADER.unpack_from(plain)
        codec = self._get("codecs").get(second & 0x7F)
        payload = _payload(first, plain)
        if codec is None or payload is None or self._sink is None or not self._enabled:
            return True
        streams: dict[int, StreamStatistics] = self._get("remote_streams")
        if ssrc not in streams:
            streams.clear()
            streams[ssrc] = StreamStatistics(codec.clockRate)
        # aiortc's type is the whole packet; the statistics read these two.
        streams[ssrc].add(_Packet(sequence, timestamp))  # type: ignore[arg-type]
        missing = self._sink(ssrc, sequence, timestamp, payload)
        if missing:
            self._ask_again(ssrc, missing)
        return True

    def _ask_again(self, ssrc: int, missing: Sequence[int]) -> None:
        """Generic NACK, RFC 4585 section 6.2.1."""
        transport = self.transport
        packet = RtcpRtpfbPacket(fmt=RTCP_RTPFB_NACK, ssrc=self._get("rtcp_ssrc") or 0, media_ssrc=ssrc)
        packet.lost = list(missing)
        if transport._tx_srtp is not None:
            _connection(transport).send_now(transport._tx_srtp.protect_rtcp(bytes(packet)))

    def _get(self, name: str) -> Any:
        return getattr(self, f"_RTCRtpReceiver__{name}")

    def _set(self, name: str, value: object) -> None:
        setattr(self, f"_RTCRtpReceiver__{name}", value)


class AudioSender(RTCRtpSender):
    """Sends encoded audio at once; aiortc goes on to send its RTCP."""

    def __init__(self, track_or_kind: Any, transport: RTCDtlsTransport) -> None:
        super().__init__(track_or_kind, transport)
        self._payload_type: int | None = None
        # In the lower half, so that it does not wrap before SRTP has seen many (RFC 3711 section 3.3.1).
        self._sequence = secrets.randbits(15)
        self._offset = secrets.randbits(32)
        self._sent: dict[int, tuple[int, bytes]] = {}
        self.packets = 0
        """Sent so far."""
        self.asked_again = 0
        """Of them, those that the far end missed, each counted once."""
        self._asked: dict[int, int] = {}
        self._octets = 0

    @property
    def first_timestamp(self) -> int:
        """RTP timestamp of the stream's beginning, on the wire."""
        return self._offset

    def send_now(self, payload: bytes, timestamp: int) -> None:
        """One packet; lost before the connection stands. `timestamp` counts from the stream's beginning."""
        payload_type, srtp = self._payload_type, self.transport._tx_srtp
        if payload_type is None or srtp is None or not self._enabled:
            return
        sequence, timestamp = self._sequence, (self._offset + timestamp) & 0xFFFFFFFF
        packet = _RTP_HEADER.pack(0x80, payload_type, sequence, timestamp, self._ssrc) + payload
        self._sequence = (sequence + 1) & 0xFFFF
        self._sent[sequence % _SENT_AGAIN] = (sequence, packet)
        _connection(self.transport).send_now(srtp.protect(packet))
        self.packets += 1
        self._octets += len(payload)
        self._set("rtp_timestamp", timestamp)
        self._set("ntp_timestamp", int((time.time() + _NTP_EPOCH_S) * (1 << 32)))
        self._set("packet_count", self.packets)
        self._set("octet_count", self._octets)

    async def _run_rtp(self, codec: RTCRtpCodecParameters) -> None:
        """In place of the loop that reads a track."""
        self._get("rtp_started").set()
        self._payload_type = codec.payloadType
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            self._payload_type = None
        self._get("rtp_exited").set()

    async def _retransmit(self, sequence_number: int) -> None:
        """The far end asks for a packet again."""
        sequence, packet = self._sent.get(sequence_number % _SENT_AGAIN, (-1, b""))
        srtp = self.transport._tx_srtp
        if sequence == sequence_number and srtp is not None:
            slot = sequence % _SENT_AGAIN
            self.asked_again += self._asked.get(slot) != sequence
            self._asked[slot] = sequence
            _connection(self.transport).send_now(srtp.protect(packet))

    def _get(self, name: str) -> Any:
        return getattr(self, f"_RTCRtpSender__{name}")

    def _set(self, name: str, value: object) -> None:
        setattr(self, f"_RTCRtpSender__{name}", value)


def _payload(first: int, plain: bytes) -> bytes | None:
    """The payload of an RTP packet (RFC 3550 section 5.1), None if it is malformed."""
    start, end = 12 + 4 * (first & 0x0F), len(plain)
    if first & 0x10:
        if start + 4 > end:
            return None
        start += 4 + 4 * int.from_bytes(plain[start + 2 : start + 4], "big")
    if first & 0x20:
        end -= plain[-1]
    return plain[start:end] if start < end else None


def _connection(transport: RTCDtlsTransport) -> PeerIce:
    connection = transport.transport._connection
    if not isinstance(connection, PeerIce):
        raise LocalError("aiortc made an ICE connection that is not ours")
    return connection


def local_ports(transport: RTCDtlsTransport) -> list[tuple[str, int]]:
    """Addresses and ports of the sockets of a peer."""
    return [(each.host, each.port) for each in _connection(transport).local_candidates]


def install(addresses: Callable[[], Sequence[str]], name_port: Callable[[int], str]) -> None:
    """Put our classes in place. Raises `LocalError` if aiortc or aioice is not the one that we know."""
    check_names()
    PeerIce.addresses = staticmethod(addresses)
    PeerIce.name_port = staticmethod(name_port)
    aiortc.rtcpeerconnection.RTCRtpReceiver = AudioReceiver  # type: ignore[attr-defined]
    aiortc.rtcpeerconnection.RTCRtpSender = AudioSender  # type: ignore[assignment,attr-defined]
    aiortc.rtcicetransport.Connection = PeerIce  # type: ignore[attr-defined]
    aioice.ice.StunProtocol = PeerSocket  # type: ignore[misc]


def check_names() -> None:
    """Raises `LocalError` that says what has changed."""
    for package, start in _VERSIONS.items():
        if not version(package).startswith(start):
            raise LocalError(f"{package} {version(package)} is installed, {start}* is needed")
    missing = _missing_names()
    if missing:
        raise LocalError(f"aiortc or aioice has changed: {', '.join(missing)} not found")


def _missing_names() -> list[str]:
    receiver = inspect.getsource(RTCRtpReceiver)
    connection = inspect.getsource(Connection)
    dtls = inspect.getsource(RTCDtlsTransport)
    missing = [f"RTCRtpReceiver.__{name}" for name in _RECEIVER_NAMES if f"self.__{name}" not in receiver]
    sender = inspect.getsource(RTCRtpSender)
    missing += [f"RTCRtpSender.__{name}" for name in _SENDER_NAMES if f"self.__{name}" not in sender]
    missing += [f"Connection.{name}" for name in _CONNECTION_NAMES if f"self.{name}" not in connection]
    missing += [f"RTCDtlsTransport.{name}" for name in ("_rx_srtp", "_tx_srtp") if f"self.{name}" not in dtls]
    methods: list[tuple[type, str]] = [
        (RTCRtpReceiver, "_run_rtcp"),
        (RTCRtpReceiver, "_handle_rtcp_packet"),
        (RTCRtpReceiver, "_handle_disconnect"),
        (RTCRtpSender, "_run_rtp"),
        (RTCRtpSender, "_retransmit"),
        (RTCDtlsTransport, "_register_rtp_receiver"),
        (Connection, "_pair_remote_candidate"),
        (Connection, "_unfreeze_initial"),
        (Connection, "_check_periodic"),
        (Connection, "check_incoming"),
        (Connection, "data_received"),
        (Connection, "get_component_candidates"),
        (Connection, "query_consent"),
        (aioice.ice.StunProtocol, "datagram_received"),
    ]
    missing += [f"{owner.__name__}.{name}" for owner, name in methods if not hasattr(owner, name)]
    return missing

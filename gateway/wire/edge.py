"""Control messages of the edge (the parent process): to the core, to the template, from the cards.

Edge and core: the edge listens on `<run_dir>/edge.sock` (unix stream, CONTROL frames only).
Cards: one datagram (a bare msgpack `CardStatus`) to `<run_dir>/status.sock` whenever their set of
legs changes and every `STATUS_INTERVAL_S` as a sign of life.
Template: one JSON line per message on its standard input (`SpawnCard`) and output (the rest).
"""

from typing import Final, Literal

import msgspec

from gateway.core.ids import CardId
from gateway.wire.decoding import decoded
from gateway.wire.frames import FrameKind, pack_frame

STATUS_INTERVAL_S: Final = 2.0
"""How often a card shows that it lives."""

PEER_HEADER: Final = "X-Gateway-Peer"
"""Added by the edge to requests for a card: transport:address:port of the far end.

Stripped when it comes from outside.
"""

RECEIVED_HEADER: Final = "X-Gateway-Received"
"""Added by the edge: CLOCK_MONOTONIC seconds of the arrival. Stripped when it comes from outside."""


class CardUp(msgspec.Struct, frozen=True, tag=True):
    """Edge to core: a card listens; connect to it."""

    card: CardId
    kind: Literal["sip", "webrtc"]
    socket_path: str
    pid: int


class CardDown(msgspec.Struct, frozen=True, tag=True):
    """Edge to core: the card's process is gone."""

    card: CardId
    pid: int
    status: str
    """How it ended, e.g. `exit 0` or `signal 9`."""


class EdgeCounters(msgspec.Struct, frozen=True, tag=True):
    """Edge to core, once a second, for /metrics: monotonic counters and gauges by name."""

    counters: dict[str, float]


class Drain(msgspec.Struct, frozen=True, tag=True):
    """Edge to core: no new calls come; report not-ready on /readyz."""


class StopCore(msgspec.Struct, frozen=True, tag=True):
    """Edge to core: end every call, write what has to be written, leave."""


class CoreHello(msgspec.Struct, frozen=True, tag=True):
    """Core to edge: first message."""

    version: int
    pid: int


class CoreReady(msgspec.Struct, frozen=True, tag=True):
    """Core to edge: calls can come."""


class CoreAlive(msgspec.Struct, frozen=True, tag=True):
    """Core to edge: answer to every `EdgeCounters`; a core that keeps quiet hangs."""


class CoreCannotStart(msgspec.Struct, frozen=True, tag=True):
    """Core to edge: one line for the operator (e.g. the HTTP port is in use); the gateway exits with 1."""

    message: str


class WantSlot(msgspec.Struct, frozen=True, tag=True):
    """Core to edge: which card may place a call? Answered by `SlotGranted` or `SlotRefused`."""

    request: int


class ReleaseSlot(msgspec.Struct, frozen=True, tag=True):
    """Core to edge: the slot of this `WantSlot`, granted or not yet, is not needed any more."""

    request: int


class SlotGranted(msgspec.Struct, frozen=True, tag=True):
    """Edge to core: the card keeps a slot for a call with this Call-ID; unused it is gone after 10 s."""

    request: int
    card: CardId
    sip_call_id: str


class SlotRefused(msgspec.Struct, frozen=True, tag=True):
    """Edge to core: no card can place a call now."""

    request: int
    reason: str


class CardStatus(msgspec.Struct, frozen=True, tag=True):
    """Card to edge: who I am and which calls I hold."""

    card: CardId
    pid: int
    sip_port: int
    """Loopback UDP port of the card's SIP endpoint; 0 for other kinds."""
    sip_call_ids: tuple[str, ...]
    attached: bool = True
    """Whether a core is connected; a card without one refuses calls."""


class SpawnCard(msgspec.Struct, frozen=True, tag=True):
    """Edge to template: fork a SIP card."""

    card: CardId
    socket_path: str
    status_path: str
    edge_sip: str
    """address:port of the edge's inner (loopback) SIP socket; all requests of the card go there."""
    rtp_address: str
    """Local address to bind RTP to; 0.0.0.0 for all."""
    rtp_port_low: int
    rtp_port_high: int
    codecs: tuple[str, ...]
    """pjsua2 codec ids in order of preference, e.g. PCMU/8000/1."""
    sample_rate_hz: int
    rtp_timeout_s: float
    orphan_timeout_s: float
    """How long legs live on without a core."""


class CardSpawned(msgspec.Struct, frozen=True, tag=True):
    """Template to edge."""

    card: CardId
    pid: int


class CardExited(msgspec.Struct, frozen=True, tag=True):
    """Template to edge, from waitpid."""

    card: CardId
    pid: int
    status: str


EdgeToCore = CardUp | CardDown | EdgeCounters | Drain | StopCore | SlotGranted | SlotRefused
CoreToEdge = CoreHello | CoreReady | CoreAlive | CoreCannotStart | WantSlot | ReleaseSlot
FromTemplate = CardSpawned | CardExited

_encoder = msgspec.msgpack.Encoder()
_to_core: msgspec.msgpack.Decoder[EdgeToCore] = msgspec.msgpack.Decoder(EdgeToCore)
_to_edge: msgspec.msgpack.Decoder[CoreToEdge] = msgspec.msgpack.Decoder(CoreToEdge)
_status = msgspec.msgpack.Decoder(CardStatus)
_json_encoder = msgspec.json.Encoder()
_spawn = msgspec.json.Decoder(SpawnCard)
_from_template: msgspec.json.Decoder[FromTemplate] = msgspec.json.Decoder(FromTemplate)


def pack_link(message: EdgeToCore | CoreToEdge) -> bytes:
    """A CONTROL frame between edge and core."""
    return pack_frame(FrameKind.CONTROL, _encoder.encode(message))


def unpack_edge_to_core(payload: bytes) -> EdgeToCore:
    """Raises `WireError`."""
    return decoded(_to_core, payload, "message from edge")


def unpack_core_to_edge(payload: bytes) -> CoreToEdge:
    """Raises `WireError`."""
    return decoded(_to_edge, payload, "message from core")


def pack_status(status: CardStatus) -> bytes:
    """The datagram a card sends."""
    return _encoder.encode(status)


def unpack_status(datagram: bytes) -> CardStatus:
    """Raises `WireError`."""
    return decoded(_status, datagram, "card status")


def pack_line(message: SpawnCard | CardSpawned | CardExited) -> bytes:
    """One JSON line to or from the template."""
    return _json_encoder.encode(message) + b"\n"


def unpack_spawn(line: bytes) -> SpawnCard:
    """Raises `WireError`."""
    return decoded(_spawn, line, "order to the template")


def unpack_from_template(line: bytes) -> FromTemplate:
    """Raises `WireError`."""
    return decoded(_from_template, line, "message from template")

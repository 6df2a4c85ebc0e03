"""Control messages between the core and a card of any kind (SIP, WebRTC).

The card listens on its own unix stream socket and serves one core at a time: a new connection
replaces the old one. The first message in each direction is `Hello` / `Attach`; the card answers
`Attach` with a `Snapshot` of the legs it holds, so that a restarted core can take them over.

Times named `at_s` are CLOCK_MONOTONIC seconds, comparable between the processes of one machine.
"""

from typing import Literal

import msgspec

from gateway.core.ids import CardId, LegId, Mark
from gateway.wire.decoding import decoded
from gateway.wire.frames import FrameKind, pack_frame
from gateway.wire.message import Message
from gateway.wire.outgoing import Dial as Dial
from gateway.wire.outgoing import DialFailed as DialFailed
from gateway.wire.outgoing import DialStarted as DialStarted
from gateway.wire.outgoing import Progress as Progress
from gateway.wire.outgoing import Transfer as Transfer
from gateway.wire.outgoing import TransferProgress as TransferProgress
from gateway.wire.peers import ChannelOpened as ChannelOpened
from gateway.wire.peers import ChannelText as ChannelText
from gateway.wire.peers import Offer as Offer
from gateway.wire.peers import OfferAccepted as OfferAccepted
from gateway.wire.peers import OfferRejected as OfferRejected
from gateway.wire.peers import SendText as SendText

LegState = Literal["incoming", "ringing", "connected", "held", "closed", "calling"]
"""incoming: no answer yet · calling: the same of a call that we placed · ringing: 18x sent or received
· connected: two-way audio · held: the far end holds us."""


# ---- card to core ------------------------------------------------------------------------------


class Capabilities(msgspec.Struct, frozen=True, array_like=True):
    """What the legs of a card can do."""

    hold: bool = False
    transfer: bool = False
    dtmf: bool = False
    tiers: tuple[str, ...] = ()
    early_media: bool = False
    """A caller can hear what is played before the answer."""


class Hello(Message, frozen=True):
    """First message of a card on every connection."""

    version: int
    card: CardId
    kind: Literal["sip", "webrtc"]
    pid: int
    sample_rate_hz: int
    capabilities: Capabilities


class Incoming(Message, frozen=True):
    """A new call is offered; the card has sent nothing but 100 so far."""

    leg: LegId
    sip_call_id: str
    request_uri: str
    from_header: str
    to_header: str
    headers: tuple[tuple[str, str], ...]
    """All other headers of the request as received, in order."""
    peer: str
    """transport:address:port of the far end, as the edge saw it."""
    received_at_s: float
    """When the edge received the request."""


class LegSnapshot(msgspec.Struct, frozen=True, array_like=True):
    """One live leg of a card at the moment a core attached."""

    incoming: Incoming
    state: LegState
    kept: bytes
    """What the core last sent with `Keep`; empty if nothing."""
    outbound: bool = False
    """We placed the call; `incoming.to_header` is whom we called."""


class Snapshot(Message, frozen=True):
    """Answer to `Attach`."""

    legs: tuple[LegSnapshot, ...]


class Answered(Message, frozen=True):
    """The final 2xx went out (inbound) or came in (outbound)."""

    leg: LegId
    at_s: float


class MediaChanged(Message, frozen=True):
    """Codec or direction of the leg's audio was (re)negotiated."""

    leg: LegId
    codec: str
    clock_rate_hz: int
    ptime_ms: int
    srtp: bool
    held: bool
    """True while the far end does not want our audio."""
    offered: tuple[str, ...] = ()
    """Phones: codecs that the far end named last, upper case; `SPEEX/16000` for wideband Speex."""


class Dtmf(Message, frozen=True):
    """A digit arrived."""

    leg: LegId
    digit: str
    duration_ms: int
    method: Literal["rfc4733", "info"]


class PlayStarted(Message, frozen=True):
    """The first frame of `mark` went to the codec."""

    leg: LegId
    mark: Mark
    at_s: float


class PlayFinished(Message, frozen=True):
    """All audio of a mark that was closed with LAST has been played."""

    leg: LegId
    mark: Mark
    played_ms: int
    at_s: float


class Flushed(Message, frozen=True):
    """Answer to `Flush`: what the far end got to hear."""

    leg: LegId
    request: int
    mark: Mark
    """The mark that was being played; 0 if the buffer was empty."""
    played_ms: int
    """Milliseconds of that mark that went to the codec."""
    dropped_ms: int
    """Milliseconds thrown away, all marks."""
    at_s: float


class Quality(Message, frozen=True):
    """Once a second while connected."""

    leg: LegId
    rx_packets: int
    rx_lost: int
    rx_discarded: int
    rx_jitter_ms: float
    jitter_buffer_ms: float
    tx_packets: int
    tx_lost: int
    """As the far end reports; -1 before its first report."""
    tx_jitter_ms: float
    rtt_ms: float
    """-1 when unknown."""
    underruns: int
    """Times the playout ran dry within an open mark, since the leg began."""
    playout_dropped_ms: int
    """Overflow of the playout buffer since the leg began."""
    rx_loss_runs: int = -1
    """Runs of consecutive losses within `rx_lost`; -1: not counted."""
    rx_concealed_ms: float = -1.0
    """Audio that the decoder made up, since the leg began; -1: not counted."""
    rx_delay_rise_ms: float = -1.0
    """By how much the fastest packet of this second was slower than that of the last minute; -1: unknown."""
    tx_reports: int = -1
    """Reports of the far end so far; -1: not counted."""
    rx_repaired: int = -1
    """Packets that came only when they were asked for again, not within `rx_lost`; -1: not counted."""
    tx_repaired: int = -1
    """Packets that the far end asked for again, each counted once; -1: not counted."""
    starved_ms: int = 0
    """How long the playout had run dry within an open mark, since the leg began."""


class RtpStalled(Message, frozen=True):
    """No RTP from the far end for `silent_s` although it should send; sent once per stall."""

    leg: LegId
    silent_s: float


class LegClosed(Message, frozen=True):
    """The last message about a leg."""

    leg: LegId
    status: int
    """SIP status that ended it; 200 for a normal BYE, the far end's refusal of a call that we placed."""
    reason: str
    by: Literal["far_end", "gateway", "card"]


class Refused(Message, frozen=True):
    """A command could not be carried out."""

    leg: LegId
    command: str
    reason: str
    status: int = 0
    """SIP status with which the far end refused; 0 if it was not the far end."""


FromCard = (
    Hello
    | Incoming
    | Snapshot
    | Answered
    | DialStarted
    | DialFailed
    | Progress
    | TransferProgress
    | MediaChanged
    | Dtmf
    | PlayStarted
    | PlayFinished
    | Flushed
    | Quality
    | RtpStalled
    | LegClosed
    | OfferAccepted
    | OfferRejected
    | ChannelOpened
    | ChannelText
    | Refused
)


# ---- core to card ------------------------------------------------------------------------------


class Attach(Message, frozen=True):
    """First message of a core on every connection."""

    version: int
    core_pid: int


class Ring(Message, frozen=True):
    """Send 180, or 183 with our SDP."""

    leg: LegId
    early_media: bool = False
    """From now on the far end hears what is played."""


class Answer(Message, frozen=True):
    """Send 200 with our SDP."""

    leg: LegId


class Reject(Message, frozen=True):
    """Final non-2xx answer to an INVITE."""

    leg: LegId
    status: int
    reason: str
    headers: tuple[tuple[str, str], ...] = ()


class Hangup(Message, frozen=True):
    """End the leg: BYE when answered, else `status`, or CANCEL when we placed the call.

    `drain` first lets queued playout be heard.
    """

    leg: LegId
    status: int = 480
    reason: str = ""
    drain: bool = False


class Flush(Message, frozen=True):
    """Throw the playout buffer away; answered by `Flushed` with the same `request`."""

    leg: LegId
    request: int


class Pause(Message, frozen=True):
    """Stop playing, keep the buffer."""

    leg: LegId


class Resume(Message, frozen=True):
    """Go on where `Pause` stopped."""

    leg: LegId


class SendDtmf(Message, frozen=True):
    """Send digits (0-9 A-D * #) by RFC 4733, else by INFO."""

    leg: LegId
    digits: str


class Hold(Message, frozen=True):
    """Put the far end on hold, or take it back."""

    leg: LegId
    held: bool


class SetTier(Message, frozen=True):
    """Use more or less network: one of `Capabilities.tiers`; `MediaChanged` or `Refused` follows."""

    leg: LegId
    tier: str


class Keep(Message, frozen=True):
    """Opaque state of the core that the card holds for the leg and returns in a `Snapshot`."""

    leg: LegId
    state: bytes


class Retire(Message, frozen=True):
    """Leave the process once the last leg is gone."""


ToCard = (
    Attach
    | Offer
    | Dial
    | Transfer
    | SendText
    | Ring
    | Answer
    | Reject
    | Hangup
    | Flush
    | Pause
    | Resume
    | SendDtmf
    | Hold
    | SetTier
    | Keep
    | Retire
)

_encoder = msgspec.msgpack.Encoder()
_from_card: msgspec.msgpack.Decoder[FromCard] = msgspec.msgpack.Decoder(FromCard)
_to_card: msgspec.msgpack.Decoder[ToCard] = msgspec.msgpack.Decoder(ToCard)


def pack_control(message: FromCard | ToCard) -> bytes:
    """A whole CONTROL frame."""
    return pack_frame(FrameKind.CONTROL, _encoder.encode(message))


def unpack_from_card(payload: bytes) -> FromCard:
    """A card's control message. Raises `WireError`."""
    return decoded(_from_card, payload, "control message from card")


def unpack_to_card(payload: bytes) -> ToCard:
    """A core's control message. Raises `WireError`."""
    return decoded(_to_card, payload, "control message to card")

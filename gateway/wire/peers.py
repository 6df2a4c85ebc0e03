"""Control messages about WebRTC peers: their offers and their data channel; part of `gateway.wire.card`."""

from gateway.core.ids import LegId
from gateway.wire.message import Message


class Offer(Message, frozen=True):
    """WebRTC cards: make a leg of an SDP offer; answered by `OfferAccepted` or `OfferRejected`."""

    request: int
    sdp: str
    to: str
    """What the peer asked for: an agent or a number; becomes `Incoming.request_uri`."""
    identity: str
    """Who asks, as signalling established it; becomes `Incoming.from_header`."""
    peer: str
    """transport:address:port of the signalling client."""
    headers: tuple[tuple[str, str], ...]
    received_at_s: float


class OfferAccepted(Message, frozen=True):
    """Answer to `Offer`: a leg was made; `Incoming` for it follows, `Answered` once media can flow."""

    request: int
    leg: LegId
    sdp: str
    """The SDP answer, complete with candidates."""


class OfferRejected(Message, frozen=True):
    """Answer to `Offer`: no leg was made."""

    request: int
    status: int
    """HTTP status that says it best."""
    reason: str


class ChannelOpened(Message, frozen=True):
    """The leg's data channel for events is open."""

    leg: LegId


class ChannelText(Message, frozen=True):
    """A text message came over the leg's data channel."""

    leg: LegId
    text: str


class SendText(Message, frozen=True):
    """Send a text message over the leg's data channel; dropped while it is not open."""

    leg: LegId
    text: str

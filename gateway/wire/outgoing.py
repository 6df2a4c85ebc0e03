"""Control messages about calls that we place, and about transfers; part of `gateway.wire.card`."""

from gateway.core.ids import LegId
from gateway.wire.message import Message


class Dial(Message, frozen=True):
    """SIP cards: place a call; answered by `DialStarted` or `DialFailed`."""

    request: int
    sip_call_id: str
    """As the edge has reserved it with the card's slot (`gateway.wire.edge.SlotGranted`)."""
    target_uri: str
    """SIP URI to call, escaped."""
    from_uri: str
    """SIP URI that we call from, perhaps with a display name; empty for the card's own."""
    headers: tuple[tuple[str, str], ...] = ()
    """More headers of the INVITE."""
    username: str = ""
    """For a digest challenge (RFC 3261 §22); empty: a challenge ends the call."""
    password: str = ""

    def __repr__(self) -> str:
        """Without numbers and password, for logs and tracebacks."""
        return f"Dial(request={self.request})"


class Transfer(Message, frozen=True):
    """Ask the far end of a connected leg to call somebody else (REFER, RFC 3515)."""

    leg: LegId
    target_uri: str
    """SIP URI for Refer-To, escaped."""
    headers: tuple[tuple[str, str], ...] = ()
    """More headers of the REFER."""


class DialStarted(Message, frozen=True):
    """Answer to `Dial`: the INVITE is out; `Progress` and `Answered` or `LegClosed` follow."""

    request: int
    leg: LegId
    sip_call_id: str


class DialFailed(Message, frozen=True):
    """Answer to `Dial`: no leg was made."""

    request: int
    status: int
    """SIP status that says it best."""
    reason: str


class Progress(Message, frozen=True):
    """A call that we placed got a provisional answer (18x)."""

    leg: LegId
    status: int
    reason: str
    early_media: bool
    """The far end's audio can be heard already, such as its own ringback tone."""


class TransferProgress(Message, frozen=True):
    """What the far end says about the `Transfer` it was asked for (RFC 3515 §2.4.4)."""

    leg: LegId
    status: int
    """100 once it has accepted; then the status of its own call; or why it refused."""
    reason: str
    final: bool
    """Nothing more comes; below 300 the far end has reached its new party, the leg is to be ended."""

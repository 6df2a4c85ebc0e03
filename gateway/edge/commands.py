"""Where a message came from or goes to, and what the router asks its shell to do. Pure."""

import re
from dataclasses import dataclass
from typing import Literal, NamedTuple

from gateway.core.ids import CardId
from gateway.edge.message import SipMessage
from gateway.wire.edge import SlotGranted, SlotRefused

_TOKEN = re.compile(rb"(udp|tcp)\.(\d{1,4})\.(\d{1,15})$")

Transport = Literal["udp", "tcp"]


class Flow(NamedTuple):
    """One far end as seen by one of our sockets."""

    transport: Transport
    listener: int
    """Index of the listening socket."""
    connection: int
    """Serial number of the TCP connection; 0 for UDP, and for TCP when one has yet to be opened."""
    address: str
    port: int

    @property
    def token(self) -> bytes:
        """What names the socket in our Via (`;ec=`): a response finds its way back by it."""
        return b"%s.%d.%d" % (self.transport.encode(), self.listener, self.connection)

    @classmethod
    def from_token(cls, token: bytes, address: str, port: int) -> "Flow | None":
        """The flow of that socket towards an address; None when it is no such token."""
        found = _TOKEN.match(token)
        if found is None:
            return None
        transport: Transport = "tcp" if found[1] == b"tcp" else "udp"
        return cls(transport, int(found[2]), int(found[3]), address, port)

    def __str__(self) -> str:
        return f"{self.transport}:{self.address}:{self.port}"


@dataclass(frozen=True, slots=True)
class SendOutside:
    """Send to a far end."""

    flow: Flow
    data: bytes


@dataclass(frozen=True, slots=True)
class SendToCard:
    """Send to a card's SIP port on loopback."""

    port: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Resolve:
    """Look a host name up, then call `Router.handle_resolved` with this command."""

    host: str
    port: int
    transport: Transport
    message: SipMessage
    card: CardId


@dataclass(frozen=True, slots=True)
class TellCore:
    """Send to the core."""

    message: SlotGranted | SlotRefused


Command = SendOutside | SendToCard | Resolve | TellCore

"""What the outside gets to see of us: addresses in Via, Record-Route, Contact and SDP. Pure.

Inside, a card says 127.0.0.1 everywhere. On the way out that becomes the address that the far end
can reach: the configured one, else the listening one, else the one of the interface that faces it.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from gateway.core.ids import CardId
from gateway.edge.commands import Flow, Transport
from gateway.edge.message import SipMessage
from gateway.edge.sdp import replace_address
from gateway.edge.syntax import SipUri, Via, address_params, address_uri, param, parse_uri, parse_via

ANY_ADDRESS: Final = "0.0.0.0"
LOOPBACK: Final = "127.0.0.1"
_MAGIC: Final = b"z9hG4bK"


@dataclass(frozen=True, slots=True)
class Listener:
    """A public socket."""

    transport: Transport
    address: str
    port: int

    def __str__(self) -> str:
        return f"{self.transport}://{self.address}:{self.port}"


class Face:
    """Writes and recognises our own addresses."""

    def __init__(
        self,
        listeners: Sequence[Listener],
        inner_port: int,
        *,
        secret: bytes,
        public_address: str | None = None,
        media_address: str | None = None,
        local_address: Callable[[str], str] = lambda _peer: LOOPBACK,
    ) -> None:
        """public_address may be a name, media_address is its IPv4 address.

        local_address: address of the interface that faces a peer; asked when we listen on all.
        """
        self.listeners = tuple(listeners)
        self._inner = b"%s:%d" % (LOOPBACK.encode(), inner_port)
        self._inner_port = inner_port
        self._secret = secret
        self._public_address = public_address
        self._media_address = media_address or public_address
        self._local_address = local_address
        self._own: set[tuple[str, int]] = {(LOOPBACK, inner_port)}
        for listener in self.listeners:
            for address in (public_address, listener.address):
                if address and address != ANY_ADDRESS:
                    self._own.add((address.lower(), listener.port))

    def host(self, flow: Flow) -> str:
        """Our address as the far end of `flow` should use it."""
        if self._public_address:
            return self._public_address
        listener = self.listeners[flow.listener]
        if listener.address != ANY_ADDRESS:
            return listener.address
        address = self._local_address(flow.address)
        self._own.add((address, listener.port))
        return address

    def listener_for(self, transport: Transport) -> int | None:
        """The listening socket to use for a new flow."""
        for index, listener in enumerate(self.listeners):
            if listener.transport == transport:
                return index
        return None

    def is_own(self, host: str, port: int) -> bool:
        """Whether a URI or Via names this gateway."""
        return (host, port) in self._own

    def own_route(self, value: bytes) -> SipUri | None:
        """The URI of a Route value if it is one of ours."""
        uri = parse_uri(address_uri(value))
        return uri if uri is not None and self.is_own(uri.host, uri.port) else None

    def is_inner_route(self, value: bytes) -> bool:
        """Whether a Record-Route value leads a card to us."""
        uri = parse_uri(address_uri(value))
        return uri is not None and (uri.host, uri.port) == (LOOPBACK, self._inner_port)

    def foreign_routes(self, response: SipMessage) -> tuple[bytes, ...]:
        """The Record-Route values that are not ours, in order."""
        return tuple(route for route in response.all(b"record-route") if self.own_route(route) is None)

    def branch(self, via_value: bytes, message: SipMessage) -> bytes:
        """The branch of our Via on top of `via_value`: the same for a request, its retransmissions,
        its CANCEL and the ACK of its failure, so that nothing has to be remembered
        (RFC 3261 §16.11). Keyed, so that no one outside can make up a response.
        """
        via = parse_via(via_value)
        own = param(via.params, b"branch") if via else None
        if via and own and own.startswith(_MAGIC):
            seed = b"%s|%s:%d|%s" % (own, via.host, via.port, message.call_id)
        else:
            seed = b"%s|%s|%d" % (via_value, message.call_id, message.cseq)
        return _MAGIC + hashlib.blake2b(seed, key=self._secret, digest_size=12).hexdigest().encode()

    def inner_via(self, flow: Flow, branch: bytes) -> bytes:
        """Our Via on a request for a card."""
        return b"SIP/2.0/UDP %s;branch=%s;ec=%s" % (self._inner, branch, flow.token)

    def outer_via(self, flow: Flow, branch: bytes) -> bytes:
        """Our Via on a request for the outside (RFC 3581: with rport)."""
        return b"SIP/2.0/%s %s;rport;branch=%s" % (
            flow.transport.upper().encode(),
            self._hostport(flow),
            branch,
        )

    def is_inner_via(self, via: Via) -> bool:
        """Whether `inner_via` wrote it."""
        return via.port == self._inner_port and via.host == LOOPBACK.encode()

    def record_routes(self, flow: Flow, card: CardId, *, outwards: bool) -> list[bytes]:
        """Our two Record-Route values, topmost first: the side that the request leaves by on top."""
        inner = b"<sip:%s;lr;c=%d>" % (self._inner, card)
        transport = b";transport=tcp" if flow.transport == "tcp" else b""
        outer = b"<sip:%s%s;lr;c=%d>" % (self._hostport(flow), transport, card)
        return [outer, inner] if outwards else [inner, outer]

    def dress(self, message: SipMessage, flow: Flow, card: CardId) -> None:
        """Make a card's Contact and SDP say where the outside can reach it."""
        position = message.index(b"contact")
        if position is not None and not 300 <= message.status < 400:  # there it names someone else
            value = message.fields[position][2]
            uri = parse_uri(address_uri(value))
            if uri is not None and uri.host == LOOPBACK:
                message.replace(position, self._contact(value, flow, card))
        media = self._media_address or self.host(flow)
        body = replace_address(message.body, LOOPBACK.encode(), media.encode())
        if body is not message.body or message.index(b"content-length") is None:
            message.set_body(body)

    def _hostport(self, flow: Flow) -> bytes:
        return b"%s:%d" % (self.host(flow).encode(), self.listeners[flow.listener].port)

    def _contact(self, value: bytes, flow: Flow, card: CardId) -> bytes:
        user, at, _ = address_uri(value).partition(b":")[2].rpartition(b"@")
        transport = b";transport=tcp" if flow.transport == "tcp" else b""
        return b"<sip:%s%s%s%s;c=%d>%s" % (
            user,
            at,
            self._hostport(flow),
            transport,
            card,
            address_params(value),
        )

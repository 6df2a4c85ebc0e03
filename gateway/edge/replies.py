"""Messages the edge writes itself: responses, and the BYE or CANCEL for a card that died. Pure."""

from dataclasses import dataclass
from typing import Final

from gateway.edge.message import SipMessage
from gateway.edge.syntax import tag_of

METHODS_SERVED: Final = b"INVITE, ACK, BYE, CANCEL, OPTIONS, INFO, UPDATE, PRACK, REFER, NOTIFY"
LINE_FAILURE: Final = b'SIP;cause=500;text="Line failure"'

REASONS: Final = {
    100: b"Trying",
    200: b"OK",
    400: b"Bad Request",
    405: b"Method Not Allowed",
    414: b"Request-URI Too Long",
    416: b"Unsupported URI Scheme",
    420: b"Bad Extension",
    481: b"Call/Transaction Does Not Exist",
    482: b"Loop Detected",
    483: b"Too Many Hops",
    487: b"Request Terminated",
    500: b"Server Internal Error",
    501: b"Not Implemented",
    503: b"Service Unavailable",
    505: b"Version Not Supported",
    513: b"Message Too Large",
    603: b"Decline",
}

Headers = tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True, slots=True)
class ReplyTo:
    """What a response repeats of its request (RFC 3261 §8.2.6.2)."""

    vias: tuple[bytes, ...]
    from_: bytes
    to: bytes
    call_id: bytes
    cseq: bytes

    @classmethod
    def of(cls, request: SipMessage) -> "ReplyTo":
        """Taken before the request is changed for its next hop."""
        found = {key: value for key, _, value in reversed(request.fields)}
        return cls(
            tuple(request.all(b"via")), found[b"from"], found[b"to"], found[b"call-id"], found[b"cseq"]
        )

    def response(self, status: int, tag: bytes, server: bytes, headers: Headers = ()) -> bytes:
        """A whole response without a body; `tag` is added to To unless it has one or this is a 100."""
        to = self.to if status == 100 or tag_of(self.to) else self.to + b";tag=" + tag
        lines = [b"SIP/2.0 %d %s" % (status, REASONS[status])]
        lines += [b"Via: " + via for via in self.vias]
        lines += [b"From: " + self.from_, b"To: " + to, b"Call-ID: " + self.call_id, b"CSeq: " + self.cseq]
        lines += [name + b": " + value for name, value in headers]
        lines += [b"Server: " + server, b"Content-Length: 0"]
        return b"\r\n".join(lines) + b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class OwnRequest:
    """A request within a dialog, or the CANCEL of an INVITE, that the edge sends for a dead card."""

    method: bytes
    uri: bytes
    via: bytes
    from_: bytes
    to: bytes
    call_id: bytes
    cseq: int
    routes: tuple[bytes, ...] = ()

    def pack(self, server: bytes) -> bytes:
        """The request as it goes on the wire."""
        lines = [self.method + b" " + self.uri + b" SIP/2.0", b"Via: " + self.via]
        lines += [b"Route: " + route for route in self.routes]
        lines += [b"Max-Forwards: 70", b"From: " + self.from_, b"To: " + self.to, b"Call-ID: " + self.call_id]
        lines += [b"CSeq: %d %s" % (self.cseq, self.method), b"Reason: " + LINE_FAILURE]
        lines += [b"User-Agent: " + server, b"Content-Length: 0"]
        return b"\r\n".join(lines) + b"\r\n\r\n"

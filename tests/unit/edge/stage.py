"""A router with far ends and cards made of messages, on a clock that the test turns."""

from gateway.core.ids import CardId
from gateway.edge.board import Admission
from gateway.edge.commands import Command, Flow, Resolve, SendOutside, SendToCard
from gateway.edge.face import Face, Listener
from gateway.edge.message import SipMessage, parse
from gateway.edge.routing import Router
from gateway.edge.slots import Slots
from gateway.wire.edge import CardStatus

INNER_PORT = 40000
PUBLIC = "203.0.113.1"
PHONE = Flow("udp", 0, 0, "192.0.2.7", 5062)
TCP_PHONE = Flow("tcp", 1, 9, "192.0.2.7", 33333)
SDP = b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"


class Stage:
    """Everything around the router."""

    def __init__(self, *, cards: int = 2, max_calls: int = 8, listen: str = PUBLIC) -> None:
        self.now = 1000.0
        self.slots = Slots(max_calls=max_calls, calls_per_card=4)
        listeners = (Listener("udp", listen, 5060), Listener("tcp", listen, 5060))
        face = Face(listeners, INNER_PORT, secret=b"k" * 32, local_address=lambda peer: f"10.{peer[:1]}.0.1")
        self.router = Router(face, self.slots, secret=b"s" * 32, server=b"gw")
        self.router.admission = Admission.OPEN
        for card in range(cards):
            self.slots.card_ordered(CardId(card), self.now)
            self.report(card)

    # ---- events ----------------------------------------------------------------------------

    def outside(self, data: bytes, flow: Flow = PHONE) -> list[Command]:
        """A far end sends."""
        return self.router.handle_outside(data, flow, self.now)

    def inside(self, card: int, data: bytes) -> list[Command]:
        """A card sends."""
        return self.router.handle_inside(data, 6000 + card, self.now)

    def report(self, card: int, *calls: str) -> list[Command]:
        """A card reports its calls."""
        status = CardStatus(CardId(card), 100 + card, 6000 + card, calls)
        return self.router.handle_status(status, self.now)

    def turn(self, seconds: float) -> list[Command]:
        """Time passes, every deadline is kept."""
        end, commands = self.now + seconds, []
        while (at := self.router.next_deadline()) is not None and at <= end:
            self.now = max(at, self.now)
            commands += self.router.handle_timeout(self.now)
        self.now = end
        return commands + self.router.handle_timeout(end)

    # ---- whole steps -----------------------------------------------------------------------

    def call(self, call_id: str = "c1", flow: Flow = PHONE) -> tuple[int, SipMessage]:
        """An INVITE that a card gets; the card and what it got."""
        return to_card(self.outside(invite(call_id, flow=flow), flow))

    def answered(self, call_id: str = "c1", flow: Flow = PHONE) -> tuple[int, SipMessage]:
        """A call that is up; the card and the 200 as the far end got it."""
        card, got = self.call(call_id, flow)
        self.report(card, call_id)
        _, ok = to_outside(self.inside(card, response(got, 200, "OK", card=card)))
        return card, ok


def request(
    method: str,
    call_id: str = "c1",
    *,
    uri: str = f"sip:100@{PUBLIC}",
    flow: Flow = PHONE,
    to_tag: str = "",
    cseq: int = 1,
    branch: str = "",
    headers: str = "",
    body: bytes = b"",
) -> bytes:
    """A request of a far end."""
    to = f"<sip:100@{PUBLIC}>" + (f";tag={to_tag}" if to_tag else "")
    branch = branch or f"z9hG4bK{call_id}-{cseq}"
    head = (
        f"{method} {uri} SIP/2.0\r\n"
        f"Via: SIP/2.0/{flow.transport.upper()} 10.9.9.9:5099;rport;branch={branch}\r\n"
        f"From: <sip:alice@example.org>;tag=far\r\nTo: {to}\r\nCall-ID: {call_id}\r\n"
        f"CSeq: {cseq} {method}\r\nContact: <sip:alice@10.9.9.9:5099>\r\nMax-Forwards: 70\r\n"
        f"{headers}Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def invite(call_id: str = "c1", *, flow: Flow = PHONE, headers: str = "", branch: str = "") -> bytes:
    """An INVITE of a far end."""
    return request("INVITE", call_id, flow=flow, headers=headers, body=SDP, branch=branch)


def response(got: SipMessage, status: int, reason: str, *, card: int = 0, body: bytes = SDP) -> bytes:
    """What a card answers to a request it got."""
    lines = [f"SIP/2.0 {status} {reason}".encode()]
    for key, name, value in got.fields:
        if key in (b"via", b"record-route", b"from", b"call-id", b"cseq"):
            lines.append(name + b": " + value)
        elif key == b"to":
            lines.append(b"To: " + value + (b"" if b"tag=" in value else b";tag=card"))
    if status // 100 == 2:
        lines.append(b"Contact: <sip:100@127.0.0.1:%d;ob>" % (6000 + card))
        lines.append(b"Content-Type: application/sdp\r\nContent-Length: %d" % len(body))
        return b"\r\n".join(lines) + b"\r\n\r\n" + body
    return b"\r\n".join(lines) + b"\r\nContent-Length: 0\r\n\r\n"


def card_request(
    method: str,
    call_id: str = "c1",
    *,
    card: int = 0,
    uri: str = "sip:alice@10.9.9.9:5099",
    routes: tuple[bytes, ...] = (),
    to_tag: str = "far",
    cseq: int = 5,
    body: bytes = b"",
) -> bytes:
    """A request of a card."""
    to = "<sip:alice@example.org>" + (f";tag={to_tag}" if to_tag else "")
    route_lines = b"".join(b"Route: " + route + b"\r\n" for route in routes)
    head = (
        f"{method} {uri} SIP/2.0\r\n"
        f"Via: SIP/2.0/UDP 127.0.0.1:{6000 + card};rport;branch=z9hG4bKcard{cseq}\r\n"
        f"From: <sip:100@{PUBLIC}>;tag=card\r\nTo: {to}\r\nCall-ID: {call_id}\r\nCSeq: {cseq} {method}\r\n"
        f"Contact: <sip:100@127.0.0.1:{6000 + card};ob>\r\nMax-Forwards: 70\r\n"
    )
    return head.encode() + route_lines + b"Content-Length: %d\r\n\r\n" % len(body) + body


def to_card(commands: list[Command]) -> tuple[int, SipMessage]:
    """The one message that goes to a card; the card and the message."""
    sends = [command for command in commands if isinstance(command, SendToCard)]
    assert len(sends) == len(commands) == 1, commands
    return sends[0].port - 6000, parse(sends[0].data)


def to_outside(commands: list[Command]) -> tuple[Flow, SipMessage]:
    """The one message that goes outside."""
    sends = [command for command in commands if isinstance(command, SendOutside)]
    assert len(sends) == len(commands) == 1, commands
    return sends[0].flow, parse(sends[0].data)


def all_outside(commands: list[Command]) -> list[tuple[Flow, SipMessage]]:
    """All messages, all of them for the outside."""
    return [to_outside([command]) for command in commands]


def to_resolve(commands: list[Command]) -> Resolve:
    """The one name to look up."""
    assert len(commands) == 1
    assert isinstance(commands[0], Resolve)
    return commands[0]

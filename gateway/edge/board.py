"""What the routing rules share: the books, our face, the counters, and the commands they produce. Pure."""

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final

from gateway.core.ids import CardId
from gateway.edge.commands import Command, Flow, SendOutside, SendToCard
from gateway.edge.face import Face
from gateway.edge.message import SipMessage
from gateway.edge.records import CallRecords
from gateway.edge.replies import Headers, ReplyTo
from gateway.edge.retransmit import Key, Retransmitter
from gateway.edge.slots import Slots
from gateway.edge.syntax import param, parse_via

CARD_PACKET_BYTES: Final = 3999
"""The pjsua2 wheel is built with PJSIP_MAX_PKT_LEN 4000; what is longer it cuts off without a word."""

CARD_ECHO_BYTES: Final = 2200
"""Via, Record-Route, From and To return in every response, which has the same limit and an SDP."""

_ECHOED: Final = frozenset((b"via", b"record-route", b"from", b"to", b"call-id", b"cseq"))


class Admission(Enum):
    """Whether new calls may come."""

    OPEN = auto()
    NOT_READY = auto()
    """No core, or not yet."""
    DRAINING = auto()


@dataclass(slots=True)
class Board:
    """Shared by the rules for the two directions."""

    face: Face
    slots: Slots
    secret: bytes
    server: bytes
    """Value of Server and User-Agent in messages of our own."""
    admission: Admission = Admission.NOT_READY
    records: CallRecords = field(default_factory=CallRecords)
    repeats: Retransmitter = field(default_factory=Retransmitter)
    counters: Counter[str] = field(default_factory=Counter)
    connections: set[int] = field(default_factory=set)
    """TCP connections that are open."""
    outbox: list[Command] = field(default_factory=list)

    def take(self) -> list[Command]:
        """The commands since the last time."""
        commands, self.outbox = self.outbox, []
        return commands

    def drop(self, why: str) -> None:
        """A message goes nowhere."""
        self.counters["sip_dropped_total"] += 1
        self.counters[f"sip_dropped_{why}_total"] += 1

    def send(self, flow: Flow, data: bytes) -> None:
        """To the outside."""
        self.outbox.append(SendOutside(flow, data))

    def tag(self, reply_to: ReplyTo) -> bytes:
        """Our To tag: the same for a retransmission, without remembering it (RFC 3261 §8.2.7)."""
        seed = reply_to.call_id + b"|" + reply_to.from_
        return hashlib.blake2b(seed, key=self.secret, digest_size=8).hexdigest().encode()

    def reply(self, flow: Flow, reply_to: ReplyTo, status: int, headers: Headers = ()) -> None:
        """Answer a request of the outside, once; a request that is repeated is answered again."""
        self.counters[f"sip_answered_{status}_total"] += 1
        data = reply_to.response(status, self.tag(reply_to), self.server, headers)
        self.send(answer_flow(flow, reply_to.vias[0]), data)

    def reply_until_ack(
        self, flow: Flow, reply_to: ReplyTo, key: Key, status: int, now: float, headers: Headers = ()
    ) -> None:
        """Final answer to an INVITE that got a 100 and is therefore not repeated any more."""
        self.counters[f"sip_answered_{status}_total"] += 1
        data = reply_to.response(status, self.tag(reply_to), self.server, headers)
        self.outbox.append(self.repeats.send(key, answer_flow(flow, reply_to.vias[0]), data, now))

    def to_card(self, card: CardId, message: SipMessage) -> bool:
        """False if the card is gone or can't take a message of that size."""
        port = self.slots.port_of(card)
        data = message.pack()
        if port is None or not fits_card(message, data):
            return False
        self.outbox.append(SendToCard(port, data))
        return True


def invite_key(call_id: bytes, cseq: int) -> Key:
    """Names the final answer to an INVITE until its ACK."""
    return (b"final", call_id, b"%d" % cseq)


def fits_card(message: SipMessage, data: bytes) -> bool:
    """Whether a card can take this message, and answer it."""
    if len(data) <= CARD_ECHO_BYTES:
        return True
    echoed = sum(len(name) + len(value) + 4 for key, name, value in message.fields if key in _ECHOED)
    return len(data) <= CARD_PACKET_BYTES and (bool(message.status) or echoed <= CARD_ECHO_BYTES)


def answer_flow(flow: Flow, via_value: bytes) -> Flow:
    """Where a response goes (RFC 3261 §18.2.2, RFC 3581 §4): back the way it came, to the port that
    the Via asks for.
    """
    via = parse_via(via_value)
    if via is None or flow.transport != "udp" or param(via.params, b"rport") is not None:
        return flow
    return flow._replace(port=via.port)

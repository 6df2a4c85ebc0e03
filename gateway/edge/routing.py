"""The SIP dispatcher: messages in, commands out. Pure, time injected.

Theory of operation. The edge is a record-routing proxy between far ends and cards, stateless
towards transactions: the branch of its Via is a keyed hash of the branch below it, so that a
retransmission, its CANCEL and the ACK of its failure leave as their request did. What it does
remember, by Call-ID, is which card a call is on; everything else comes back in the messages:
the socket in our Via (`;ec=`), the card in our Record-Route and Contact (`;c=`).

    far end ── Via far ──► edge ── Via inner;ec=socket · Record-Route inner, outer ──► card
    far end ◄── Contact and SDP with our public address ── edge ◄── 127.0.0.1 everywhere ── card
"""

from collections import Counter

from gateway.core.ids import CardId
from gateway.edge.board import Admission, Board
from gateway.edge.commands import Command, Flow, Resolve
from gateway.edge.face import Face
from gateway.edge.inward import Inward
from gateway.edge.message import MessageError, SipMessage, parse
from gateway.edge.outward import Outward
from gateway.edge.replies import ReplyTo
from gateway.edge.slots import Slots
from gateway.edge.teardown import end_calls
from gateway.edge.wants import Wants
from gateway.wire.edge import CardStatus


class Router:
    """A sans-IO machine; every `handle_…` returns what its shell has to send or look up."""

    def __init__(self, face: Face, slots: Slots, *, secret: bytes, server: bytes) -> None:
        self._board = Board(face, slots, secret, server)
        self._inward = Inward(self._board)
        self._outward = Outward(self._board)
        self._wants = Wants(self._board)

    @property
    def admission(self) -> Admission:
        """Whether new calls may come."""
        return self._board.admission

    @admission.setter
    def admission(self, admission: Admission) -> None:
        self._board.admission = admission

    @property
    def counters(self) -> Counter[str]:
        """Monotonic counters by name."""
        return self._board.counters

    @property
    def parked(self) -> int:
        """INVITEs that wait for a card."""
        return self._inward.parked

    @property
    def waiting(self) -> int:
        """Calls in either direction that wait for a card."""
        return self._inward.parked + self._wants.waiting

    def connections_in_use(self) -> set[int]:
        """TCP connections that live calls need."""
        return self._board.records.connections()

    # ---- messages ----------------------------------------------------------------------------

    def handle_outside(self, data: bytes, flow: Flow, now: float) -> list[Command]:
        """A message from a far end."""
        if not data.strip(b"\r\n\0 "):
            return []  # keep-alive
        message = self._parse(data, flow)
        if message is not None and message.method:
            self.counters[f"sip_rx_{_label(message.method)}_total"] += 1
            self._inward.handle(message, flow, now)
        elif message is not None:
            self._outward.handle_outside_response(message, flow, now)
        return self._board.take()

    def handle_oversized(self, head: bytes, flow: Flow) -> list[Command]:
        """The header section of a message that is too long to be read."""
        self.counters["sip_oversized_total"] += 1
        try:
            request: SipMessage | None = parse(head)
        except MessageError as exc:
            request = exc.answerable
        if request is not None and request.method not in (b"", b"ACK"):
            self._board.reply(flow, ReplyTo.of(request), 513)
        return self._board.take()

    def handle_inside(self, data: bytes, sip_port: int, now: float) -> list[Command]:
        """A message from a loopback port; only cards are listened to."""
        card = self._board.slots.card_at(sip_port)
        self.counters["sip_rx_inside_total"] += 1
        if card is None:
            self._board.drop("unknown_card")
            return self._board.take()
        try:
            message = parse(data)
        except MessageError:
            self.counters["sip_malformed_inside_total"] += 1
            return self._board.take()
        if message.method:
            self._outward.handle_request(message, card, now)
        else:
            self._outward.handle_response(message, card, now)
        return self._board.take()

    def handle_resolved(self, resolve: Resolve, address: str | None, now: float) -> list[Command]:
        """The answer to a `Resolve` command."""
        self._outward.handle_resolved(resolve, address, now)
        return self._board.take()

    # ---- events ------------------------------------------------------------------------------

    def handle_connected(self, connection: int) -> None:
        """A TCP connection is open."""
        self._board.connections.add(connection)

    def handle_disconnected(self, connection: int) -> None:
        """A TCP connection is gone."""
        self._board.connections.discard(connection)

    def handle_status(self, status: CardStatus, now: float) -> list[Command]:
        """A card's own account of its calls."""
        ended = self._board.slots.card_reported(status, now)
        if ended is None:
            self._board.drop("unknown_status")
            return self._board.take()
        self._end(ended, now)
        self._place(now)
        return self._board.take()

    def handle_slot_wanted(self, request: int, now: float) -> list[Command]:
        """The core wants to place a call."""
        self._wants.want(request, now, ahead=self.parked)
        return self._board.take()

    def handle_slot_released(self, request: int, now: float) -> list[Command]:
        """It does not, after all."""
        self._wants.release(request, now)
        self._place(now)
        return self._board.take()

    def handle_core_lost(self, now: float) -> list[Command]:
        """Nobody is there to place calls."""
        self._wants.release_all(now)
        self._place(now)
        return self._board.take()

    def handle_card_death(self, card: CardId, now: float) -> list[Command]:
        """A card's process has ended."""
        end_calls(self._board, self._board.slots.card_gone(card), now)
        self._place(now)
        return self._board.take()

    def _place(self, now: float) -> None:
        self._inward.place_parked(now)
        if not self.parked:
            self._wants.place(now)

    # ---- time --------------------------------------------------------------------------------

    def next_deadline(self) -> float | None:
        """When `handle_timeout` has to be called at the latest."""
        board = self._board
        parts = (self._inward, self._wants, board.repeats, board.records)
        times = (part.next_deadline() for part in parts)
        return min((time for time in times if time is not None), default=None)

    def handle_timeout(self, now: float) -> list[Command]:
        """Whatever is due; also call it every second or so for slots that nobody took up."""
        self._inward.handle_timeout(now)
        self._wants.handle_timeout(now)
        self._board.outbox += self._board.repeats.handle_timeout(now)
        self._board.records.handle_timeout(now)
        self._end(self._board.slots.expire_reserved(now), now)
        self._place(now)
        return self._board.take()

    def _end(self, call_ids: list[str], now: float) -> None:
        for call_id in call_ids:
            record = self._board.records.get(call_id.encode("ascii", "replace"))
            if record is not None:
                self._board.records.end(record, now)

    def _parse(self, data: bytes, flow: Flow) -> SipMessage | None:
        self.counters["sip_rx_total"] += 1
        try:
            return parse(data)
        except MessageError as exc:
            self.counters["sip_malformed_total"] += 1
            request = exc.answerable
            if request is not None and request.method != b"ACK":
                self._board.reply(flow, ReplyTo.of(request), 400)
            return None


_COUNTED = (b"INVITE", b"ACK", b"BYE", b"CANCEL", b"OPTIONS", b"REGISTER")


def _label(method: bytes) -> str:
    """Bounded label of a method for counters."""
    return method.decode("ascii").lower() if method in _COUNTED else "other"

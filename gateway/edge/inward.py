"""The rules for what comes from the outside. Pure, time injected.

A request within a dialog goes to the card of its Call-ID, an INVITE to a card with room, everything
else is answered here: nothing that a card would not use ever reaches native code.
"""

from collections import OrderedDict
from typing import Final

from gateway.core.ids import CardId
from gateway.edge.board import Admission, Board, invite_key
from gateway.edge.commands import Flow
from gateway.edge.hop import count_hop, refusal, stamp_via
from gateway.edge.message import SipMessage
from gateway.edge.records import CallPhase, CallRecord
from gateway.edge.replies import METHODS_SERVED, Headers, ReplyTo
from gateway.edge.slots import NoSlot
from gateway.edge.syntax import param, tag_of
from gateway.wire.edge import PEER_HEADER, RECEIVED_HEADER

PARK_S: Final = 3.0
"""How long an INVITE may wait for a card that is being started."""
MAX_PARKED: Final = 256

_PEER: Final = PEER_HEADER.encode()
_RECEIVED: Final = RECEIVED_HEADER.encode()
_PRIVATE: Final = (_PEER.lower(), _RECEIVED.lower())
_WITHIN_DIALOG: Final = frozenset((b"BYE", b"PRACK", b"UPDATE", b"INFO"))
_NOT_SERVED: Final = frozenset((b"REGISTER", b"SUBSCRIBE", b"NOTIFY", b"PUBLISH", b"MESSAGE", b"REFER"))
_REFRESHES: Final = frozenset((b"INVITE", b"UPDATE"))
_ALLOW: Final[Headers] = ((b"Allow", METHODS_SERVED),)
_ABLE: Final[Headers] = (*_ALLOW, (b"Accept", b"application/sdp"))
_BUSY: Final[Headers] = ((b"Retry-After", b"2"),)
_UNREADY: Final[dict[Admission, Headers]] = {
    Admission.NOT_READY: ((b"Retry-After", b"1"),),
    Admission.DRAINING: ((b"Retry-After", b"30"),),
}


class Inward:
    """Requests of the outside."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._parked: OrderedDict[bytes, float] = OrderedDict()
        """Call-ID → time the wait ends."""

    @property
    def parked(self) -> int:
        """INVITEs that wait for a card."""
        return len(self._parked)

    def handle(self, request: SipMessage, flow: Flow, now: float) -> None:
        """One well-formed request."""
        board = self._board
        if not stamp_via(request, flow):
            board.counters["sip_malformed_total"] += 1
            return board.drop("via")
        request.remove(*_PRIVATE)
        refused = refusal(request)
        if refused:
            if request.method == b"ACK":
                return board.drop("ack")
            return board.reply(flow, ReplyTo.of(request), *refused)
        hint = self._card_named(request)
        request.remove(b"route")  # a card is always the last hop
        count_hop(request)
        record = board.records.get(request.call_id)
        if tag_of(request.get(b"to") or b""):
            return self._within_dialog(request, flow, record, hint)
        if request.method == b"INVITE":
            return self._invite(request, flow, record, now)
        if request.method == b"CANCEL":
            return self._cancel(request, flow, record, now)
        if request.method == b"ACK":
            if record is None or record.card is None:
                board.repeats.stop(invite_key(request.call_id, request.cseq))
                return board.drop("ack")
            return self._forward(request, flow, record.card)
        return self._elsewhere(request, flow)

    def place_parked(self, now: float) -> None:
        """A card has room: the longest waiting first."""
        while self._parked:
            call_id = next(iter(self._parked))
            record = self._board.records.get(call_id)
            if record is None or record.invite is None:
                del self._parked[call_id]
                continue
            card = self._board.slots.reserve(record.key, now)
            if card is NoSlot.NO_CARD:
                return
            del self._parked[call_id]
            if isinstance(card, NoSlot):
                self._refuse_parked(record, 503, now, _BUSY)
            else:
                self._offer(record, record.invite, card, now)

    def next_deadline(self) -> float | None:
        """When the longest waiting INVITE has waited enough."""
        return next(iter(self._parked.values())) if self._parked else None

    def handle_timeout(self, now: float) -> None:
        """Refuse what has waited too long."""
        while self._parked and next(iter(self._parked.values())) <= now:
            call_id, _ = self._parked.popitem(last=False)
            record = self._board.records.get(call_id)
            if record is not None:
                self._board.counters["calls_refused_busy_total"] += 1
                self._refuse_parked(record, 503, now, _BUSY)

    # ---- kinds of requests -------------------------------------------------------------------

    def _within_dialog(
        self, request: SipMessage, flow: Flow, record: CallRecord | None, hint: CardId | None
    ) -> None:
        board = self._board
        card = record.card if record is not None else hint
        if card is None or board.slots.port_of(card) is None:
            if request.method == b"ACK":
                board.repeats.stop(invite_key(request.call_id, request.cseq))
                return board.drop("ack")
            return board.reply(flow, ReplyTo.of(request), 481)
        if request.method == b"REFER":
            # It would have a card call somebody by itself.
            board.counters["transfers_refused_total"] += 1
            return board.reply(flow, ReplyTo.of(request), 603)
        if request.method == b"NOTIFY" and (record is None or not record.referred):
            return board.reply(flow, ReplyTo.of(request), 481)
        if record is not None and record.phase is CallPhase.UP and self._from_far_end(request, record):
            record.flow = flow
            if request.method in _REFRESHES:
                record.learn_target(request)
        return self._forward(request, flow, card)

    def _invite(self, request: SipMessage, flow: Flow, record: CallRecord | None, now: float) -> None:
        board = self._board
        if record is not None:
            branch = board.face.branch(request.all(b"via")[0], request)
            if record.is_retransmission(request, branch):
                return self._repeated_invite(request, flow, record)
            if record.phase is not CallPhase.ENDED:
                return board.reply(flow, ReplyTo.of(request), 482)
        if board.admission is not Admission.OPEN:
            board.counters["calls_refused_unready_total"] += 1
            return board.reply(flow, ReplyTo.of(request), 503, _UNREADY[board.admission])
        record = self._new_record(request, flow)
        request.insert(len(request.fields), _PEER, str(flow).encode())
        request.insert(len(request.fields), _RECEIVED, b"%.6f" % now)
        if board.slots.live_calls + self.parked >= board.slots.max_calls:
            return self._busy(record)
        card = board.slots.reserve(record.key, now)
        if not isinstance(card, NoSlot):
            board.records.add(record)
            return self._offer(record, request, card, now)
        if card is NoSlot.FULL or self.parked >= MAX_PARKED:
            return self._busy(record)
        return self._park(record, request, now)

    def _repeated_invite(self, request: SipMessage, flow: Flow, record: CallRecord) -> None:
        if record.phase is CallPhase.PARKED:
            return self._board.reply(flow, ReplyTo.of(request), 100)
        if record.card is None:
            return self._board.drop("repeated")  # the final answer is being repeated already
        self._add_record_route(request, flow, record.card)
        return self._forward(request, flow, record.card)

    def _cancel(self, request: SipMessage, flow: Flow, record: CallRecord | None, now: float) -> None:
        board = self._board
        if record is not None and record.phase is CallPhase.PARKED:
            board.reply(flow, ReplyTo.of(request), 200)
            self._parked.pop(record.call_id, None)
            return self._refuse_parked(record, 487, now)
        if record is None or record.card is None:
            return board.reply(flow, ReplyTo.of(request), 481)
        return self._forward(request, flow, record.card)

    def _elsewhere(self, request: SipMessage, flow: Flow) -> None:
        board, reply_to = self._board, ReplyTo.of(request)
        if request.method == b"OPTIONS":
            if board.admission is Admission.OPEN:
                return board.reply(flow, reply_to, 200, _ABLE)
            return board.reply(flow, reply_to, 503, _UNREADY[board.admission])
        if request.method in _WITHIN_DIALOG:
            return board.reply(flow, reply_to, 481)
        return board.reply(flow, reply_to, 405 if request.method in _NOT_SERVED else 501, _ALLOW)

    # ---- towards a card ----------------------------------------------------------------------

    def _new_record(self, request: SipMessage, flow: Flow) -> CallRecord:
        vias = request.all(b"via")
        record = CallRecord(
            call_id=request.call_id,
            phase=CallPhase.OFFERED,
            inbound=True,
            flow=flow,
            from_tag=tag_of(request.get(b"from") or b""),
            cseq=request.cseq,
            branch=self._board.face.branch(vias[0], request),
            reply_to=ReplyTo.of(request),
            direct=len(vias) == 1 and request.index(b"record-route") is None,
        )
        record.learn_target(request)
        return record

    def _offer(self, record: CallRecord, request: SipMessage, card: CardId, now: float) -> None:
        board = self._board
        parked = record.phase is CallPhase.PARKED
        record.phase, record.card, record.invite = CallPhase.OFFERED, card, None
        self._add_record_route(request, record.flow, card)
        self._add_via(request, record.flow)
        if board.to_card(card, request):
            board.counters["calls_offered_total"] += 1
            return None
        board.slots.release_reserved(record.key, now)
        if parked:
            record.card = None
            return self._refuse_parked(record, 513, now)
        board.records.remove(record)
        return board.reply(record.flow, record.reply_to, 513)

    def _park(self, record: CallRecord, request: SipMessage, now: float) -> None:
        record.phase, record.invite, record.trying_sent = CallPhase.PARKED, request, True
        self._board.records.add(record)
        self._parked[record.call_id] = now + PARK_S
        self._board.counters["calls_parked_total"] += 1
        self._board.reply(record.flow, record.reply_to, 100)

    def _refuse_parked(self, record: CallRecord, status: int, now: float, headers: Headers = ()) -> None:
        board = self._board
        board.reply_until_ack(
            record.flow, record.reply_to, invite_key(record.call_id, record.cseq), status, now, headers
        )
        board.records.end(record, now)

    def _busy(self, record: CallRecord) -> None:
        self._board.counters["calls_refused_busy_total"] += 1
        self._board.reply(record.flow, record.reply_to, 503, _BUSY)

    def _forward(self, request: SipMessage, flow: Flow, card: CardId) -> None:
        reply_to = ReplyTo.of(request)
        self._add_via(request, flow)
        if self._board.to_card(card, request):
            return None
        if request.method == b"ACK":
            return self._board.drop("ack")
        gone = self._board.slots.port_of(card) is None
        return self._board.reply(flow, reply_to, 481 if gone else 513)

    def _add_via(self, request: SipMessage, flow: Flow) -> None:
        position = request.index(b"via") or 0
        branch = self._board.face.branch(request.fields[position][2], request)
        request.insert(position, b"Via", self._board.face.inner_via(flow, branch))

    def _add_record_route(self, request: SipMessage, flow: Flow, card: CardId) -> None:
        position = request.index(b"record-route")
        if position is None:
            position = request.index(b"via") or 0
        for value in reversed(self._board.face.record_routes(flow, card, outwards=False)):
            request.insert(position, b"Record-Route", value)

    def _card_named(self, request: SipMessage) -> CardId | None:
        face = self._board.face
        for value in [*request.all(b"route"), b"<" + request.uri + b">"]:
            uri = face.own_route(value)
            name = param(uri.params, b"c") if uri else None
            if name and name.isdigit() and len(name) < 6:
                return CardId(int(name))
        return None

    def _from_far_end(self, request: SipMessage, record: CallRecord) -> bool:
        return tag_of(request.get(b"from") or b"") == tag_of(record.remote) and tag_of(
            request.get(b"to") or b""
        ) == tag_of(record.local)

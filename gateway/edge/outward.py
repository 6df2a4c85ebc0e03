"""The rules for what comes from a card. Pure, time injected.

Responses go back by the Via; requests go where their dialog's flow, their Route or their URI says,
dressed in our public face.
"""

import ipaddress

from gateway.core.ids import CardId
from gateway.edge.board import Board
from gateway.edge.commands import Flow, Resolve, SendToCard, Transport
from gateway.edge.message import SipMessage
from gateway.edge.records import CallPhase, CallRecord
from gateway.edge.replies import ReplyTo
from gateway.edge.syntax import SipUri, address_uri, param, parse_uri, parse_via, tag_of
from gateway.edge.teardown import finish_invite


class Outward:
    """Requests and responses of the cards, and the responses of the outside to their requests."""

    def __init__(self, board: Board) -> None:
        self._board = board

    # ---- responses ---------------------------------------------------------------------------

    def handle_response(self, response: SipMessage, card: CardId, now: float) -> None:
        """A card's response."""
        board = self._board
        flow = self._response_flow(response)
        if flow is None:
            return board.drop("stray_response")
        record = board.records.get(response.call_id)
        if response.status == 100 and record is not None and record.trying_sent:
            return None
        if record is not None and response.cseq_method == b"INVITE" and response.status >= 200:
            self._final_to_invite(record, response, now)
        board.face.dress(response, flow, card)
        return board.send(flow, response.pack())

    def handle_outside_response(self, response: SipMessage, flow: Flow, now: float) -> None:
        """The outside's response to a request that a card, or the edge for a dead card, has sent."""
        board = self._board
        position = response.index(b"via") or 0
        own = parse_via(response.fields[position][2])
        branch = param(own.params, b"branch") if own else None
        if own is None or not branch or not board.face.is_own(own.host.decode("latin-1").lower(), own.port):
            return board.drop("stray_response")
        del response.fields[position]
        following = response.get(b"via")
        record = board.records.get(response.call_id)
        if record is not None and response.cseq_method == b"INVITE" and record.bereft_of(branch):
            return finish_invite(board, record, response, now)
        if following is None:
            if response.status < 200 or not board.repeats.stop((b"own", branch)):
                board.drop("stray_response")
            return None
        via = parse_via(following)
        if via is None or branch != board.face.branch(following, response):
            return board.drop("stray_response")
        card = board.slots.card_at(via.port)
        if card is None:
            return board.drop("stray_response")
        if response.cseq_method == b"INVITE":
            self._keep_in_reach(record, response, card)
            if record is not None:
                self._answer_from_outside(record, response, flow, now)
        if not board.to_card(card, response):
            board.drop("oversized_response")
        return None

    def _response_flow(self, response: SipMessage) -> Flow | None:
        """Takes our Via off; where the next one says that the response goes."""
        position = response.index(b"via") or 0
        own = parse_via(response.fields[position][2])
        if own is None or not self._board.face.is_inner_via(own):
            return None
        del response.fields[position]
        following = response.get(b"via")
        via = parse_via(following) if following else None
        if via is None or following is None:
            return None
        if param(own.params, b"branch") != self._board.face.branch(following, response):
            return None
        address = (param(via.params, b"received") or via.host).decode("latin-1")
        rport = param(via.params, b"rport")
        port = int(rport) if rport and rport.isdigit() else via.port
        return Flow.from_token(param(own.params, b"ec") or b"", address, port)

    def _final_to_invite(self, record: CallRecord, response: SipMessage, now: float) -> None:
        if record.phase is not CallPhase.OFFERED or response.cseq != record.cseq:
            return
        if response.status >= 300:
            self._board.slots.release_reserved(record.key, now)
            self._board.records.end(record, now)
            return
        record.phase = CallPhase.UP
        record.local = response.get(b"to") or b""
        record.remote = response.get(b"from") or b""
        record.routes = self._foreign(response)

    def _answer_from_outside(self, record: CallRecord, response: SipMessage, flow: Flow, now: float) -> None:
        if record.inbound:
            if response.status // 100 == 2:
                record.learn_target(response)
            return
        if flow.transport == "tcp":
            record.flow = flow
        if record.phase is CallPhase.OFFERED and response.cseq == record.cseq and response.status >= 300:
            self._board.slots.release_reserved(record.key, now)
            self._board.records.end(record, now)
        elif response.status // 100 == 2:
            record.phase = CallPhase.UP if record.phase is CallPhase.OFFERED else record.phase
            record.learn_dialog(response, self._foreign(response)[::-1])

    def _keep_in_reach(self, record: CallRecord | None, response: SipMessage, card: CardId) -> None:
        """PJSIP aborts when it can't send ACK: its next hop must be us, and Contact a SIP URI."""
        face = self._board.face
        contact = response.get(b"contact")
        if contact is not None and response.status < 300:
            uri = parse_uri(address_uri(contact))
            if uri is None or uri.scheme != b"sip":
                response.remove(b"contact")
                self._board.counters["sip_contact_removed_total"] += 1
        if record is None or record.inbound or response.cseq != record.cseq or response.status < 101:
            return
        if not any(face.is_inner_route(value) for value in response.all(b"record-route")):
            position = (response.index(b"via") or 0) + len(response.all(b"via"))
            for value in reversed(face.record_routes(record.flow, card, outwards=True)):
                response.insert(position, b"Record-Route", value)

    def _foreign(self, response: SipMessage) -> tuple[bytes, ...]:
        return self._board.face.foreign_routes(response)

    # ---- requests ----------------------------------------------------------------------------

    def handle_request(self, request: SipMessage, card: CardId, now: float) -> None:
        """A card's request."""
        board = self._board
        if request.get(b"max-forwards") == b"0":
            return board.drop("hops")
        self._strip_own_routes(request)
        record = board.records.get(request.call_id)
        if record is not None and request.method == b"REFER":
            record.referred = True
        hop = self._next_hop(request, record)
        if isinstance(hop, Flow):
            return self._leave(request, card, hop, now)
        if hop is None:
            if request.method == b"ACK":
                return board.drop("ack")
            return self._refuse(request, card, 416)
        transport = self._transport(hop)
        board.outbox.append(Resolve(hop.host, hop.port, transport, request, card))
        return None

    def handle_resolved(self, resolve: Resolve, address: str | None, now: float) -> None:
        """The address of a host name, None when there is none."""
        if address is not None:
            return self._leave(resolve.message, resolve.card, self._flow(resolve, address), now)
        if resolve.message.method == b"ACK":
            return self._board.drop("ack")
        return self._refuse(resolve.message, resolve.card, 503)

    def _leave(self, request: SipMessage, card: CardId, flow: Flow, now: float) -> None:
        face = self._board.face
        position = request.index(b"via") or 0
        branch = face.branch(request.fields[position][2], request)
        if request.method == b"INVITE" and not tag_of(request.get(b"to") or b""):
            self._remember(request, card, flow, branch, now)
            for value in reversed(face.record_routes(flow, card, outwards=True)):
                request.insert(request.index(b"record-route") or position, b"Record-Route", value)
            position = request.index(b"via") or 0
        request.insert(position, b"Via", face.outer_via(flow, branch))
        face.dress(request, flow, card)
        self._board.send(flow, request.pack())

    def _remember(self, invite: SipMessage, card: CardId, flow: Flow, branch: bytes, now: float) -> None:
        board = self._board
        known = board.records.get(invite.call_id)
        if known is not None and known.phase is not CallPhase.ENDED:
            return
        record = CallRecord(
            call_id=invite.call_id,
            phase=CallPhase.OFFERED,
            inbound=False,
            flow=flow,
            from_tag=tag_of(invite.get(b"from") or b""),
            cseq=invite.cseq,
            branch=branch,
            reply_to=ReplyTo.of(invite),
            card=card,
            local=invite.get(b"from") or b"",
            remote=invite.get(b"to") or b"",
            target=invite.uri,
            routes=tuple(invite.all(b"route")),
        )
        board.records.add(record)
        board.slots.claim(record.key, card, now)
        if known is None:  # else it is the same call with an answer to a challenge
            board.counters["calls_placed_total"] += 1

    def _strip_own_routes(self, request: SipMessage) -> None:
        own = self._board.face.own_route
        request.fields = [field for field in request.fields if field[0] != b"route" or own(field[2]) is None]

    def _next_hop(self, request: SipMessage, record: CallRecord | None) -> Flow | SipUri | None:
        if record is not None and record.flow.connection in self._board.connections:
            return record.flow
        if record is not None and _belongs_to_invite(request, record):
            return record.flow
        route = request.get(b"route")
        if route is None and record is not None and record.direct and record.flow.transport == "udp":
            return record.flow
        uri = parse_uri(address_uri(route) if route is not None else request.uri)
        if uri is None or uri.scheme != b"sip":
            return None
        try:
            ipaddress.IPv4Address(uri.host)
        except ipaddress.AddressValueError:
            return uri
        return self._flow(Resolve(uri.host, uri.port, self._transport(uri), request, CardId(0)), uri.host)

    def _transport(self, uri: SipUri) -> Transport:
        wanted: Transport = "tcp" if (param(uri.params, b"transport") or b"").lower() == b"tcp" else "udp"
        if self._board.face.listener_for(wanted) is None:
            return "tcp" if wanted == "udp" else "udp"
        return wanted

    def _flow(self, resolve: Resolve, address: str) -> Flow:
        listener = self._board.face.listener_for(resolve.transport) or 0
        return Flow(resolve.transport, listener, 0, address, resolve.port)

    def _refuse(self, request: SipMessage, card: CardId, status: int) -> None:
        """Answer a card's request; loopback loses nothing, so once is enough."""
        board = self._board
        reply_to = ReplyTo.of(request)
        port = board.slots.port_of(card)
        if port is not None:
            data = reply_to.response(status, board.tag(reply_to), board.server)
            board.outbox.append(SendToCard(port, data))


def _belongs_to_invite(request: SipMessage, record: CallRecord) -> bool:
    """CANCEL, and the ACK of a refusal, go where their INVITE went (RFC 3261 §9.1, §17.1.1.3)."""
    unanswered = not record.inbound and record.phase in (CallPhase.OFFERED, CallPhase.ENDED)
    return unanswered and request.method in (b"CANCEL", b"ACK")

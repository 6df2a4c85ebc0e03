"""Ends the calls of a card that has died, towards their far ends. Pure, time injected.

An established call gets a BYE made from what the edge has seen of its dialog, an unanswered one its
final response (or, when the card was the caller, a CANCEL). Afterwards the far end's own requests
get 481.
"""

import hashlib
import ipaddress
from typing import Final

from gateway.edge.board import Board, invite_key
from gateway.edge.commands import Flow
from gateway.edge.message import SipMessage
from gateway.edge.records import CallPhase, CallRecord
from gateway.edge.replies import OwnRequest
from gateway.edge.syntax import address_uri, parse_uri

BYE_CSEQ: Final = 1 << 30
"""Above anything the card may have used, below the limit of 2**31 (RFC 3261 §8.1.1.5)."""


def end_calls(board: Board, call_ids: list[str], now: float) -> None:
    """The card that held these calls is gone."""
    for call_id in call_ids:
        record = board.records.get(call_id.encode("ascii", "replace"))
        if record is None or record.phase is CallPhase.ENDED:
            continue
        record.card = None
        if record.phase is CallPhase.UP:
            _bye(board, record, now)
        elif record.inbound:
            key = invite_key(record.call_id, record.cseq)
            board.reply_until_ack(record.flow, record.reply_to, key, 500, now)
        else:
            _cancel(board, record, now)
        board.counters["calls_lost_with_card_total"] += 1
        board.records.end(record, now)


def finish_invite(board: Board, record: CallRecord, response: SipMessage, now: float) -> None:
    """The outside answers an INVITE whose card is gone: acknowledge it, and hang up what was accepted."""
    if response.status < 200 or response.cseq != record.cseq:
        return board.drop("stray_response")
    if response.status >= 300:
        return _acknowledge(board, record, response, record.flow, record.branch)
    record.learn_dialog(response, board.face.foreign_routes(response)[::-1])
    seed = b"ack|" + record.call_id
    branch = b"z9hG4bK" + hashlib.blake2b(seed, key=board.secret, digest_size=12).hexdigest().encode()
    _acknowledge(board, record, response, _dialog_flow(board, record), branch)
    return _bye(board, record, now)


def _acknowledge(board: Board, record: CallRecord, response: SipMessage, flow: Flow, branch: bytes) -> None:
    """ACK of a final response (RFC 3261 §17.1.1.3, §13.2.2.4)."""
    request = OwnRequest(
        method=b"ACK",
        uri=record.target,
        via=board.face.outer_via(flow, branch),
        from_=record.local,
        to=response.get(b"to") or b"",
        call_id=record.call_id,
        cseq=record.cseq,
        routes=record.routes,
    )
    board.send(flow, request.pack(board.server))


def _bye(board: Board, record: CallRecord, now: float) -> None:
    flow = _dialog_flow(board, record)
    seed = b"bye|" + record.call_id
    branch = b"z9hG4bK" + hashlib.blake2b(seed, key=board.secret, digest_size=12).hexdigest().encode()
    request = OwnRequest(
        method=b"BYE",
        uri=record.target or address_uri(record.remote),
        via=board.face.outer_via(flow, branch),
        from_=record.local,
        to=record.remote,
        call_id=record.call_id,
        cseq=BYE_CSEQ,
        routes=record.routes,
    )
    board.outbox.append(board.repeats.send((b"own", branch), flow, request.pack(board.server), now))


def _cancel(board: Board, record: CallRecord, now: float) -> None:
    request = OwnRequest(
        method=b"CANCEL",
        uri=record.target,
        via=board.face.outer_via(record.flow, record.branch),
        from_=record.local,
        to=record.remote,
        call_id=record.call_id,
        cseq=record.cseq,
        routes=record.routes,
    )
    data = request.pack(board.server)
    board.outbox.append(board.repeats.send((b"own", record.branch), record.flow, data, now))


def _dialog_flow(board: Board, record: CallRecord) -> Flow:
    """Where a request within the dialog goes; a host name is not looked up, the known flow serves."""
    if record.flow.connection in board.connections:
        return record.flow
    if record.flow.transport == "udp" and record.direct and not record.routes:
        return record.flow
    uri = parse_uri(address_uri(record.routes[0]) if record.routes else record.target)
    anew = record.flow._replace(connection=0)
    if uri is None:
        return anew
    try:
        ipaddress.IPv4Address(uri.host)
    except ipaddress.AddressValueError:
        return anew
    return anew._replace(address=uri.host, port=uri.port)

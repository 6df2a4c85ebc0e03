"""Who may talk to whom through the relay: addresses of clients, ports of cards. Pure, time injected.

Theory of operation. A *flow* is a client's address (or TCP connection) that has proved to a card that
it knows the password of a peer; a *route* says which flow of a peer gets what its card sends. Both are
nothing but a cache: every Binding request names its peer anew.

    unknown    Only Binding requests with an ufrag that we signed go to the card, each remembered with its
               transaction id. The card's answer goes back if it is not longer than the request.
    confirmed  The card answered such a request with success. What the client sends now goes to the card.
    routed     It was the first one of its peer; or it asks with USE-CANDIDATE; or the routed one has been
               silent; or it shakes hands (DTLS): a browser with several addresses nominates each of them
               until one is answered, and shakes hands over the one that it has chosen. What the card
               sends now goes to the client, up to three times of what came from it (as in RFC 9000
               section 8.1), because its address may still be forged.
    proved     It answered a request of the card with the right transaction id, or came by TCP: it does
               receive what we send. No limit any more.

A request that has been answered with success is remembered: whoever overhears it and sends it again
from elsewhere gets nothing. An address that is in use for one peer is not moved to another one.
"""

from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Final

from gateway.edge.relay.stun import (
    BINDING_REQUEST,
    BINDING_SUCCESS,
    message_type,
    parse_request,
    transaction,
)
from gateway.wire.ufrag import decode

Client = tuple[str, int] | int
"""Address and port, or the number of a TCP connection."""

IDLE_S: Final = 30.0
"""A flow without a word from its client is forgotten; browsers check theirs every 2.5 s."""
SILENT_S: Final = 1.0
"""A routed client that is silent for this long makes room for another address of the same peer."""
ABANDONED_S: Final = 5.0
"""A full table gives up who has been silent for this long: two checks of a browser's have not come."""
ANSWER_S: Final = 5.0
"""A card's answer that comes later is not waited for."""
MAX_ASKED: Final = 4096
FLOWS_PER_PEER: Final = 8
SEEN_PER_PEER: Final = 512
OPEN_CHALLENGES: Final = 16
UNPROVED_FACTOR: Final = 3
_HANDSHAKE: Final = 22
"""First byte of a DTLS record that shakes hands (RFC 6347 section 4.1)."""


@dataclass(slots=True)
class _Asked:
    """A Binding request that a card has not answered yet."""

    client: Client
    size_bytes: int
    credit_bytes: int
    """What no flow has counted as received yet."""
    nominated: bool
    at: float


@dataclass(slots=True, eq=False)
class _Flow:
    client: Client
    port: int
    heard_at: float
    proved: bool
    received_bytes: int = 0
    sent_bytes: int = 0


@dataclass(slots=True)
class _Peer:
    """What is known of one port of a card."""

    routed: _Flow
    flows: list[_Flow] = field(default_factory=list)
    seen: dict[bytes, Client] = field(default_factory=dict)
    """Transactions that the card answered with success, oldest first."""
    challenges: deque[bytes] = field(default_factory=lambda: deque(maxlen=OPEN_CHALLENGES))
    """Transactions of the card's own requests to the routed client."""
    talking: bool = False
    """Media has come: no more hands are shaken."""

    def route(self, flow: _Flow) -> None:
        """Give the downlink to another flow."""
        self.routed = flow
        self.challenges.clear()


class FlowTable:
    """Says where each datagram goes; the datagrams themselves are never changed."""

    def __init__(self, secret: bytes, *, max_flows: int) -> None:
        """secret: what ufrags are signed with."""
        self._secret = secret
        self._max_flows = max_flows
        self._flows: dict[Client, _Flow] = {}
        self._peers: dict[int, _Peer] = {}
        self._asked: dict[tuple[int, bytes], _Asked] = {}
        self.counters: Counter[str] = Counter()

    @property
    def flows(self) -> int:
        """Clients' addresses that are confirmed."""
        return len(self._flows)

    @property
    def peers(self) -> int:
        """Peers that have a route."""
        return len(self._peers)

    def confirmed(self, client: Client) -> bool:
        """Whether a card has confirmed this client."""
        return client in self._flows

    def to_card(self, client: Client, data: bytes, now: float) -> int | None:
        """Port of the card that `data` from a client is for; None to drop it."""
        first = data[0] if data else 255
        if first < 4:
            return self._stun_to_card(client, data, now)
        flow = self._flows.get(client)
        if flow is None:
            self._drop("unconfirmed")
            return None
        # RFC 7983 section 7: DTLS, or RTP and RTCP.
        if not (128 <= first < 192 or 20 <= first < 64):
            self._drop("foreign")
            return None
        flow.heard_at = now
        flow.received_bytes += len(data)
        peer = self._peers[flow.port]
        if first >= 128:
            peer.talking = True
        elif first == _HANDSHAKE and flow is not peer.routed and not peer.talking:
            self._switch(peer, flow)
        return flow.port

    def to_client(self, port: int, data: bytes, now: float) -> Client | None:
        """The client that `data` from a card's port is for; None to drop it."""
        peer = self._peers.get(port)
        if data and data[0] < 4:
            kind = message_type(data)
            if kind == BINDING_REQUEST:
                if peer is not None:
                    peer.challenges.append(transaction(data))
            elif kind is not None:
                asked = self._asked.pop((port, transaction(data)), None)
                if asked is not None:
                    return self._answer(port, asked, data, kind == BINDING_SUCCESS, now)
        if peer is None:
            self._drop("unrouted")
            return None
        return self._send(peer.routed, len(data))

    def forget(self, client: Client) -> None:
        """A TCP connection is gone."""
        flow = self._flows.get(client)
        if flow is not None:
            self._remove(flow)

    def sweep(self, now: float) -> None:
        """Forget what is over; once in a while."""
        for flow in [each for each in self._flows.values() if now - each.heard_at >= IDLE_S]:
            self.counters["relay_flows_expired_total"] += 1
            self._remove(flow)
        self._forget_asked(now)

    # ---- towards the card ------------------------------------------------------------------------

    def _stun_to_card(self, client: Client, data: bytes, now: float) -> int | None:
        kind = message_type(data)
        if kind is None:
            self._drop("malformed")
            return None
        if kind == BINDING_REQUEST:
            return self._request_to_card(client, data, now)
        flow = self._flows.get(client)
        if flow is None:
            self._drop("unconfirmed")
            return None
        flow.heard_at = now
        flow.received_bytes += len(data)
        peer = self._peers[flow.port]
        if kind == BINDING_SUCCESS and peer.routed is flow and transaction(data) in peer.challenges:
            flow.proved = True
        return flow.port

    def _request_to_card(self, client: Client, data: bytes, now: float) -> int | None:
        request = parse_request(data)
        port = decode(request.ufrag, self._secret) if request is not None else None
        if request is None or port is None:
            self._drop("refused")
            return None
        key = (port, transaction(data))
        if self._is_replay(client, key):
            self._drop("replayed")
            return None
        flow = self._flows.get(client)
        credit_bytes = len(data)
        if flow is not None and flow.port == port:
            flow.heard_at = now
            flow.received_bytes += len(data)
            credit_bytes = 0
        earlier = self._asked.pop(key, None)  # sent again
        if earlier is not None:
            credit_bytes += earlier.credit_bytes
        if len(self._asked) >= MAX_ASKED:
            del self._asked[next(iter(self._asked))]
            self.counters["relay_asked_overflow_total"] += 1
        self._asked[key] = _Asked(client, len(data), credit_bytes, request.nominated, now)
        return port

    def _is_replay(self, client: Client, key: tuple[int, bytes]) -> bool:
        asked = self._asked.get(key)
        peer = self._peers.get(key[0])
        owner = asked.client if asked is not None else peer.seen.get(key[1]) if peer is not None else None
        return owner is not None and owner != client

    # ---- towards the client ----------------------------------------------------------------------

    def _answer(self, port: int, asked: _Asked, data: bytes, success: bool, now: float) -> Client | None:
        if success:
            self._confirm(port, asked, transaction(data), now)
        flow = self._flows.get(asked.client)
        if flow is not None and flow.port == port:
            if flow.proved or len(data) <= asked.size_bytes:
                return self._send(flow, len(data))
        elif len(data) <= asked.size_bytes:
            return asked.client
        self._drop("amplifying")
        return None

    def _send(self, flow: _Flow, size_bytes: int) -> Client | None:
        if not flow.proved and flow.sent_bytes + size_bytes > UNPROVED_FACTOR * flow.received_bytes:
            self._drop("unproved")
            return None
        flow.sent_bytes += size_bytes
        return flow.client

    def _confirm(self, port: int, asked: _Asked, answered: bytes, now: float) -> None:
        flow = self._flow_for(port, asked, now)
        if flow is None:
            return
        peer = self._peers.get(port)
        if peer is None:
            peer = self._peers[port] = _Peer(flow)
            self.counters["relay_routes_total"] += 1
        if flow not in peer.flows:
            peer.flows.append(flow)
        if flow is not peer.routed and (asked.nominated or now - peer.routed.heard_at >= SILENT_S):
            self._switch(peer, flow)
        peer.seen[answered] = asked.client
        if len(peer.seen) > SEEN_PER_PEER:
            del peer.seen[next(iter(peer.seen))]

    def _flow_for(self, port: int, asked: _Asked, now: float) -> _Flow | None:
        flow = self._flows.get(asked.client)
        if flow is not None and flow.port == port:
            flow.received_bytes += asked.credit_bytes
            return flow
        if flow is not None:
            if self._peers[flow.port].routed is flow and now - flow.heard_at < SILENT_S:
                self._drop("occupied")
                return None
            self._remove(flow)
        self._make_room(port)
        if len(self._flows) >= self._max_flows and not self._give_up_silent(now):
            self._drop("full")
            return None
        flow = _Flow(asked.client, port, now, isinstance(asked.client, int), asked.credit_bytes)
        self._flows[asked.client] = flow
        self.counters["relay_flows_total"] += 1
        return flow

    # ---- books -----------------------------------------------------------------------------------

    def _switch(self, peer: _Peer, flow: _Flow) -> None:
        peer.route(flow)
        self.counters["relay_route_switches_total"] += 1

    def _make_room(self, port: int) -> None:
        """One peer can't fill the table: its most silent address goes."""
        peer = self._peers.get(port)
        if peer is not None and len(peer.flows) >= FLOWS_PER_PEER:
            others = [flow for flow in peer.flows if flow is not peer.routed]
            self._remove(min(others, key=lambda flow: flow.heard_at))

    def _give_up_silent(self, now: float) -> bool:
        """Short calls follow each other faster than their flows expire; False if all are in use."""
        silent = min(self._flows.values(), key=lambda flow: flow.heard_at)
        if now - silent.heard_at < ABANDONED_S:
            return False
        self.counters["relay_flows_expired_total"] += 1
        self._remove(silent)
        return True

    def _remove(self, flow: _Flow) -> None:
        del self._flows[flow.client]
        peer = self._peers[flow.port]
        peer.flows.remove(flow)
        if not peer.flows:
            del self._peers[flow.port]
        elif peer.routed is flow:
            peer.route(max(peer.flows, key=lambda each: each.heard_at))

    def _forget_asked(self, now: float) -> None:
        for key, asked in list(self._asked.items()):
            if now - asked.at < ANSWER_S:
                return  # the others are younger
            del self._asked[key]

    def _drop(self, why: str) -> None:
        self.counters[f"relay_dropped_{why}_total"] += 1

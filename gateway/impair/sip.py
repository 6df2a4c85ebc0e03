"""A forwarder for SIP over UDP that lets signalling pass and impairs the RTP and RTCP of its calls.

Phones use it as they would use the server. One call is one path: both of its directions have their own
chance and rate limit, which RTP and RTCP share. Media goes where the SDP says; ICE and several audio
streams per call are not for this.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from functools import partial
from typing import Final, Literal

from gateway.edge.message import MessageError, SipMessage, parse
from gateway.impair.forwarder import Forwarder, Lines, Way
from gateway.impair.impairment import Impairment
from gateway.impair.port import Address, PortError, UdpPort, host_towards
from gateway.impair.rewrite import Exchange, FarMedia, exchange_addresses, redirect_audio

MOST_CALLS: Final = 150
"""At once; the one set up longest ago makes room. Each takes four sockets."""
MOST_PHONES: Final = 300

_PAIR_TRIES: Final = 50
_Side = Literal["phone", "server"]
_OTHER: Final[dict[_Side, _Side]] = {"phone": "server", "server": "phone"}


@dataclass(frozen=True, slots=True)
class _Pair:
    rtp: UdpPort
    rtcp: UdpPort


@dataclass(slots=True)
class _Media:
    """The audio of one call."""

    number: int
    lines: Lines
    pairs: dict[_Side, _Pair] = field(default_factory=dict)
    """Our ports that face each side."""
    far: dict[_Side, FarMedia] = field(default_factory=dict)
    """Where each side wants its packets."""
    answered: bool = False


@dataclass(frozen=True, slots=True)
class _Phone:
    port: UdpPort
    """Faces the server; the server takes it for the phone."""
    inward: tuple[Exchange, Exchange]
    outward: tuple[Exchange, Exchange]


class SipImpairer(Forwarder):
    """`async with SipImpairer(("127.0.0.1", 0), server, up=..., down=...) as impairer: ...`"""

    def __init__(
        self,
        listen: Address,
        target: Address,
        *,
        up: Impairment | None = None,
        down: Impairment | None = None,
        seed: int = 1,
    ) -> None:
        """listen: port 0 takes any free one."""
        super().__init__(listen, target, up=up, down=down, seed=seed)
        self._phones: OrderedDict[Address, _Phone] = OrderedDict()
        self._calls: OrderedDict[bytes, _Media] = OrderedDict()

    def _from_client(self, packet: bytes, source: Address) -> None:
        phone = self._phones.get(source) or self._new_phone(source)
        self._phones.move_to_end(source)
        phone.port.send(self._rewritten(packet, "up", source, phone.inward), self._target)

    def _from_server(self, client: Address, packet: bytes, source: Address) -> None:
        phone = self._phones.get(client)
        if source == self._target and phone is not None:
            self._front.send(self._rewritten(packet, "down", client, phone.outward), client)

    def _new_phone(self, client: Address) -> _Phone:
        if len(self._phones) >= MOST_PHONES:
            _, silent = self._phones.popitem(last=False)
            self._close(silent.port)
        port = self._open(self._inner_host, 0, partial(self._from_server, client))
        own = (self._outer_host(client), self.address[1])
        phone = self._phones[client] = _Phone(
            port,
            (Exchange(client, port.address), Exchange(own, self._target)),
            (Exchange(port.address, client), Exchange(self._target, own)),
        )
        return phone

    def _outer_host(self, client: Address) -> str:
        host = self.address[0]
        return host_towards(client) if host == "0.0.0.0" else host

    def _rewritten(
        self, packet: bytes, way: Way, client: Address, exchanges: tuple[Exchange, Exchange]
    ) -> bytes:
        """A message for the other side; what is no SIP (keep-alives) passes as it is."""
        try:
            message = parse(packet)
        except MessageError:
            return packet
        if b"application/sdp" in (message.get(b"content-type") or b"").lower():
            self._redirect(message, way, client)
        exchange_addresses(message, *exchanges)
        self._follow(message)
        return message.pack()

    def _redirect(self, message: SipMessage, way: Way, client: Address) -> None:
        call = self._calls.get(message.call_id) or self._new_call(message.call_id, client)
        here: _Side = "phone" if way == "up" else "server"
        host, port = call.pairs[_OTHER[here]].rtp.address
        body, far = redirect_audio(message.body, host, port)
        message.set_body(body)
        if far is not None:
            call.far[here] = far

    def _follow(self, message: SipMessage) -> None:
        """Close a call's ports when a response tells that it is over."""
        call = self._calls.get(message.call_id)
        if call is None or message.status < 200:
            return
        if message.cseq_method == b"INVITE":
            call.answered |= message.status < 300
            if not call.answered:
                self._end(message.call_id)
        elif message.cseq_method == b"BYE":
            self._end(message.call_id)

    def _new_call(self, call_id: bytes, client: Address) -> _Media:
        if len(self._calls) >= MOST_CALLS:
            self._end(next(iter(self._calls)))
        number, lines = self._new_lines()
        call = self._calls[call_id] = _Media(number, lines)
        hosts: dict[_Side, str] = {"phone": self._outer_host(client), "server": self._inner_host}
        try:
            for side, host in hosts.items():
                call.pairs[side] = self._open_pair(call, side, host)
        except PortError:
            self._end(call_id)
            raise
        return call

    def _open_pair(self, call: _Media, side: _Side, host: str) -> _Pair:
        """An even port for RTP and the one above it. Raises `PortError` if there is none."""
        other = _OTHER[side]
        for _ in range(_PAIR_TRIES):
            rtp = self._open(host, 0, partial(self._media, call, other, "rtp"))
            if rtp.address[1] % 2 == 0:
                try:
                    above = self._open(host, rtp.address[1] + 1, partial(self._media, call, other, "rtcp"))
                except PortError:
                    self._close(rtp)
                    continue
                return _Pair(rtp, above)
            self._close(rtp)
        raise PortError(f"no two neighbouring ports free on {host}")

    def _media(
        self, call: _Media, to: _Side, kind: Literal["rtp", "rtcp"], packet: bytes, _source: Address
    ) -> None:
        far, pair = call.far.get(to), call.pairs.get(to)
        if far is not None and pair is not None:
            way: Way = "up" if to == "server" else "down"
            port, address = (pair.rtp, far.rtp) if kind == "rtp" else (pair.rtcp, far.rtcp)
            self._pass(call.lines[way], packet, port, address)

    def _end(self, call_id: bytes) -> None:
        call = self._calls.pop(call_id)
        self._retire(call.number)
        for pair in call.pairs.values():
            self._close(pair.rtp)
            self._close(pair.rtcp)

"""The sockets: public UDP and TCP, and the loopback UDP socket that faces the cards."""

import asyncio
import os
import socket
from collections import Counter
from collections.abc import Sequence
from typing import Final, Protocol

from gateway.edge.commands import Flow
from gateway.edge.face import LOOPBACK, Listener
from gateway.edge.rundir import CannotStartError
from gateway.edge.tcp import StreamReceiver, TcpConnection, TcpPool

RECEIVE_BUFFER_BYTES: Final = 4 << 20
_BACKLOG: Final = 256


class Receiver(StreamReceiver, Protocol):
    """Whoever takes what the sockets bring."""

    def on_inside(self, data: bytes, sip_port: int) -> None:
        """A datagram on the inner socket."""


class BoundSockets:
    """All sockets, bound and not yet read, so that a port in use shows before anything is started."""

    def __init__(self, listeners: Sequence[Listener]) -> None:
        """Raises `CannotStartError` naming the address that can't be had."""
        self.listeners = tuple(listeners)
        self.public: list[socket.socket] = []
        try:
            for listener in self.listeners:
                self.public.append(_bind(listener))
            self.inner = _udp_socket(LOOPBACK, 0)
        except CannotStartError:
            self.close()
            raise

    @property
    def inner_port(self) -> int:
        """Port of the inner socket."""
        return int(self.inner.getsockname()[1])

    def close(self) -> None:
        """Give everything back that no transport has taken over."""
        for each in self.public:
            each.close()


def _bind(listener: Listener) -> socket.socket:
    try:
        if listener.transport == "udp":
            return _udp_socket(listener.address, listener.port)
        tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tcp.bind((listener.address, listener.port))
            tcp.listen(_BACKLOG)
            tcp.setblocking(False)
        except OSError:
            tcp.close()
            raise
        return tcp
    except OSError as exc:
        raise CannotStartError(f"sip.listen {listener}: {os.strerror(exc.errno or 0).lower()}") from exc


def _udp_socket(address: str, port: int) -> socket.socket:
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        udp.bind((address, port))
    except OSError:
        udp.close()
        raise
    udp.setblocking(False)
    for option in ("SO_RCVBUFFORCE", "SO_RCVBUF"):  # the first one needs privileges
        number = getattr(socket, option, 33 if option == "SO_RCVBUFFORCE" else socket.SO_RCVBUF)
        try:
            udp.setsockopt(socket.SOL_SOCKET, number, RECEIVE_BUFFER_BYTES)
        except PermissionError:
            continue
        break
    return udp


class _PublicUdp(asyncio.DatagramProtocol):
    def __init__(self, receiver: Receiver, listener: int) -> None:
        self._receiver = receiver
        self._listener = listener

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._receiver.on_outside(data, Flow("udp", self._listener, 0, addr[0], addr[1]))


class _InnerUdp(asyncio.DatagramProtocol):
    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if addr[0] == LOOPBACK:
            self._receiver.on_inside(data, addr[1])


class Transports:
    """Sends; what comes in goes to the receiver."""

    def __init__(self, receiver: Receiver, counters: Counter[str]) -> None:
        self._receiver = receiver
        self._counters = counters
        self.tcp = TcpPool(receiver, counters)
        self._udp: dict[int, asyncio.DatagramTransport] = {}
        self._servers: list[asyncio.Server] = []
        self._inner: asyncio.DatagramTransport | None = None

    async def open(self, sockets: BoundSockets) -> None:
        """Begin to read."""
        loop = asyncio.get_running_loop()
        receiver = self._receiver
        self._inner, _ = await loop.create_datagram_endpoint(lambda: _InnerUdp(receiver), sock=sockets.inner)
        for index, (listener, bound) in enumerate(zip(sockets.listeners, sockets.public, strict=True)):
            if listener.transport == "udp":
                self._udp[index] = await self._open_udp(index, bound)
            else:
                self._servers.append(await self._open_tcp(index, bound))
        sockets.public.clear()

    async def _open_udp(self, index: int, bound: socket.socket) -> asyncio.DatagramTransport:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(
            lambda: _PublicUdp(self._receiver, index), sock=bound
        )
        return transport

    async def _open_tcp(self, index: int, bound: socket.socket) -> asyncio.Server:
        loop = asyncio.get_running_loop()
        return await loop.create_server(lambda: TcpConnection(self.tcp, index), sock=bound, backlog=_BACKLOG)

    def send(self, flow: Flow, data: bytes) -> None:
        """To the outside; what can't be sent is counted."""
        if flow.transport == "udp":
            transport = self._udp.get(flow.listener)
            sent = transport is not None
            if transport is not None:
                transport.sendto(data, (flow.address, flow.port))
        else:
            sent = self.tcp.send(flow, data)
        name = "sip_tx_total" if sent else "sip_dropped_unsendable_total"
        self._counters[name] += 1

    def send_to_card(self, port: int, data: bytes) -> None:
        """To a card."""
        if self._inner is not None:
            self._inner.sendto(data, (LOOPBACK, port))

    async def close(self) -> None:
        """Close every socket."""
        for server in self._servers:
            server.close()
        await self.tcp.close()
        for transport in [*self._udp.values(), *([self._inner] if self._inner else [])]:
            transport.close()

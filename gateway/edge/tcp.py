"""SIP over TCP: bounded connections, bounded messages, idle ones closed."""

import asyncio
import socket
import time
from collections import Counter
from typing import Final, Protocol, cast

from gateway.edge.commands import Flow
from gateway.edge.framing import StreamError, StreamFramer
from gateway.observe.log import get_logger

MAX_CONNECTIONS: Final = 1024
MAX_CONNECTIONS_PER_ADDRESS: Final = 128
MAX_UNSENT_BYTES: Final = 256 * 1024
FIRST_MESSAGE_S: Final = 30.0
"""A connection that has not said a whole message by then is closed; so is one stuck in a message."""
IDLE_S: Final = 900.0
CONNECT_S: Final = 5.0
MAX_WAITING_PER_PEER: Final = 32

log = get_logger()


class StreamReceiver(Protocol):
    """Whoever takes what comes over TCP."""

    def on_connected(self, connection: int) -> None:
        """A connection is open."""

    def on_disconnected(self, connection: int) -> None:
        """It is gone."""

    def on_outside(self, data: bytes, flow: Flow) -> None:
        """A whole message."""

    def on_oversized(self, head: bytes, flow: Flow) -> None:
        """The header section of one that is too long; the connection closes after the answer."""


class TcpConnection(asyncio.Protocol):
    """One connection, accepted or opened."""

    def __init__(self, pool: "TcpPool", listener: int) -> None:
        self._pool = pool
        self._listener = listener
        self._framer = StreamFramer()
        self._transport: asyncio.Transport | None = None
        self.flow = Flow("tcp", listener, 0, "", 0)
        self.active_at = time.monotonic()
        """Last whole message, at first the connection itself."""
        self.said_something = False

    @property
    def midway(self) -> bool:
        """Whether a message has begun and not ended."""
        return self._framer.midway

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask the pool for a place."""
        self._transport = transport = cast(asyncio.Transport, transport)  # uvloop's is none by inheritance
        address, port = (transport.get_extra_info("peername") or ("", 0))[:2]
        raw = transport.get_extra_info("socket")
        if raw is not None:
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.flow = Flow("tcp", self._listener, self._pool.next_serial(), address, port)
        if not self._pool.admit(self):
            transport.abort()

    def data_received(self, data: bytes) -> None:
        """Hand on every message that is complete."""
        try:
            framed = self._framer.feed(data)
        except StreamError as exc:
            self._pool.counted("sip_stream_broken_total")
            if exc.head:
                self._pool.receiver.on_oversized(exc.head, self.flow)
            self.close()
            return
        if framed.pings:
            self.send(b"\r\n" * min(framed.pings, 4))
            self.active_at = time.monotonic()
        for message in framed.messages:
            self.said_something, self.active_at = True, time.monotonic()
            self._pool.receiver.on_outside(message, self.flow)

    def connection_lost(self, exc: Exception | None) -> None:
        """Give the place back."""
        self._pool.forget(self)

    def send(self, data: bytes) -> bool:
        """False if the far end does not read; the connection is then given up."""
        if self._transport is None or self._transport.is_closing():
            return False
        if self._transport.get_write_buffer_size() > MAX_UNSENT_BYTES:
            self._transport.abort()
            return False
        self._transport.write(data)
        return True

    def close(self) -> None:
        """Close after what is still to be sent."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()


class TcpPool:
    """All TCP connections."""

    def __init__(self, receiver: StreamReceiver, counters: Counter[str]) -> None:
        self.receiver = receiver
        self._counters = counters
        self._serial = 0
        self._connections: dict[int, TcpConnection] = {}
        self._waiting: dict[tuple[str, int], list[bytes]] = {}
        """Messages for peers that a connection is being opened to."""
        self._opening: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._connections)

    def next_serial(self) -> int:
        """Number of a new connection; never used again."""
        self._serial += 1
        return self._serial

    def counted(self, name: str) -> None:
        """Count an event."""
        self._counters[name] += 1

    def admit(self, connection: TcpConnection) -> bool:
        """Keep a new connection if there is room."""
        address = connection.flow.address
        same = sum(1 for each in self._connections.values() if each.flow.address == address)
        if len(self._connections) >= MAX_CONNECTIONS or same >= MAX_CONNECTIONS_PER_ADDRESS:
            self.counted("sip_tcp_refused_total")
            return False
        self._connections[connection.flow.connection] = connection
        self.counted("sip_tcp_connections_total")
        self.receiver.on_connected(connection.flow.connection)
        return True

    def forget(self, connection: TcpConnection) -> None:
        """A connection is gone."""
        if self._connections.pop(connection.flow.connection, None) is not None:
            self.receiver.on_disconnected(connection.flow.connection)

    def send(self, flow: Flow, data: bytes) -> bool:
        """Over the flow's connection; a flow without one gets one."""
        connection = self._connections.get(flow.connection)
        if connection is not None:
            return connection.send(data)
        if flow.connection:
            return False
        for known in self._connections.values():
            if known.flow.address == flow.address and known.flow.port == flow.port:
                return known.send(data)
        return self._open(flow, data)

    def sweep(self, now: float, in_use: set[int]) -> None:
        """Close what says nothing; connections that live calls need stay."""
        for connection in list(self._connections.values()):
            silent_s = now - connection.active_at
            if not connection.said_something or connection.midway:
                over = silent_s > FIRST_MESSAGE_S
            else:
                over = silent_s > IDLE_S and connection.flow.connection not in in_use
            if over:
                self.counted("sip_tcp_idle_closed_total")
                connection.abort()

    async def close(self) -> None:
        """Close everything."""
        for task in self._opening:
            task.cancel()
        await asyncio.gather(*self._opening, return_exceptions=True)
        for connection in list(self._connections.values()):
            connection.close()

    def _open(self, flow: Flow, data: bytes) -> bool:
        peer = (flow.address, flow.port)
        if peer in self._waiting:
            if len(self._waiting[peer]) >= MAX_WAITING_PER_PEER:
                return False
            self._waiting[peer].append(data)
            return True
        if len(self._opening) + len(self._connections) >= MAX_CONNECTIONS:
            return False
        self._waiting[peer] = [data]
        task = asyncio.get_running_loop().create_task(self._connect(flow))
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)
        return True

    async def _connect(self, flow: Flow) -> None:
        peer = (flow.address, flow.port)
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(CONNECT_S):
                _, connection = await loop.create_connection(
                    lambda: TcpConnection(self, flow.listener), flow.address, flow.port
                )
        except (OSError, TimeoutError) as exc:
            self.counted("sip_tcp_connect_failed_total")
            log.info("no TCP connection", error=type(exc).__name__, personal={"peer": str(flow)})
            del self._waiting[peer]
            return
        connection.said_something = True  # we speak first
        for data in self._waiting.pop(peer):
            connection.send(data)

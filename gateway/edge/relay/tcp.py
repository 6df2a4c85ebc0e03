"""Clients that come by TCP because their network blocks UDP: bounded in number, time and backlog."""

import asyncio
import socket
import time
from collections.abc import Callable
from typing import Final, cast

from gateway.edge.relay.flows import FlowTable
from gateway.edge.relay.framing import Deframer, FramingError, frame

MAX_CONNECTIONS: Final = 512
MAX_CONNECTIONS_PER_ADDRESS: Final = 64
MAX_UNSENT_BYTES: Final = 64 * 1024
"""About ten seconds of one peer's audio; live audio that can't be sent in time is better lost."""
UNCONFIRMED_S: Final = 10.0
"""A connection that no card has confirmed by then is closed, and so is one whose flow has expired."""


class StreamConnection(asyncio.Protocol):
    """One TCP connection of a client."""

    def __init__(self, pool: "StreamPool", number: int) -> None:
        self._pool = pool
        self._deframer = Deframer()
        self._transport: asyncio.Transport | None = None
        self.number = number
        self.address = ""
        self.opened_at = time.monotonic()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask the pool for a place."""
        self._transport = transport = cast(asyncio.Transport, transport)  # uvloop's is none by inheritance
        self.address = str((transport.get_extra_info("peername") or ("",))[0])
        raw = transport.get_extra_info("socket")
        if raw is not None:
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if not self._pool.admit(self):
            transport.abort()

    def data_received(self, data: bytes) -> None:
        """Hand on every datagram that is complete."""
        try:
            datagrams = self._deframer.feed(data)
        except FramingError:
            self._pool.counted("relay_tcp_broken_total")
            self.abort()
            return
        now = time.monotonic()
        for each in datagrams:
            self._pool.on_datagram(self.number, each, now)

    def connection_lost(self, exc: Exception | None) -> None:
        """Give the place back."""
        self._pool.forget(self)

    def send(self, data: bytes) -> bool:
        """False if it can't be sent now."""
        if self._transport is None or self._transport.is_closing():
            return False
        if self._transport.get_write_buffer_size() > MAX_UNSENT_BYTES:
            return False
        self._transport.write(frame(data))
        return True

    def abort(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()


class StreamPool:
    """All TCP connections of a worker, by number."""

    def __init__(self, table: FlowTable, on_datagram: Callable[[int, bytes, float], None]) -> None:
        self.on_datagram = on_datagram
        self._table = table
        self._serial = 0
        self._connections: dict[int, StreamConnection] = {}

    def __len__(self) -> int:
        return len(self._connections)

    def connection(self) -> StreamConnection:
        """For a new connection; its number is never used again."""
        self._serial += 1
        return StreamConnection(self, self._serial)

    def counted(self, name: str) -> None:
        """Count an event."""
        self._table.counters[name] += 1

    def admit(self, connection: StreamConnection) -> bool:
        """Keep a new connection if there is room."""
        same = sum(1 for each in self._connections.values() if each.address == connection.address)
        if len(self._connections) >= MAX_CONNECTIONS or same >= MAX_CONNECTIONS_PER_ADDRESS:
            self.counted("relay_tcp_refused_total")
            return False
        self._connections[connection.number] = connection
        self.counted("relay_tcp_connections_total")
        return True

    def forget(self, connection: StreamConnection) -> None:
        """A connection is gone."""
        if self._connections.pop(connection.number, None) is not None:
            self._table.forget(connection.number)

    def send(self, number: int, data: bytes) -> None:
        """To a client; what it does not read in time is lost, and counted."""
        connection = self._connections.get(number)
        if connection is None or not connection.send(data):
            self.counted("relay_dropped_unsendable_total")

    def sweep(self, now: float) -> None:
        """Close what has no flow."""
        for connection in list(self._connections.values()):
            if now - connection.opened_at >= UNCONFIRMED_S and not self._table.confirmed(connection.number):
                self.counted("relay_tcp_idle_closed_total")
                connection.abort()

    def close(self) -> None:
        """Close everything."""
        for connection in list(self._connections.values()):
            connection.abort()

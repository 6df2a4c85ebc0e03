"""A relay worker: moves datagrams between its sockets as the flow table says."""

import asyncio
import socket
import time
from typing import Final

from gateway.edge.face import LOOPBACK
from gateway.edge.relay.flows import Client, FlowTable
from gateway.edge.relay.framing import MAX_DATAGRAM_BYTES
from gateway.edge.relay.ports import WorkerSockets
from gateway.edge.relay.tcp import StreamPool

SWEEP_S: Final = 1.0
_BATCH: Final = 64
"""Datagrams taken from one socket before the others get their turn."""


class RelayWorker:
    """Owns nothing but its table; the sockets are lent."""

    def __init__(self, sockets: WorkerSockets, table: FlowTable) -> None:
        self._sockets = sockets
        self._table = table
        self._streams = StreamPool(table, self._from_client)
        self._counters = table.counters

    async def run(self, leave: asyncio.Event) -> None:
        """Relay until `leave`."""
        loop = asyncio.get_running_loop()
        loop.add_reader(self._sockets.udp, self._on_public)
        loop.add_reader(self._sockets.inner, self._on_inner)
        server = await loop.create_server(self._streams.connection, sock=self._sockets.tcp)
        try:
            while not await _set_within(leave, SWEEP_S):
                now = time.monotonic()
                self._table.sweep(now)
                self._streams.sweep(now)
        finally:
            loop.remove_reader(self._sockets.udp)
            loop.remove_reader(self._sockets.inner)
            server.close()
            self._streams.close()

    def snapshot(self) -> dict[str, float]:
        """Counters and gauges by name."""
        return {
            **self._counters,
            "relay_flows": self._table.flows,
            "relay_peers": self._table.peers,
            "relay_tcp_connections": len(self._streams),
        }

    def _on_public(self) -> None:
        receive = self._sockets.udp.recvfrom
        now = time.monotonic()
        for _ in range(_BATCH):
            try:
                data, client = receive(MAX_DATAGRAM_BYTES + 1)
            except BlockingIOError:
                return
            self._from_client(client, data, now)

    def _from_client(self, client: Client, data: bytes, now: float) -> None:
        self._counters["relay_up_total"] += 1
        if len(data) > MAX_DATAGRAM_BYTES:
            self._counters["relay_dropped_oversized_total"] += 1
            return
        port = self._table.to_card(client, data, now)
        if port is not None:
            self._send(self._sockets.inner, data, (LOOPBACK, port))

    def _on_inner(self) -> None:
        receive = self._sockets.inner.recvfrom
        now = time.monotonic()
        for _ in range(_BATCH):
            try:
                data, (address, port) = receive(MAX_DATAGRAM_BYTES + 1)
            except BlockingIOError:
                return
            self._counters["relay_down_total"] += 1
            if len(data) > MAX_DATAGRAM_BYTES:
                self._counters["relay_dropped_oversized_total"] += 1
            elif address == LOOPBACK:
                self._from_card(port, data, now)

    def _from_card(self, port: int, data: bytes, now: float) -> None:
        client = self._table.to_client(port, data, now)
        if isinstance(client, int):
            self._streams.send(client, data)
        elif client is not None:
            self._send(self._sockets.udp, data, client)

    def _send(self, through: socket.socket, data: bytes, to: tuple[str, int]) -> None:
        try:
            through.sendto(data, to)
        except OSError:  # full buffers, no route: what UDP loses
            self._counters["relay_dropped_unsendable_total"] += 1


async def _set_within(event: asyncio.Event, limit_s: float) -> bool:
    try:
        async with asyncio.timeout(limit_s):
            await event.wait()
    except TimeoutError:
        return False
    return True

"""A UDP socket on the running event loop, read in small portions."""

import asyncio
import os
import socket
from collections.abc import Callable
from typing import Final

from gateway.errors import LocalError

Address = tuple[str, int]
"""IPv4 address and port."""

OnPacket = Callable[[bytes, Address], None]

_PORTION: Final = 64
"""Packets read before others have their turn."""
_LARGEST_BYTES: Final = 65_535
_BUFFER_BYTES: Final = 1 << 20


class PortError(LocalError):
    """A local address that can't be had."""


def host_towards(target: Address) -> str:
    """The local address that packets to a target leave from. Raises `PortError`."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(target)  # sends nothing
        except OSError as exc:
            problem = os.strerror(exc.errno or 0).lower()
            raise PortError(f"no way to {target[0]}:{target[1]}: {problem}") from exc
        return str(probe.getsockname()[0])


def _bound(address: Address) -> socket.socket:
    made: socket.socket | None = None
    try:
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        made.bind(address)
    except OSError as exc:
        if made is not None:
            made.close()
        problem = os.strerror(exc.errno or 0).lower()
        raise PortError(f"cannot listen on {address[0]}:{address[1]}: {problem}") from exc
    return made


class UdpPort:
    """Open from the start until `close`."""

    def __init__(self, address: Address, on_packet: OnPacket) -> None:
        """address: port 0 takes any free one. Raises `PortError`."""
        self.unsent = 0
        """Packets that the system would not take."""
        self._on_packet = on_packet
        self._loop = asyncio.get_running_loop()
        self._socket = _bound(address)
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
        self._loop.add_reader(self._socket, self._read)

    @property
    def address(self) -> Address:
        """Where it listens."""
        host, port = self._socket.getsockname()
        return host, port

    def send(self, packet: bytes, to: Address) -> None:
        """At once or not at all."""
        if self._socket.fileno() < 0:
            return
        try:
            self._socket.sendto(packet, to)
        except OSError:
            # A full buffer or an unreachable network: to the far end a lost packet like any other.
            self.unsent += 1

    def _read(self) -> None:
        for _ in range(_PORTION):
            try:
                packet, source = self._socket.recvfrom(_LARGEST_BYTES)
            except BlockingIOError:
                return
            except OSError:
                continue  # an ICMP error about an earlier packet
            self._on_packet(packet, source)
            if self._socket.fileno() < 0:
                return

    def close(self) -> None:
        """Give the port back; idempotent."""
        if self._socket.fileno() >= 0:
            self._loop.remove_reader(self._socket)
            self._socket.close()

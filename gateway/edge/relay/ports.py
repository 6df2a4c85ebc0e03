"""The relay's sockets. The edge binds and keeps them, so that a worker's death closes none of them:
what arrives meanwhile waits in the kernel, and cards see the same inner address afterwards.
"""

import ctypes
import os
import socket
import struct
from dataclasses import dataclass
from typing import Final

from gateway.config.webrtc import AddressPort
from gateway.edge.face import LOOPBACK
from gateway.edge.rundir import CannotStartError

RECEIVE_BUFFER_BYTES: Final = 4 << 20
_BACKLOG: Final = 256

_SO_RCVBUFFORCE: Final = 33
_SO_ATTACH_REUSEPORT_CBPF: Final = 51
_LOAD_WORD: Final = 0x20
_MODULO: Final = 0x94
_RETURN_A: Final = 0x16
_IPV4_SOURCE: Final = 0xFFFFFFFF - (1 << 20) + 1 + 12
"""SKF_NET_OFF (linux/filter.h) and the offset of the source address (RFC 791)."""


@dataclass(frozen=True, slots=True)
class WorkerSockets:
    """What one worker works with."""

    udp: socket.socket
    """Public, shared by SO_REUSEPORT."""
    tcp: socket.socket
    """Public, shared by SO_REUSEPORT, listening."""
    inner: socket.socket
    """On loopback; cards see all clients of the worker as this address."""

    @property
    def descriptors(self) -> tuple[int, int, int]:
        """In the order of the fields."""
        return self.udp.fileno(), self.tcp.fileno(), self.inner.fileno()

    def close(self) -> None:
        """Give the ports back."""
        for each in (self.udp, self.tcp, self.inner):
            each.close()


def bind(listen: AddressPort, workers: int) -> list[WorkerSockets]:
    """Sockets for every worker. Raises `CannotStartError` if the public port can't be had."""
    _must_be_free(listen)
    bound: list[WorkerSockets] = []
    try:
        for _ in range(workers):
            bound.append(_bind_one(listen))
        if workers > 1:
            _spread_by_address(bound[0].udp, workers)
    except OSError as exc:
        for each in bound:
            each.close()
        raise _cannot(listen, exc) from exc
    return bound


def _must_be_free(listen: AddressPort) -> None:
    """SO_REUSEPORT would let us share the port with another gateway of the same user."""
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, kind == socket.SOCK_STREAM)
            try:
                probe.bind((listen.address, listen.port))
            except OSError as exc:
                raise _cannot(listen, exc) from exc


def _cannot(listen: AddressPort, exc: OSError) -> CannotStartError:
    return CannotStartError(f"webrtc.listen {listen}: {os.strerror(exc.errno or 0).lower()}")


def _bind_one(listen: AddressPort) -> WorkerSockets:
    sockets: list[socket.socket] = []
    try:
        for kind, address, shared in (
            (socket.SOCK_DGRAM, (listen.address, listen.port), True),
            (socket.SOCK_STREAM, (listen.address, listen.port), True),
            (socket.SOCK_DGRAM, (LOOPBACK, 0), False),
        ):
            each = socket.socket(socket.AF_INET, kind)
            sockets.append(each)
            if shared:
                each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            if kind == socket.SOCK_STREAM:
                each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            else:
                _enlarge(each)
            each.bind(address)
            each.setblocking(False)
        sockets[1].listen(_BACKLOG)
    except OSError:
        for each in sockets:
            each.close()
        raise
    return WorkerSockets(*sockets)


def _enlarge(udp: socket.socket) -> None:
    try:
        udp.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, RECEIVE_BUFFER_BYTES)
    except PermissionError:
        udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)


def _spread_by_address(udp: socket.socket, workers: int) -> None:
    """Choose the worker by the client's address alone.

    The kernel's own choice includes the port, which a NAT may change in the middle of a call; the card
    would then see the peer at another worker's inner address.
    """
    program = b"".join(
        struct.pack("=HBBI", code, 0, 0, operand)
        for code, operand in ((_LOAD_WORD, _IPV4_SOURCE), (_MODULO, workers), (_RETURN_A, 0))
    )
    instructions = ctypes.create_string_buffer(program, len(program))
    head = struct.pack("@HP", 3, ctypes.addressof(instructions))
    udp.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_REUSEPORT_CBPF, head)

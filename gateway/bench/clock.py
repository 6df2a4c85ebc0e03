"""The callers' event loop: one thread, timers, and sockets that are read when a timer is due anyway.

It must cost next to nothing beside what it measures. The kernel notes when each datagram arrived
(SO_TIMESTAMPNS), so the loop need not wake up for it: it sleeps until the next timer, then reads all that
has come, and neither its own rhythm nor a busy machine spoils the measured times. All times are seconds of
the system's real-time clock, which is what the kernel stamps with.
"""

import heapq
import select
import socket
import struct
import time
from collections.abc import Callable
from itertools import count

_SO_TIMESTAMPNS = 35
"""From Linux's asm-generic/socket.h; the socket module does not name it."""
_TIMESPEC = struct.Struct("@ll")
_CONTROL_BYTES = socket.CMSG_SPACE(_TIMESPEC.size)
_DATAGRAM_BYTES = 4096

OnDatagram = Callable[[bytes, tuple[str, int], float], None]
"""Called with data, source and arrival time in seconds."""


class Socket:
    """A UDP socket of the loop."""

    __slots__ = ("_on_datagram", "_socket", "port")

    def __init__(self, host: str, on_datagram: OnDatagram) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        self._socket.bind((host, 0))
        self.port: int = self._socket.getsockname()[1]
        self._on_datagram = on_datagram

    def fileno(self) -> int:
        """For epoll."""
        return self._socket.fileno()

    def send(self, data: bytes, address: tuple[str, int]) -> bool:
        """Send a datagram; False when the kernel's buffer is full."""
        try:
            self._socket.sendto(data, address)
        except BlockingIOError:
            return False
        return True

    def receive(self) -> None:
        """Hand over one datagram that is waiting; the next one is due in the loop's next round."""
        data, ancillary, _, source = self._socket.recvmsg(_DATAGRAM_BYTES, _CONTROL_BYTES)
        arrived_s = time.time()
        for _, kind, value in ancillary:
            if kind == _SO_TIMESTAMPNS:
                seconds, nanoseconds = _TIMESPEC.unpack_from(value)
                arrived_s = seconds + nanoseconds * 1e-9
        self._on_datagram(data, source, arrived_s)

    def close(self) -> None:
        """Give the port back."""
        self._socket.close()


class Loop:
    """Sockets and timers of one thread."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._sockets: dict[int, Socket] = {}
        self._timers: list[tuple[float, int, Callable[[float], None]]] = []
        self._serial = count()

    def open_socket(self, host: str, on_datagram: OnDatagram) -> Socket:
        """Bind a free UDP port. Raises OSError."""
        opened = Socket(host, on_datagram)
        self._sockets[opened.fileno()] = opened
        self._epoll.register(opened.fileno(), select.EPOLLIN)
        return opened

    def close_socket(self, opened: Socket) -> None:
        """Close one socket."""
        self._epoll.unregister(opened.fileno())
        del self._sockets[opened.fileno()]
        opened.close()

    def call_at(self, when_s: float, action: Callable[[float], None]) -> None:
        """Call `action(now_s)` once, not before `when_s`."""
        heapq.heappush(self._timers, (when_s, next(self._serial), action))

    def run_until(self, done: Callable[[], bool], deadline_s: float) -> bool:
        """Serve sockets and timers until `done()`; False when the deadline came first."""
        while not done():
            now_s = time.time()
            if now_s >= deadline_s:
                return False
            wake_s = min(self._timers[0][0], deadline_s) if self._timers else deadline_s
            time.sleep(max(0.0, wake_s - now_s))
            self._receive_all()
            self._run_timers()
        return True

    def _receive_all(self) -> None:
        for fd, _ in self._epoll.poll(0):
            receiver = self._sockets.get(fd)
            if receiver is not None:  # else closed by what an earlier datagram of this round did
                receiver.receive()

    def _run_timers(self) -> None:
        now_s = time.time()
        while self._timers and self._timers[0][0] <= now_s:
            heapq.heappop(self._timers)[2](now_s)

    def close(self) -> None:
        """Close everything."""
        for opened in list(self._sockets.values()):
            self.close_socket(opened)
        self._epoll.close()

    def __enter__(self) -> "Loop":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

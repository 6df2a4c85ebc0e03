"""The card's side of the wire: a unix stream listener that serves one core at a time.

Nothing here blocks. Frames are gathered and leave in one `send` per `flush`; when the core does not
read, audio is dropped first (counted), and a core that lets even control messages pile up is cut off.
"""

import contextlib
import os
import socket
from collections import deque
from collections.abc import Callable
from typing import Protocol

from gateway.observe.log import get_logger
from gateway.wire.frames import FrameDecoder, FrameKind, WireError, pack_frame

_SOCKET_BUFFER_BYTES = 1 << 16
_HEARD_BACKLOG_BYTES = 1 << 15
"""Half a second of four legs; the socket holds about as much."""
_BACKLOG_BYTES = 1 << 18
_READ_BYTES = 1 << 16
_READS_PER_TURN = 4
"""A burst of audio must not delay the media clock."""


class Watcher(Protocol):
    """Who waits for descriptors."""

    def wake_on(self, fd: int, *, readable: bool = True, writable: bool = False) -> None:
        """Report readiness of a descriptor."""

    def wake_off(self, fd: int) -> None:
        """Stop reporting it."""


class LinkUser(Protocol):
    """Who uses the link."""

    def on_frame(self, kind: int, payload: bytes) -> None:
        """A frame of the core. May raise `WireError`."""

    def on_core_lost(self) -> None:
        """The connection ended; also when another one replaced it."""


class CoreLink:
    """Listener and the current connection."""

    def __init__(self, path: str, watcher: Watcher, user: LinkUser, hello: Callable[[], bytes]) -> None:
        self._watcher, self._user, self._hello = watcher, user, hello
        self._core: socket.socket | None = None
        self._decoder = FrameDecoder()
        self._backlog: deque[bytes] = deque()
        self._backlog_bytes = 0
        self._waiting = False
        self.heard_dropped = 0
        """HEARD frames thrown away because the core did not read."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        self._listener.bind(path)
        os.chmod(path, 0o600)
        self._listener.listen(4)
        watcher.wake_on(self._listener.fileno())

    @property
    def connected(self) -> bool:
        """Whether a core is there."""
        return self._core is not None

    def on_ready(self, fd: int) -> bool:
        """Serve a descriptor that is ready; False if it is none of ours."""
        if fd == self._listener.fileno():
            self._accept()
        elif self._core is not None and fd == self._core.fileno():
            self._read()
        else:
            return False
        return True

    def queue(self, frame: bytes) -> None:
        """Send a control frame with the next `flush`."""
        if self._core is None:
            return
        self._backlog.append(frame)
        self._backlog_bytes += len(frame)
        if self._backlog_bytes > _BACKLOG_BYTES:
            self._drop("the core does not read")

    def queue_heard(self, records: list[bytes]) -> None:
        """Send a tick's audio with the next `flush`, unless too much waits already."""
        if self._core is None or not records:
            return
        if self._backlog_bytes > _HEARD_BACKLOG_BYTES:
            self.heard_dropped += 1
            return
        self.queue(pack_frame(FrameKind.HEARD, b"".join(records)))

    def flush(self) -> None:
        """Send what is queued, as far as the socket takes it."""
        core = self._core
        if core is None or not self._backlog:
            return
        data = b"".join(self._backlog)
        self._backlog.clear()
        try:
            sent = core.send(data)
        except BlockingIOError:
            sent = 0
        except OSError as exc:
            self._drop(f"send failed: {exc.strerror}")
            return
        rest = data[sent:]
        self._backlog_bytes = len(rest)
        if rest:
            self._backlog.append(rest)
        if bool(rest) != self._waiting:
            self._waiting = bool(rest)
            self._watcher.wake_on(core.fileno(), writable=self._waiting)

    def drop(self, reason: str) -> None:
        """End the connection; the core may come again."""
        if self._core is not None:
            self._drop(reason)

    def _accept(self) -> None:
        try:
            core, _ = self._listener.accept()
        except BlockingIOError:
            return
        self.drop("another core connected")
        core.setblocking(False)
        core.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SOCKET_BUFFER_BYTES)
        self._core, self._decoder = core, FrameDecoder()
        self._watcher.wake_on(core.fileno())
        self.queue(self._hello())

    def _read(self) -> None:
        for _ in range(_READS_PER_TURN):
            core = self._core
            if core is None:
                return
            try:
                data = core.recv(_READ_BYTES)
            except BlockingIOError:
                return
            except OSError as exc:
                self._drop(f"receive failed: {exc.strerror}")
                return
            if not data:
                self._drop("the core closed the connection")
                return
            try:
                for kind, payload in self._decoder.feed(data):
                    self._user.on_frame(kind, payload)
                    if self._core is not core:
                        return
            except WireError as exc:
                self._drop(f"protocol error: {exc}")
                return
            if len(data) < _READ_BYTES:
                return

    def _drop(self, reason: str) -> None:
        core, self._core = self._core, None
        assert core is not None
        self._watcher.wake_off(core.fileno())
        core.close()
        self._backlog.clear()
        self._backlog_bytes, self._waiting = 0, False
        get_logger().info("core disconnected", reason=reason)
        self._user.on_core_lost()

"""The card's side of the wire: a unix stream listener that serves one core at a time.

Frames of one turn of the event loop leave in one write. When the core does not read, audio is dropped
first (counted), and a core that lets even control messages pile up is cut off.
"""

import asyncio
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol, cast

from gateway.observe.log import get_logger
from gateway.wire.frames import FrameDecoder, FrameKind, WireError, pack_frame

_HEARD_BACKLOG_BYTES: Final = 1 << 20
"""Half a second of sixty peers at 16 kHz."""
_BACKLOG_BYTES: Final = 4 << 20

log = get_logger()


class LinkUser(Protocol):
    """Who uses the link."""

    def on_frame(self, kind: int, payload: bytes) -> None:
        """A frame of the core. May raise `WireError`."""

    def on_core_lost(self) -> None:
        """The connection ended; also when another one replaced it."""


class _CoreConnection(asyncio.Protocol):
    def __init__(self, link: "CoreLink") -> None:
        self._link = link
        self._decoder = FrameDecoder()
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is none by inheritance
        self._link.connected(self)

    def data_received(self, data: bytes) -> None:
        try:
            for kind, payload in self._decoder.feed(data):
                if not self._link.received(self, kind, payload):
                    return
        except WireError as exc:
            self._link.drop(f"protocol error: {exc}")

    def connection_lost(self, exc: Exception | None) -> None:
        self._link.lost(self, str(exc) if exc else "the core closed the connection")


def _private_socket(path: Path) -> socket.socket:
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        listener.bind(str(path))
    except OSError:
        listener.close()
        raise
    finally:
        os.umask(before)
    return listener


class CoreLink:
    """Listener and the current connection."""

    def __init__(self, user: LinkUser, hello: Callable[[], bytes]) -> None:
        self._user, self._hello = user, hello
        self._core: _CoreConnection | None = None
        self._pending: list[bytes] = []
        self._loop = asyncio.get_running_loop()
        self._server: asyncio.Server | None = None
        self.heard_dropped = 0
        """HEARD frames thrown away because the core did not read."""

    async def listen(self, path: Path) -> None:
        """Serve on a socket of our own that only our user may open."""
        listener = _private_socket(path)
        self._server = await self._loop.create_unix_server(lambda: _CoreConnection(self), sock=listener)

    def close(self) -> None:
        """Stop serving; what is queued is still sent."""
        self._write()
        if self._server is not None:
            self._server.close()
        if self._core is not None and self._core.transport is not None:
            self._core.transport.close()

    def queue(self, frame: bytes) -> None:
        """Send a frame at the end of this turn of the event loop."""
        if self._core is None:
            return
        if not self._pending:
            self._loop.call_soon(self._write)
        self._pending.append(frame)

    def queue_heard(self, records: bytes) -> None:
        """Send a tick's audio, unless too much waits already."""
        transport = self._core.transport if self._core is not None else None
        if transport is None or not records:
            return
        if transport.get_write_buffer_size() > _HEARD_BACKLOG_BYTES:
            self.heard_dropped += 1
            return
        self.queue(pack_frame(FrameKind.HEARD, records))

    def drop(self, reason: str) -> None:
        """End the connection; the core may come again."""
        core, self._core = self._core, None
        self._pending.clear()
        if core is None:
            return
        if core.transport is not None:
            core.transport.abort()
        log.info("core disconnected", reason=reason)
        self._user.on_core_lost()

    # ---- from the connection -------------------------------------------------------------------

    def connected(self, core: _CoreConnection) -> None:
        """A core is there and replaces the one before."""
        self.drop("another core connected")
        self._core = core
        self.queue(self._hello())

    def received(self, core: _CoreConnection, kind: int, payload: bytes) -> bool:
        """A frame; False if the connection is not the current one (any more). Raises `WireError`."""
        if core is not self._core:
            return False
        self._user.on_frame(kind, payload)
        return core is self._core

    def lost(self, core: _CoreConnection, reason: str) -> None:
        """A connection is gone."""
        if core is self._core:
            self.drop(reason)

    def _write(self) -> None:
        pending, self._pending = self._pending, []
        transport = self._core.transport if self._core is not None else None
        if transport is None or not pending or transport.is_closing():
            return
        transport.write(b"".join(pending))
        if transport.get_write_buffer_size() > _BACKLOG_BYTES:
            self.drop("the core does not read")

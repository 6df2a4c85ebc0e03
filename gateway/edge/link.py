"""The unix sockets of the edge: the stream to the core, the datagrams of the cards."""

import asyncio
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol, cast

from gateway.observe.log import get_logger
from gateway.wire.edge import (
    CardStatus,
    CoreCannotStart,
    CoreHello,
    CoreReady,
    EdgeCounters,
    EdgeToCore,
    ReleaseSlot,
    WantSlot,
    pack_link,
    unpack_core_to_edge,
    unpack_status,
)
from gateway.wire.frames import WIRE_VERSION, FrameDecoder, WireError

EDGE_SOCKET: Final = "edge.sock"
STATUS_SOCKET: Final = "status.sock"
_MAX_UNSENT_BYTES: Final = 4 << 20
_MAX_UNANSWERED: Final = 5
"""Reports of one second each that a core may leave unanswered before it counts as hung."""

log = get_logger()


class CoreListener(Protocol):
    """Whoever deals with the core."""

    def on_core_connected(self) -> None:
        """A core has said hello; tell it which cards there are."""

    def on_core_ready(self) -> None:
        """It can take calls."""

    def on_core_cannot_start(self, message: str) -> None:
        """It can't, for a reason the operator has to know."""

    def on_core_message(self, message: WantSlot | ReleaseSlot) -> None:
        """It wants to place a call, or does not any more."""

    def on_core_hung(self) -> None:
        """It is there and does not answer."""

    def on_core_lost(self) -> None:
        """The connection is gone."""


class _CoreConnection(asyncio.Protocol):
    def __init__(self, link: "CoreLink") -> None:
        self._link = link
        self._decoder = FrameDecoder()
        self.greeted = False
        self.unanswered = 0
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is none by inheritance

    def data_received(self, data: bytes) -> None:
        try:
            for _, payload in self._decoder.feed(data):
                self._link.on_message(self, payload)
        except WireError as exc:
            log.error("core broke the protocol", error=str(exc))
            self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._link.on_lost(self)

    def close(self) -> None:
        if self.transport is not None:
            self.transport.abort()


class CoreLink:
    """Serves one core at a time: a new one that says hello replaces the old one."""

    def __init__(self, listener: CoreListener) -> None:
        self._listener = listener
        self._current: _CoreConnection | None = None
        self._server: asyncio.Server | None = None
        self._path = Path()

    @property
    def connected(self) -> bool:
        """Whether a core is there."""
        return self._current is not None

    async def open(self, run_dir: Path) -> None:
        """Listen on `run_dir`/edge.sock."""
        path = self._path = run_dir / EDGE_SOCKET
        path.unlink(missing_ok=True)
        loop = asyncio.get_running_loop()
        self._server = await loop.create_unix_server(lambda: _CoreConnection(self), path=str(path))
        os.chmod(path, 0o600)

    def send(self, message: EdgeToCore) -> None:
        """To the core, if there is one."""
        if self._current is None or self._current.transport is None:
            return
        transport = self._current.transport
        if transport.get_write_buffer_size() > _MAX_UNSENT_BYTES:
            log.error("core does not read")
            transport.abort()
            return
        transport.write(pack_link(message))
        if isinstance(message, EdgeCounters):
            self._current.unanswered += 1
            if self._current.unanswered > _MAX_UNANSWERED:
                log.error("core hangs", silent_s=self._current.unanswered - 1)
                self._listener.on_core_hung()

    async def close(self) -> None:
        """Stop listening, drop the core."""
        if self._server is not None:
            self._server.close()
            self._path.unlink(missing_ok=True)
        if self._current is not None:
            self._current.close()

    def on_message(self, connection: _CoreConnection, payload: bytes) -> None:
        """One message of a core. Raises `WireError`."""
        message = unpack_core_to_edge(payload)
        connection.unanswered = 0
        if isinstance(message, CoreHello):
            self._greet(connection, message)
        elif not connection.greeted:
            raise WireError("a message came before CoreHello")
        elif isinstance(message, CoreReady):
            self._listener.on_core_ready()
        elif isinstance(message, CoreCannotStart):
            self._listener.on_core_cannot_start(message.message)
        elif isinstance(message, WantSlot | ReleaseSlot):
            self._listener.on_core_message(message)

    def on_lost(self, connection: _CoreConnection) -> None:
        """A connection is gone."""
        if connection is self._current:
            self._current = None
            self._listener.on_core_lost()

    def _greet(self, connection: _CoreConnection, hello: CoreHello) -> None:
        if hello.version != WIRE_VERSION:
            raise WireError(f"core speaks version {hello.version}, expected {WIRE_VERSION}")
        previous, self._current = self._current, connection
        connection.greeted = True
        if previous is not None and previous is not connection:
            previous.close()
        self._listener.on_core_connected()


class _StatusProtocol(asyncio.DatagramProtocol):
    def __init__(self, on_status: Callable[[CardStatus], None]) -> None:
        self._on_status = on_status

    def datagram_received(self, data: bytes, addr: object) -> None:
        try:
            status = unpack_status(data)
        except WireError as exc:
            log.error("status not understood", error=str(exc))
            return
        self._on_status(status)


async def open_status_socket(
    run_dir: Path, on_status: Callable[[CardStatus], None]
) -> asyncio.DatagramTransport:
    """Listen on `run_dir`/status.sock."""
    path = run_dir / STATUS_SOCKET
    path.unlink(missing_ok=True)
    unix = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    unix.setblocking(False)
    unix.bind(str(path))
    os.chmod(path, 0o600)
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: _StatusProtocol(on_status), sock=unix)
    return transport

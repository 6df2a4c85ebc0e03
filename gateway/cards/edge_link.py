"""The core's connection to the edge: which cards there are, and what the edge wants."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final, cast

from gateway.observe.log import get_logger
from gateway.wire import edge as wire
from gateway.wire.frames import WIRE_VERSION, FrameDecoder, FrameKind, WireError

EDGE_SOCKET: Final = "edge.sock"
"""Unix socket of the edge, in the run directory."""

log = get_logger()


class EdgeLink(asyncio.Protocol):
    """One connection for the life of the core; when it is gone, so is the edge."""

    def __init__(self, on_message: Callable[[wire.EdgeToCore], None]) -> None:
        self._on_message = on_message
        self._decoder = FrameDecoder()
        self._transport: asyncio.Transport | None = None
        self.lost = asyncio.Event()
        """Set when the edge is gone."""

    @classmethod
    async def connect(cls, run_dir: Path, on_message: Callable[[wire.EdgeToCore], None]) -> "EdgeLink":
        """Connect and introduce ourselves. Raises `OSError`."""
        loop = asyncio.get_running_loop()
        _, link = await loop.create_unix_connection(lambda: cls(on_message), str(run_dir / EDGE_SOCKET))
        link.send(wire.CoreHello(WIRE_VERSION, os.getpid()))
        return link

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by inheritance

    def data_received(self, data: bytes) -> None:
        """Deliver control messages."""
        try:
            for kind, payload in self._decoder.feed(data):
                if kind != FrameKind.CONTROL:
                    raise WireError(f"frame of unexpected kind {kind} from the edge")
                message = wire.unpack_edge_to_core(payload)
                if isinstance(message, wire.EdgeCounters):
                    self.send(wire.CoreAlive())
                self._on_message(message)
        except WireError as exc:
            log.error("edge broke the protocol", error=str(exc))
            if self._transport is not None:
                self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """The edge is gone."""
        self.lost.set()

    def send(self, message: wire.CoreToEdge) -> None:
        """Tell the edge."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(wire.pack_link(message))

    def close(self) -> None:
        """Close the connection."""
        if self._transport is not None:
            self._transport.close()

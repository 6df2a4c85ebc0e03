"""The core's connection to one card: frames in, frames out, batched once per turn of the event loop."""

import asyncio
from collections.abc import Callable
from typing import Final, Protocol, cast

from gateway.core.ids import CardId, LegId
from gateway.observe.log import get_logger
from gateway.wire import card as wire
from gateway.wire.frames import WIRE_VERSION, FrameDecoder, FrameKind, WireError, unpack_heard

_STUCK_BYTES: Final = 16 << 20
"""A card that has this much unread is not reading at all: the connection is dropped."""

log = get_logger()


class CardListener(Protocol):
    """Whoever keeps the connections to the cards."""

    def on_hello(self, link: "CardLink", hello: wire.Hello) -> None:
        """The connection stands."""

    def on_heard(self, link: "CardLink", leg: LegId, pcm: bytes, flags: int) -> None:
        """20 ms of one leg. Hot path."""

    def on_message(self, link: "CardLink", message: wire.FromCard) -> None:
        """Any other control message."""

    def on_disconnected(self, link: "CardLink") -> None:
        """The connection is gone; the card may live on."""


class CardLink(asyncio.Protocol):
    """One connection to a card's unix socket."""

    def __init__(self, card: CardId, core_pid: int, listener: CardListener) -> None:
        self.card = card
        self.hello: wire.Hello | None = None
        self.lost = asyncio.Event()
        """Set when the connection is gone."""
        self._core_pid = core_pid
        self._listener = listener
        self._decoder = FrameDecoder()
        self._transport: asyncio.Transport | None = None
        self._pending: list[bytes] = []
        self._call_soon: Callable[..., object] = asyncio.get_running_loop().call_soon

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Introduce ourselves."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by inheritance
        self.send(wire.pack_control(wire.Attach(WIRE_VERSION, self._core_pid)))

    def data_received(self, data: bytes) -> None:
        """Decode and deliver in the event that brought it."""
        listener = self._listener
        try:
            for kind, payload in self._decoder.feed(data):
                if kind == FrameKind.HEARD:
                    for leg, flags, pcm in unpack_heard(payload):
                        listener.on_heard(self, leg, pcm, flags)
                elif kind == FrameKind.CONTROL:
                    self._control(wire.unpack_from_card(payload))
                else:
                    raise WireError(f"frame of unknown kind {kind}")
        except WireError as exc:
            log.error("card broke the protocol", card=self.card, error=str(exc))
            self.abort()

    def _control(self, message: wire.FromCard) -> None:
        if not isinstance(message, wire.Hello):
            if self.hello is None:
                raise WireError("a message came before Hello")
            self._listener.on_message(self, message)
            return
        if message.version != WIRE_VERSION or message.card != self.card:
            raise WireError(
                f"card {message.card} speaks version {message.version}, expected card {self.card} "
                f"with version {WIRE_VERSION}"
            )
        self.hello = message
        self._listener.on_hello(self, message)

    def send(self, frame: bytes) -> None:
        """Queue a frame; everything of one turn of the loop leaves in one write."""
        if not self._pending:
            self._call_soon(self._write)
        self._pending.append(frame)

    def _write(self) -> None:
        pending, self._pending = self._pending, []
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        transport.write(b"".join(pending))
        if transport.get_write_buffer_size() > _STUCK_BYTES:
            log.error("card does not read", card=self.card)
            self.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the listener."""
        self._transport = None
        self.lost.set()
        self._listener.on_disconnected(self)

    def abort(self) -> None:
        """Drop the connection."""
        if self._transport is not None:
            self._transport.abort()

"""The track through which encoded packets reach aiortc's sender, whose tracks may return packets."""

import asyncio
import fractions
from collections import deque
from typing import Final

from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError
from av.packet import Packet
from av.stream import Stream

_MAX_WAITING: Final = 10
"""200 ms; if the sender is that late, old audio is no use."""


class EncodedTrack(MediaStreamTrack):
    """Packets pushed by the tick, taken by the sender."""

    kind = "audio"

    def __init__(self, clock_rate_hz: int) -> None:
        super().__init__()
        self._time_base = fractions.Fraction(1, clock_rate_hz)
        self._packets: deque[Packet[Stream]] = deque(maxlen=_MAX_WAITING)
        self._waiter: asyncio.Future[None] | None = None
        self.pushed = 0
        self.dropped = 0
        """Overwritten because the sender did not take them."""

    def push(self, payload: bytes, timestamp: int) -> None:
        """An encoded packet; leaves in this turn of the event loop."""
        packet: Packet[Stream] = Packet(payload)
        packet.pts, packet.time_base = timestamp, self._time_base
        self.dropped += len(self._packets) == _MAX_WAITING
        self._packets.append(packet)
        self.pushed += 1
        self._wake()

    def stop(self) -> None:
        """Nothing more comes."""
        super().stop()
        self._wake()

    async def recv(self) -> "Packet[Stream]":
        """The next packet. Raises `MediaStreamError` once stopped."""
        while not self._packets:
            if self.readyState != "live":
                raise MediaStreamError
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        return self._packets.popleft()

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

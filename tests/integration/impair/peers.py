"""UDP peers around an impairer."""

import asyncio
from types import TracebackType
from typing import Self

from gateway.impair.port import Address, UdpPort


class Echo:
    """Sends every packet back to where it came from."""

    def __init__(self) -> None:
        self.seen: list[tuple[bytes, Address]] = []
        self._port = UdpPort(("127.0.0.1", 0), self._on_packet)

    @property
    def address(self) -> Address:
        """Where it listens."""
        return self._port.address

    def _on_packet(self, packet: bytes, source: Address) -> None:
        self.seen.append((packet, source))
        self._port.send(packet, source)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._port.close()


class Client:
    """Sends, and remembers when what came back."""

    def __init__(self) -> None:
        self.heard: list[tuple[float, bytes]] = []
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()
        self._port = UdpPort(("127.0.0.1", 0), self._on_packet)

    @property
    def packets(self) -> list[bytes]:
        """What came back, in order."""
        return [packet for _, packet in self.heard]

    @property
    def address(self) -> Address:
        """Where it sends from."""
        return self._port.address

    def send(self, packet: bytes, to: Address) -> None:
        """One datagram."""
        self._port.send(packet, to)

    async def until(self, packets: int, within_s: float = 10.0) -> None:
        """Wait until so many have come back in all."""
        async with asyncio.timeout(within_s):
            while len(self.heard) < packets:
                self._changed.clear()
                await self._changed.wait()

    def _on_packet(self, packet: bytes, _source: Address) -> None:
        self.heard.append((self._loop.time(), packet))
        self._changed.set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._port.close()

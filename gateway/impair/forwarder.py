"""What every impairing forwarder has: a port in front, a target behind, two settings and their counters."""

import asyncio
from abc import ABC, abstractmethod
from functools import partial
from types import TracebackType
from typing import Literal, Self

from gateway.impair.impairment import Impairment
from gateway.impair.model import Line, LineCounters
from gateway.impair.outbox import Outbox
from gateway.impair.port import Address, OnPacket, PortError, UdpPort, host_towards

Way = Literal["up", "down"]
"""up: from the clients to the target · down: back."""

Lines = dict[Way, Line]
"""Both directions of one path."""


class Forwarder(ABC):
    """`async with` opens and closes it; must run on the event loop that it is used on.

    The same seed and the same packets give the same losses, delays and duplicates: the chance of the
    n-th path depends on the seed, n and the direction alone.
    """

    def __init__(
        self,
        listen: Address,
        target: Address,
        *,
        up: Impairment | None = None,
        down: Impairment | None = None,
        seed: int = 1,
    ) -> None:
        """listen: port 0 takes any free one."""
        self._listen, self._target, self._seed = listen, target, seed
        self._now: dict[Way, Impairment] = {"up": up or Impairment(), "down": down or Impairment()}
        self._live: dict[int, Lines] = {}
        self._gone: dict[Way, LineCounters] = {"up": LineCounters(), "down": LineCounters()}
        self._ports: set[UdpPort] = set()
        self._made = 0
        self._unsent = 0
        self._inner_host = ""
        self._port: UdpPort | None = None
        self._outbox: Outbox | None = None

    async def __aenter__(self) -> Self:
        """Open the port. Raises `PortError`."""
        self._inner_host = host_towards(self._target)
        self._outbox = Outbox()
        self._port = self._open(self._listen[0], self._listen[1], self._from_client)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close everything; what is under way is lost."""
        for port in list(self._ports):
            self._close(port)
        if self._outbox is not None:
            self._outbox.close()

    @property
    def address(self) -> Address:
        """Where clients send to."""
        return self._front.address

    @property
    def paths(self) -> int:
        """Paths made so far: clients, or calls."""
        return self._made

    @property
    def undelivered(self) -> int:
        """Packets that this machine dropped, not the model: too many waiting, no buffer or no socket left."""
        overflowed = self._outbox.overflowed if self._outbox else 0
        return overflowed + self._unsent + sum(port.unsent for port in self._ports)

    def impairment(self, way: Way) -> Impairment:
        """What new packets meet."""
        return self._now[way]

    def counters(self, way: Way) -> LineCounters:
        """All paths together, those that have gone included."""
        total = self._gone[way]
        for lines in self._live.values():
            total = total.plus(lines[way].counters)
        return total

    def change(self, *, up: Impairment | None = None, down: Impairment | None = None) -> None:
        """Another network from the next packet on; None leaves a direction as it is."""
        changes: tuple[tuple[Way, Impairment | None], ...] = (("up", up), ("down", down))
        for way, impairment in changes:
            if impairment is not None:
                self._now[way] = impairment
                for lines in self._live.values():
                    lines[way].change(impairment)

    @abstractmethod
    def _from_client(self, packet: bytes, source: Address) -> None:
        """Something came in front."""

    @property
    def _front(self) -> UdpPort:
        assert self._port is not None, "not open"
        return self._port

    def _open(self, host: str, port: int, on_packet: OnPacket) -> UdpPort:
        def guarded(packet: bytes, source: Address) -> None:
            try:
                on_packet(packet, source)
            except PortError:
                self._unsent += 1  # no socket is left for a new path

        opened = UdpPort((host, port), guarded)
        self._ports.add(opened)
        return opened

    def _close(self, port: UdpPort) -> None:
        port.close()
        self._ports.discard(port)
        self._unsent += port.unsent

    def _new_lines(self) -> tuple[int, Lines]:
        """A path's number and its two directions."""
        self._made += 1
        seed = f"{self._seed}/{self._made}"
        lines: Lines = {
            "up": Line(self._now["up"], f"{seed}/up"),
            "down": Line(self._now["down"], f"{seed}/down"),
        }
        self._live[self._made] = lines
        return self._made, lines

    def _retire(self, number: int) -> None:
        """A path has gone; its counters stay."""
        lines = self._live.pop(number)
        self._gone = {way: total.plus(lines[way].counters) for way, total in self._gone.items()}

    def _pass(self, line: Line, packet: bytes, port: UdpPort, to: Address) -> None:
        """What the network lets through leaves `port` when the network says."""
        assert self._outbox is not None
        send = partial(port.send, to=to)
        for at in line.releases(len(packet), asyncio.get_running_loop().time()):
            self._outbox.post(at, send, packet)
